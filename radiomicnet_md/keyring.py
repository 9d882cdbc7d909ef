# SPDX-License-Identifier: Apache-2.0
"""Where the private keys of a home are: in encrypted files, or in a token (PKCS#11). Who signs need not know.

Rules of this module:

- The key NAME is ``NAME.pem``, an encrypted file, or ``NAME.pkcs11``, its place in a token; ``NAME.pub`` is the
  public half.
- A new key goes to where the home's keys are. One that shall take the place of another is ``NAME.next`` until the log
  has the record of it; whoever opens the home next settles what a crash left: moved to its place when the log names
  the key, destroyed when it does not. A retired private key is destroyed, for nothing is verified with it.
- What the person gives opens both: the passphrase of the files, or the PIN of the token. Nothing on the disk is
  encrypted with a PIN, which is short enough to be found by trying where no token counts the tries. The files beside a
  token's keys (cosigner, vault) have a passphrase of 256 bits that the token keeps; ``passphrase.pkcs11`` is its place.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from radiomicnet_md.errors import ConfigurationError, Problem
from radiomicnet_md.private import write_private
from radiomicnet_md_audit import sign
from radiomicnet_md_audit.disk import sync_folder

if TYPE_CHECKING:
    from radiomicnet_md_audit.pkcs11_key import Token

_PLACE = ".pkcs11"  # ending of the files that tell a place
_FILES = "passphrase"
_NEXT = ".next"
_ENDINGS = (".pem", _PLACE, ".pub")
COSIGNER = "cosigner"


def token(module: Path, label: str) -> Token:
    """The token with this label, spoken to by this module; ``E-TOKEN-LIBRARY`` without the extra ``pkcs11``."""
    with _extra():
        from radiomicnet_md_audit.pkcs11_key import Token
    return Token(str(module.absolute()), label)


def use_token(folder: Path, where: Token, pin: bytes, origin: str, undo: ExitStack) -> None:
    """Let the keys of a new home be made in a token; ``undo`` takes out of it again whatever has the home's name.

    Raises :class:`ConfigurationError` when the token cannot be used, ``OSError`` when the folder cannot be written.
    """
    from radiomicnet_md_audit import pkcs11_key

    place = pkcs11_key.keep(where, pin, f"{origin}/{_FILES}", secrets.token_hex(32).encode())
    undo.callback(_withdraw, where, pin, origin)
    write_private(folder / (_FILES + _PLACE), place)


def make(folder: Path, name: str, passphrase: bytes, origin: str) -> sign.Signer:
    """Make a key and write its file and its public half; the token calls it by the home's ``origin`` and ``name``.

    Raises :class:`ConfigurationError` for a wrong passphrase or PIN, ``OSError`` when the folder cannot be written.
    """
    key: sign.Signer
    place = _read(folder / (_FILES + _PLACE))
    if place is None:
        key = sign.generate()
        sign.save_private(key, folder / f"{name}.pem", passphrase)
    else:
        with _extra():
            from radiomicnet_md_audit import pkcs11_key
        key = pkcs11_key.generate(pkcs11_key.token_of(place), passphrase, f"{origin}/{name.removesuffix(_NEXT)}")
        write_private(folder / f"{name}{_PLACE}", key.file)
    write_private(folder / f"{name}.pub", key.public.to_pem())
    return key


def open_(folder: Path, name: str, passphrase: bytes) -> sign.Signer:
    """The key of this name; :class:`ConfigurationError` for a wrong passphrase or PIN, or a missing file or token."""
    place = _read(folder / f"{name}{_PLACE}")
    if place is None:
        return sign.load_private(folder / f"{name}.pem", passphrase)
    with _extra():
        from radiomicnet_md_audit import pkcs11_key
    return pkcs11_key.open_(place, passphrase)


def open_cosigner(folder: Path, passphrase: bytes, name: str = COSIGNER) -> sign.CosigningKey:
    """The log's ML-DSA-44 key, always in a file; raises as :func:`open_` does."""
    return sign.load_cosigner(folder / f"{name}.pem", secret(folder, passphrase))


def make_next(folder: Path, name: str, passphrase: bytes, origin: str) -> sign.Signer | sign.CosigningKey:
    """Make the key that shall take the place of the one of this name; raises as :func:`make` does."""
    if name != COSIGNER:
        return make(folder, name + _NEXT, passphrase, origin)
    key = sign.generate_cosigner()
    sign.save_private(key, folder / f"{name}{_NEXT}.pem", secret(folder, passphrase))
    return key


def waiting(folder: Path) -> list[str]:
    """The names of the keys that a next one was made for, and no more is known of; ``E-KEY-READ`` where it fails."""
    try:
        return sorted({path.name.partition(".")[0] for path in folder.glob(f"*{_NEXT}.*")})
    except OSError as error:
        raise _unreadable(error) from None


def settle(folder: Path, passphrase: bytes, in_force: Collection[str]) -> None:
    """Put the next keys in their places if their ids are ``in_force``, else destroy them.

    Raises :class:`ConfigurationError` for a wrong passphrase or PIN, ``OSError`` when the folder cannot be written.
    """
    for name in waiting(folder):
        accepted = _next_id(folder, name, passphrase) in in_force
        _destroy(folder, name if accepted else name + _NEXT, passphrase)
        for ending in _ENDINGS:
            following = folder / f"{name}{_NEXT}{ending}"
            if accepted and following.exists():
                following.replace(folder / f"{name}{ending}")
            following.unlink(missing_ok=True)
    sync_folder(folder)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else changes the keys of this home meanwhile; ``OSError`` where the folder cannot be reached."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def secret(folder: Path, passphrase: bytes) -> bytes:
    """The passphrase of the files: what the person gave, or what the token keeps and gives for the PIN."""
    place = _read(folder / (_FILES + _PLACE))
    if place is None:
        return passphrase
    with _extra():
        from radiomicnet_md_audit import pkcs11_key
    return pkcs11_key.fetch(place, passphrase)


def _next_id(folder: Path, name: str, passphrase: bytes) -> str | None:
    """The id of a next key; None for one that was not finished, and so never named to the log."""
    if name == COSIGNER:
        return open_cosigner(folder, passphrase, name + _NEXT).public.keyid
    public = _read(folder / f"{name}{_NEXT}.pub")
    return sign.VerifyingKey.from_pem(public).keyid if public else None


def _destroy(folder: Path, name: str, passphrase: bytes) -> None:
    """Destroy a key that is in a token; one in a file goes with its file."""
    place = _read(folder / f"{name}{_PLACE}")
    if place is None:
        return
    with _extra():
        from radiomicnet_md_audit import pkcs11_key
    with suppress(Problem):  # it may be destroyed already
        pkcs11_key.destroy(place, passphrase)


def _withdraw(where: Token, pin: bytes, origin: str) -> None:
    from radiomicnet_md_audit import pkcs11_key

    for name in (_FILES, "engine", "log"):
        with suppress(Problem):  # what made the home impossible is the one to tell
            pkcs11_key.discard(where, pin, f"{origin}/{name}")


def _read(place: Path) -> bytes | None:
    try:
        return place.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(error) from None


def _unreadable(error: OSError) -> ConfigurationError:
    return ConfigurationError(
        "E-KEY-READ",
        f"A key file cannot be read ({error.strerror}).",
        remedy="Check that the home is complete and that this user may read its keys.",
    )


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ConfigurationError(
            "E-TOKEN-LIBRARY",
            "What speaks to tokens (python-pkcs11) is not installed.",
            remedy="Install it: pip install 'radiomicnet-md[pkcs11]'.",
        ) from error
