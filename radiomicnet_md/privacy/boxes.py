# SPDX-License-Identifier: Apache-2.0
"""What the inbox and the outbox of a node hold of a person: the same patient in the clear as in the vault under seal.

Rules of this module:

- A file is a person's when its header names them, when one of their records names it by its digest, or when its job is
  of one of their records. One that cannot be read and that no record names is nobody's.
- What waits is the node's: it is named, and left. What was set aside in ``failed/`` is nobody's work, and goes.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from radiomicnet_md import vault
from radiomicnet_md.errors import BusyError
from radiomicnet_md.vault import Person, Subject
from radiomicnet_md_audit import canonical
from radiomicnet_md_audit.errors import IntegrityError

_WAITING = ("inbox/*.dcm", "outbox/*/*.dcm")
_ASIDE = ("inbox/failed/*.dcm", "outbox/failed/*/*.dcm")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose files are looked for: a person, and every digest that a record of theirs names."""

    subject: Subject
    named: frozenset[str]

    def has(self, path: Path) -> bool:
        """Whether a file of a box is theirs."""
        if _record_of(path) in self.subject.records or _sha256(path) in self.named:
            return True
        from radiomicnet_md.io import survey

        return Person.of(survey.identity(path).values, "") == self.subject.person


def refuse_waiting(home: Path, owner: Owner) -> None:
    """Raise :class:`BusyError` ``E-ERASE-WAITING`` with the entries where something of the person still waits."""
    found = sorted({_entry(home, path) for path in _files(home, _WAITING) if owner.has(path)})
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise BusyError(
            "E-ERASE-WAITING",
            f"The node still has something of this person: {', '.join(found[:_SHOWN])}{more}; nothing was erased.",
            remedy="Try again when the node has decided and sent it, or end the node and remove these from the home.",
        )


def aside(home: Path, owner: Owner) -> set[str]:
    """The digests of the person's files that were set aside."""
    return {_sha256(path) for path in _files(home, _ASIDE) if owner.has(path)}


def wipe(home: Path, digests: set[str]) -> None:
    """Remove the files of these digests that were set aside; may be repeated. ``OSError`` where it fails."""
    for path in list(_files(home, _ASIDE)):
        if _sha256(path) in digests:
            vault.wipe(path)
            job = path.parent
            if job.parent.name == "failed" and not list(job.glob("*.dcm")):
                shutil.rmtree(job)


def _files(home: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """The files of the boxes; a job that is set aside is not one that waits."""
    for pattern in patterns:
        found = (path for path in home.glob(pattern) if patterns is _ASIDE or path.parent.name != "failed")
        yield from sorted(found)


def _entry(home: Path, path: Path) -> str:
    """What an entry is called: the box, and the id of the request or of the job."""
    box, name = path.relative_to(home).parts[:2]
    return f"{box}/{name.partition('-')[0]}"


def _record_of(path: Path) -> str | None:
    """The record whose object a file of the outbox is, as the note beside it says."""
    try:
        said = canonical.loads((path.parent / "job.json").read_bytes())
    except (OSError, IntegrityError):
        return None
    match said:
        case {"of": str(record_id)}:
            return record_id
    return None


def _sha256(path: Path) -> str:
    """The digest of a file; empty for one that the node is done with meanwhile."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
