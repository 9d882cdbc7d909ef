# SPDX-License-Identifier: Apache-2.0
"""One folder holds the keys, the log, the artefacts and the vault of a device, and only its owner can read it.

Rules of this module:

- Folders are 0700 and files 0600 from the moment they exist; a home that others can read is not opened.
- ``home.yaml`` is written last when a home is made and read first when it is opened. A home whose format
  this version does not know is left alone. A home that cannot be finished is taken away again, anchor included.
- Private keys are encrypted, or in a token (see ``keyring``). A demonstration home made without a passphrase
  keeps a generated one beside its keys. ``home.yaml`` tells so, and every record it makes is stamped
  ``untrusted-key``, wherever the passphrase goes later.
- The anchor lies outside the home, beside it.
- ``home.yaml`` holds what was installed when the home was made, so that a later difference stops the device.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from radiomicnet_md import keyring, passphrases
from radiomicnet_md.errors import ConfigurationError, IntegrityError
from radiomicnet_md.private import replace_private, write_private
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit import seal, sign
from radiomicnet_md_audit.testimony import beside

if TYPE_CHECKING:
    from radiomicnet_md_audit.ledger import Ledger
    from radiomicnet_md_audit.pkcs11_key import Token
    from radiomicnet_md_audit.policy import Policy

FORMAT = 1
DEMONSTRATION_STAMP = "unqualified demonstration"
PASSPHRASE_FILE = passphrases.FILE_VARIABLE
UNTRUSTED_KEY_STAMP = "untrusted-key"

_STATE_FILE = "home.yaml"
FOLDERS = ("keys", "artefacts", "staging", "vault", "logs")


@dataclass(frozen=True, slots=True)
class Keys:
    """The engine signs records, the log and its cosigner sign checkpoints."""

    engine: sign.Signer
    log: sign.Signer
    cosigner: sign.CosigningKey


@dataclass(frozen=True, slots=True)
class Home:
    """An existing home of a format that this version knows."""

    folder: Path
    clinical: bool
    origin: str  # name of its log, C2SP style: radiomicnet-md/<16 hex digits>
    stored_passphrase: bool  # whether it was made with its passphrase beside its keys; False where it does not tell
    installed: Mapping[str, str] = field(default_factory=dict)  # digest a dependency; empty where it froze none

    @property
    def stamps(self) -> tuple[str, ...]:
        """What every record and output of this home has to say about itself."""
        demonstration = () if self.clinical else (DEMONSTRATION_STAMP,)
        beside = self.stored_passphrase or self._generated_passphrase.exists()
        return demonstration + ((UNTRUSTED_KEY_STAMP,) if beside else ())

    @property
    def anchor(self) -> Path:
        """The file outside the home that every checkpoint is also appended to."""
        return anchor_beside(self.folder)

    @property
    def database(self) -> str:
        """URL of the log inside the home."""
        return f"sqlite:///{self.folder / 'audit.db'}"

    @property
    def artefacts(self) -> Path:
        """Content-addressed files that records name by their digest."""
        return self.folder / "artefacts"

    @property
    def _keys(self) -> Path:
        return self.folder / "keys"

    @property
    def _generated_passphrase(self) -> Path:
        return self._keys / "passphrase"

    def passphrase(self, environ: Mapping[str, str] = os.environ) -> bytes:
        """From the file the environment names, else the generated one, else the person at the terminal.

        Raises :class:`ConfigurationError` when there is none of the three.
        """
        return passphrases.existing(self._generated_passphrase, environ)

    def writing_ledger(self, passphrase: bytes, audit_db: str | None = None) -> Ledger:
        """The log, with the keys to append to it; to be closed after use."""
        if keyring.waiting(self._keys):
            with self.changing_keys(passphrase, audit_db):
                pass
        return self._ledger(audit_db, self.keys(passphrase))

    @contextmanager
    def changing_keys(self, passphrase: bytes, audit_db: str | None = None) -> Iterator[None]:
        """Change keys in this block, alone; before and after it, every key that the log names is in its place.

        Raises :class:`ConfigurationError` for a wrong passphrase, or when the home cannot be written.
        """
        try:
            with keyring.alone(self._keys):
                self._settle_keys(passphrase, audit_db)
                try:
                    yield
                finally:
                    self._settle_keys(passphrase, audit_db)
        except OSError as error:
            raise _unusable(f"The home's keys cannot be changed: {error.strerror}.") from error

    def _settle_keys(self, passphrase: bytes, audit_db: str | None) -> None:
        if not keyring.waiting(self._keys):
            return
        with self.reading_ledger(audit_db) as ledger:
            declared = ledger.declared
        trusted = replace(self.policy(), log_keys=declared.log_keys, engine_keys=declared.engine_keys)
        replace_private(self.folder / "policy.json", trusted.to_json())
        keyring.settle(self._keys, passphrase, declared.keyids())

    def reading_ledger(self, audit_db: str | None = None) -> Ledger:
        """The log, to read and verify by the keys this home was made with; needs no passphrase."""
        return self._ledger(audit_db, None)

    def _ledger(self, audit_db: str | None, keys: Keys | None) -> Ledger:
        from radiomicnet_md_audit.ledger import Ledger

        if audit_db is None and not (self.folder / "audit.db").is_file():
            raise _unusable("The home has no audit.db, and no other log was named with --audit-db.")
        engine, log, cosigner = (keys.engine, keys.log, keys.cosigner) if keys else (None, None, None)
        url = audit_db or self.database
        try:
            return Ledger.open(url, engine, log, self.anchor, cosigner=cosigner, policy=self.policy())
        except ConfigurationError as problem:
            if problem.code != "E-STORE-NEWER" or audit_db is not None:
                raise
            # Home and log are made together and have one format: where they disagree, one of them was changed.
            raise IntegrityError(
                "E-HOME-LOG",
                f"The home has format {FORMAT}, and its log claims a newer one.",
                remedy="Keep the files as they are and restore the log from a backup; verify it against the anchor.",
            ) from problem

    def keys(self, passphrase: bytes) -> Keys:
        """The private keys; :class:`ConfigurationError` for a wrong passphrase."""
        return Keys(
            keyring.open_(self._keys, "engine", passphrase),
            keyring.open_(self._keys, "log", passphrase),
            keyring.open_cosigner(self._keys, passphrase),
        )

    def policy(self) -> Policy:
        """Which keys this home trusts for its log: its own."""
        try:
            return policies.parse((self.folder / "policy.json").read_bytes())
        except OSError as error:
            raise _unusable(f"The home's policy.json cannot be read: {error.strerror}.") from error

    def vault_key(self, passphrase: bytes) -> bytes:
        """The key that seals the keys of people, and the salts of homes up to 0.3."""
        try:
            wrapped = (self.folder / "vault" / "key").read_bytes()
        except OSError as error:
            raise _unusable(f"The home's vault cannot be read: {error.strerror}.") from error
        return seal.unwrap(wrapped, keyring.secret(self.folder / "keys", passphrase))


def create(
    folder: Path,
    *,
    clinical: bool = False,
    audit_db: str | None = None,
    installed: Mapping[str, str] | None = None,
    token: Token | None = None,
) -> Home:
    """Make a home: keys, vault, empty log, anchor; ``home.yaml`` last.

    ``installed`` is frozen in it: a digest for each dependency, as ``engine.installation.record_digests`` gives them.

    A clinical home needs a passphrase from ``RADIOMICNET_MD_KEY_PASSPHRASE_FILE`` or a terminal; a
    demonstration home makes one up where the environment names none. With ``token``, the keys of engine and log
    are made in that, and the passphrase is its user PIN, which no home makes up. Raises
    :class:`ConfigurationError` when something is in the way or the folder cannot be written.
    """
    from radiomicnet_md_audit.store import database_path, on_server

    folder = folder.absolute()
    _refuse_occupied(folder)
    if token is None:
        passphrase = passphrases.new(clinical=clinical)
    else:
        passphrase = passphrases.existing(folder / "keys" / "passphrase", of=f"the token {token.label} (its user PIN)")
    origin = f"radiomicnet-md/{secrets.token_hex(8)}"
    home = Home(folder, clinical, origin, stored_passphrase=passphrase is None, installed=dict(installed or {}))
    database = audit_db or home.database
    try:
        with ExitStack() as undo:
            _claim(home, None if on_server(database) else database_path(database), undo)
            _fill(home, passphrase, database, token, undo)
            undo.pop_all()
    except OSError as error:
        raise _unusable(f"The home cannot be made: {error.strerror}.") from error
    return home


def open_home(folder: Path) -> Home:
    """The home in ``folder``, or :class:`ConfigurationError` with the way out."""
    state = _state(folder)
    if state["format"] > FORMAT:
        raise ConfigurationError(
            "E-HOME-NEWER",
            f"This home has format {state['format']}; this version knows formats up to {FORMAT}.",
            remedy="Use the version of RadiomicNet-MD that made it, or a later one.",
        )
    try:
        modes = [path.stat().st_mode for path in (folder, folder / "keys")]
    except OSError as error:
        raise _unusable(f"The home's keys cannot be reached: {error.strerror}.") from error
    if not all(map(stat.S_ISDIR, modes)):
        raise _unusable("The home's keys are not in a folder.")
    if any(stat.S_IMODE(mode) & 0o077 for mode in modes):
        raise ConfigurationError(
            "E-HOME-MODE",
            "Other users of this machine can enter this home.",
            remedy="Run `chmod -R go-rwx` on the home, and consider whether its keys are still a secret.",
        )
    stored, installed = state.get("stored_passphrase", False), state.get("installed", {})
    return Home(folder, state["kind"] == "clinical", state["origin"], stored_passphrase=stored, installed=installed)


def anchor_beside(folder: Path) -> Path:
    """The anchor's place for a home: ``<home>.anchor`` beside it."""
    return folder.with_name(folder.name + ".anchor")


def revoked_list(folder: Path) -> Path:
    """Where a home keeps the signed list of revoked releases that its owner was sent, if any."""
    return folder / "revoked.json"


def _state(folder: Path) -> dict[str, Any]:
    """The content of ``home.yaml`` with its parts checked."""
    try:
        state = yaml.safe_load((folder / _STATE_FILE).read_bytes())
    except FileNotFoundError:
        raise ConfigurationError(
            "E-HOME-ABSENT",
            "There is no home here: no keys and no log to write a record to.",
            remedy=f"Make one: radiomicnet-md init --home {folder}",
        ) from None
    except (OSError, yaml.YAMLError) as error:
        fact = error.strerror if isinstance(error, OSError) else "it is not YAML"
        raise _unusable(f"The home's {_STATE_FILE} cannot be read: {fact}.") from error
    if not isinstance(state, dict) or type(state.get("format")) is not int:
        raise _unusable(f"The home's {_STATE_FILE} names no format.")
    if state["format"] <= FORMAT and (
        state.get("kind") not in ("demonstration", "clinical")
        or not isinstance(state.get("origin"), str)
        or not isinstance(state.get("stored_passphrase", False), bool)
        or not _is_texts(state.get("installed", {}))
    ):
        raise _unusable(f"The home's {_STATE_FILE} does not say what kind of home it is.")
    return state


def _is_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(part, str) for pair in value.items() for part in pair)


def _refuse_occupied(folder: Path) -> None:
    if (folder / _STATE_FILE).exists():
        raise ConfigurationError(
            "E-HOME-EXISTS",
            "A home is already here; it was not touched.",
            remedy="Use it as it is, or name another folder with --home.",
        )
    anchor = anchor_beside(folder)
    if (
        anchor.exists()
        or beside(anchor).exists()
        or (folder.exists() and (not folder.is_dir() or any(folder.iterdir())))
    ):
        raise _occupied(folder)


def _claim(home: Home, database: Path | None, undo: ExitStack) -> None:
    """Take the places of a home where nobody has taken them, so that what ``undo`` removes is its own.

    ``database`` is None where a server keeps the log: what is in it cannot be removed again.
    """
    home.folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):  # an empty folder may be there, and then it stays
        home.folder.mkdir(mode=0o700)
        undo.callback(_remove, home.folder)
    home.folder.chmod(0o700)
    try:
        (home.folder / "keys").mkdir(mode=0o700)
        undo.callback(lambda: _remove(*sorted(home.folder.rglob("*"), reverse=True)))
        home.anchor.touch(0o600, exist_ok=False)
        undo.callback(_remove, home.anchor)
    except FileExistsError:
        raise _occupied(home.folder) from None
    if database is None:
        return
    try:
        database.touch(0o600, exist_ok=False)
    except FileExistsError:
        raise ConfigurationError(
            "E-STORE-EXISTS",
            "There is already a file where the log should be made.",
            remedy="Name another place with --audit-db, or move that file away.",
        ) from None
    endings = ("", "-wal", "-shm", ".settled", ".settled.new")
    undo.callback(_remove, *(database.with_name(database.name + ending) for ending in endings))


def _fill(home: Home, passphrase: bytes | None, database: str, token: Token | None, undo: ExitStack) -> None:
    """Put everything into a home whose places are claimed."""
    from radiomicnet_md_audit.ledger import Ledger

    folder = home.folder
    for name in FOLDERS:
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    if passphrase is None:
        passphrase = secrets.token_hex(32).encode()
        write_private(folder / "keys" / "passphrase", passphrase + b"\n")
    keys = folder / "keys"
    if token is not None:
        keyring.use_token(keys, token, passphrase, home.origin, undo)
    engine, log = (keyring.make(keys, name, passphrase, home.origin) for name in ("engine", "log"))
    cosigner, secret = sign.generate_cosigner(), keyring.secret(keys, passphrase)
    sign.save_private(cosigner, keys / "cosigner.pem", secret)
    write_private(folder / "vault" / "key", seal.wrap(seal.new_key(), secret))
    with Ledger.create(database, home.origin, engine, log, home.anchor, cosigner=cosigner) as ledger:
        write_private(folder / "policy.json", ledger.declared.to_json())
    made = {
        "format": FORMAT,
        "kind": "clinical" if home.clinical else "demonstration",
        "origin": home.origin,
        "created": datetime.now(UTC).isoformat(),
        "stored_passphrase": home.stored_passphrase,
        "installed": dict(home.installed),
    }
    replace_private(folder / _STATE_FILE, yaml.safe_dump(made, sort_keys=False).encode())


def _remove(*paths: Path) -> None:
    """Remove files and empty folders; where that fails too, the first failure is the one to tell."""
    for path in paths:
        with suppress(OSError):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()


def _occupied(folder: Path) -> ConfigurationError:
    return ConfigurationError(
        "E-HOME-OCCUPIED",
        "The place of the home, or of the anchor files beside it, is taken by something else.",
        remedy=f"Name another folder with --home, or move {folder} and {anchor_beside(folder)}* away.",
    )


def _unusable(message: str) -> ConfigurationError:
    return ConfigurationError(
        "E-HOME-UNUSABLE",
        message,
        remedy="Check the folder's owner, permissions and free space, or restore the home from a backup.",
    )
