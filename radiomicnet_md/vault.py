# SPDX-License-Identifier: Apache-2.0
"""Whose record it is can be read with the home's passphrase, and by nobody once that person's key is gone.

Rules of this module:

- A *subject* is one person: a patient id with its issuer, else a name with a date of birth, else the record itself.
- ``subjects/<name>/key`` holds the person's random AES-256 key, a random subject id and who the person is, sealed under
  the vault's key. The name is an HMAC under the vault's key, so that nobody without the passphrase can confirm a guess.
- ``subjects/<name>/<record id>`` holds the salt of the record's commitments and the values that were committed to,
  sealed under the person's key and bound to the record.
- Homes made by versions up to 0.3 have ``<record id>``: the salt alone, sealed under the vault's key. Each is a subject
  of its own, with the record's id as its id, and so is a record that names nobody.
- While a case puts its files away, nothing is destroyed, and the other way round: a shared and an exclusive lock.
- What is destroyed is overwritten, unlinked and its folder synced. A disk may keep older copies of a block (flash, copy
  on write, snapshots, backups); what is written here is sealed, and reading such a copy takes the key's file too.

The layout is described in ``audit/FORMAT.md``, section 13.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import hmac
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from radiomicnet_md.errors import BusyError, ConfigurationError, IntegrityError
from radiomicnet_md.private import write_private
from radiomicnet_md_audit import canonical, seal, statement
from radiomicnet_md_audit.disk import sync_folder

WAIT_S = 10.0  # as long as the log waits for another writer

_LOCK = "erasure.lock"
_KEY = "key"
_KEY_CONTEXT = b"radiomicnet-md subject key 1 "
_NAMES_CONTEXT = b"radiomicnet-md subject names 1"
_PAUSE_S = 0.02
_OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST)


@dataclass(frozen=True, slots=True)
class Person:
    """Who a subject is, as far as the files said: keyword and value, none for a record that stands for itself."""

    values: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, values: Mapping[str, str], record_id: str) -> Person:
        """The person whom identifying values (by DICOM keyword) name."""
        for leading, other, demanded in (
            ("PatientID", "IssuerOfPatientID", False),
            ("PatientName", "PatientBirthDate", True),
        ):
            if values.get(leading) and (values.get(other) or not demanded):
                return cls(((leading, values[leading]), (other, values.get(other, ""))))
        return cls((("record", record_id),))


@dataclass(frozen=True, slots=True)
class Subject:
    """What the vault holds about one person, or about a record that stands for itself (then without a folder)."""

    id: str
    folder: str | None
    records: tuple[str, ...]  # ids, sorted
    person: Person


@dataclass(frozen=True, slots=True)
class Kept:
    """What a blob holds: the salt of a record's commitments, and the values committed to (none in a blob up to 0.3)."""

    salt: bytes
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Opened:
    subject: str
    key: bytes
    person: Person


def share(home: Path) -> int:
    """Keep erasures away until the descriptor that is returned is closed; waits for one that is under way.

    Raises :class:`ConfigurationError` ``E-HOME-WRITE``.
    """
    with typed():
        handle = os.open(home / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


@contextmanager
def sharing(home: Path) -> Iterator[None]:
    """No erasure in this home meanwhile; raises :class:`ConfigurationError` ``E-HOME-WRITE``."""
    handle = share(home)
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Nobody puts files away, exports or erases meanwhile; :class:`BusyError` ``E-HOME-BUSY`` after ten seconds."""
    with typed():
        handle = os.open(home / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        _lock_alone(handle)
        yield
    finally:
        os.close(handle)


def shut(  # noqa: PLR0913 -- the parts of a blob, each of them needed
    home: Path, aside: Path, record_id: str, salt: bytes, values: Mapping[str, str], vault_key: bytes
) -> tuple[str, bytes]:
    """The name of the person's folder, made where it is new, and the sealed blob that belongs into it.

    ``aside`` is a folder of the caller's own on the same disk, where a new key is written first. The caller shares
    the home (:func:`share`). Raises :class:`ConfigurationError` ``E-HOME-WRITE``, :class:`IntegrityError` ``E-SEAL``.
    """
    person = Person.of(values, record_id)
    name = hmac.new(_names_key(vault_key), canonical.dumps([list(pair) for pair in person.values]), hashlib.sha256)
    folder = _subjects(home) / name.hexdigest()
    with typed():
        if not folder.exists():
            _make(folder, aside / "subject", person, vault_key)
        key = _opened(folder, vault_key).key
    plain = canonical.dumps({"salt": salt.hex(), "values": dict(values)})
    return folder.name, seal.close(key, plain, record_id.encode())


def place(home: Path, folder: str | None, record_id: str) -> Path:
    """Where a record's blob lies: in the person's folder, or, without one, in the vault itself."""
    return (home / "vault" if folder is None else _subjects(home) / folder) / record_id


def unshut(home: Path, subject: Subject, record_id: str, vault_key: bytes) -> Kept | None:
    """What the vault holds of a record, None where it holds nothing; :class:`IntegrityError` ``E-SEAL``."""
    try:
        sealed = place(home, subject.folder, record_id).read_bytes()
    except FileNotFoundError:
        return None
    if subject.folder is None:
        return Kept(seal.open_(vault_key, sealed, record_id.encode()), {})
    key = _opened(_subjects(home) / subject.folder, vault_key).key
    held = cast("dict[str, object]", canonical.loads(seal.open_(key, sealed, record_id.encode())))
    return Kept(bytes.fromhex(cast("str", held["salt"])), cast("dict[str, str]", held["values"]))


def subject_of(home: Path, record_id: str, vault_key: bytes) -> Subject:
    """The person a record is about; a record of which no folder knows stands for itself."""
    for folder in _folders(home):
        if (folder / record_id).exists():
            return _subject(folder, vault_key)
    return itself(record_id)


def itself(record_id: str) -> Subject:
    """The subject that a record is when no folder of a person knows it."""
    return Subject(record_id, None, (record_id,), Person((("record", record_id),)))


def subjects(home: Path, vault_key: bytes) -> Iterator[Subject]:
    """Everyone who has a folder."""
    for folder in _folders(home):
        yield _subject(folder, vault_key)


def again(home: Path, subject: Subject, vault_key: bytes) -> Subject | None:
    """The subject as it is now; None where its folder has gone, or is another person's in the same place."""
    if subject.folder is None:
        return subject
    folder = _subjects(home) / subject.folder
    if not (folder / _KEY).exists():
        return None
    found = _subject(folder, vault_key)
    return found if found.id == subject.id else None


def alone_standing(home: Path) -> list[str]:
    """The records whose salts lie in the vault itself, as versions up to 0.3 put them."""
    names = [path.name for path in (home / "vault").iterdir()]
    return sorted(name for name in names if statement.RECORD_ID.fullmatch(name))


def destroy(home: Path, folder: str | None, records: Iterable[str]) -> None:
    """Destroy the blobs of some records, and the person's key first where they are the last; may be repeated.

    The caller is :func:`alone`. Raises :class:`ConfigurationError` ``E-HOME-WRITE``.
    """
    gone = set(records)
    with typed():
        if folder is None:
            for record_id in sorted(gone):
                wipe(place(home, None, record_id))
            return
        whole = _subjects(home) / folder
        if not whole.exists():
            return
        last = set(_records(whole)) <= gone
        if last:
            wipe(whole / _KEY)
        for record_id in sorted(gone):
            wipe(whole / record_id)
        if last:
            shutil.rmtree(whole)
            sync_folder(whole.parent)


def wipe(path: Path) -> None:
    """Overwrite a file, unlink it and sync its folder; one that is not there is left so. ``OSError`` where it fails."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    with os.fdopen(handle, "wb") as stream:
        stream.write(bytes(os.fstat(handle).st_size))
        stream.flush()
        os.fsync(handle)
    path.unlink()
    sync_folder(path.parent)


def cannot_take(error: OSError) -> ConfigurationError:
    """What to say when the disk of the home fails."""
    return ConfigurationError(
        "E-HOME-WRITE",
        f"The home cannot take the files of a record: {error.strerror}.",
        remedy="Free space on the disk of the home, and check that this user may write there.",
    )


def _make(folder: Path, aside: Path, person: Person, vault_key: bytes) -> None:
    """Give a person a key; whoever was first at the same moment has given it."""
    held = {
        "key": seal.new_key().hex(),
        "person": [list(pair) for pair in person.values],
        "subject": statement.record_id(os.urandom(16)),
    }
    aside.mkdir(mode=0o700)
    write_private(aside / _KEY, seal.close(vault_key, canonical.dumps(held), _KEY_CONTEXT + folder.name.encode()))
    sync_folder(aside)
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        aside.rename(folder)
    except OSError as error:
        if error.errno not in _OCCUPIED:
            raise
        shutil.rmtree(aside)
    sync_folder(folder.parent)


def _opened(folder: Path, vault_key: bytes) -> _Opened:
    try:
        sealed = (folder / _KEY).read_bytes()
    except FileNotFoundError:
        raise IntegrityError(
            "E-VAULT-KEY",
            "The vault holds records of a person without that person's key.",
            remedy="Start again, which finishes an interrupted erasure; else restore the vault from a backup.",
        ) from None
    held = canonical.loads(seal.open_(vault_key, sealed, _KEY_CONTEXT + folder.name.encode()))
    match held:
        case {"key": str(key), "person": [*pairs], "subject": str(subject)}:
            person = Person(tuple((str(pair[0]), str(pair[1])) for pair in pairs if isinstance(pair, list)))
            return _Opened(subject, bytes.fromhex(key), person)
    raise IntegrityError(
        "E-VAULT-KEY",
        "A person's key in the vault does not have its form.",
        remedy="Use the version of RadiomicNet-MD that wrote it, or restore the vault from a backup.",
    )


def _subject(folder: Path, vault_key: bytes) -> Subject:
    opened = _opened(folder, vault_key)
    return Subject(opened.subject, folder.name, tuple(_records(folder)), opened.person)


def _records(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if statement.RECORD_ID.fullmatch(path.name))


def _folders(home: Path) -> list[Path]:
    try:
        return sorted(path for path in _subjects(home).iterdir() if path.is_dir())
    except FileNotFoundError:  # a home in which no version after 0.3 has decided a case
        return []


def _subjects(home: Path) -> Path:
    return home / "vault" / "subjects"


def _names_key(vault_key: bytes) -> bytes:
    return hmac.new(vault_key, _NAMES_CONTEXT, hashlib.sha256).digest()


def _lock_alone(handle: int) -> None:
    end = time.monotonic() + WAIT_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise BusyError(
                    "E-HOME-BUSY",
                    "Cases or an export are under way in this home; nothing was erased.",
                    remedy="Try again when they are done.",
                ) from None
            time.sleep(_PAUSE_S)
        else:
            return


@contextmanager
def typed() -> Iterator[None]:
    """The disk's own errors come out typed."""
    try:
        yield
    except OSError as error:
        raise cannot_take(error) from error
