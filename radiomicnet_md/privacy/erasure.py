# SPDX-License-Identifier: Apache-2.0
"""What is known of a person goes for good, on the record, and every proof that there was goes on to hold.

Rules of this module:

- The log is not touched but for one more record (``erasure:1``): who erased whom, by the subject's random id, which
  decisions, which files, and why. It comes first; only what it says is then removed.
- A mark in the vault names that record before it is written. Who opens the home next finishes the removal when the log
  holds the record, and takes the mark away when it does not.
- A file that a record of somebody else names too is kept.
- What the node's boxes have set aside of the person goes too; while something of them waits there, nothing does.
- The person's key goes first: without it the sealed values are noise, wherever a copy of them lies.
- While this goes on, no case is put away and no export is written in this home (``vault.alone``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiomicnet_md import shelf, vault
from radiomicnet_md.errors import IntegrityError, UsageError
from radiomicnet_md.home import Home
from radiomicnet_md.intent import new_id
from radiomicnet_md.privacy import boxes, holds, people
from radiomicnet_md.privacy.history import erased
from radiomicnet_md.privacy.people import Keeper
from radiomicnet_md.private import write_private
from radiomicnet_md.vault import Subject
from radiomicnet_md_audit import canonical, dsse, statement
from radiomicnet_md_audit.disk import sync_folder
from radiomicnet_md_audit.export import digests
from radiomicnet_md_audit.statement import DECISION, ERASURE, build

if TYPE_CHECKING:
    from radiomicnet_md_audit.appending import Receipt
    from radiomicnet_md_audit.ledger import Ledger

_MARK = "erasing"
_MOST_BYTES = 40_000  # of lists in one record: an entry of the log holds 65,535 bytes of envelope, a third of it base64
_DIGEST = re.compile(rb"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Erased:
    """One erasure: its record, the person's random id, the decisions, and how many files went or stayed."""

    receipt: Receipt
    subject: str
    records: tuple[str, ...]
    removed: int  # artefacts, and files that the node had set aside
    kept: int  # files that somebody else's record names too


def erase(keeper: Keeper, subject: Subject, why: str) -> list[Erased]:
    """Erase a person: what the home holds of them now, also what came since ``subject`` was looked up.

    A long list of records makes several erasure records. Raises :class:`HeldError` ``E-HOLD`` where a hold covers the
    person, :class:`UsageError` ``E-ERASE-NOTHING`` where nothing is kept and for a reason that cannot stand in a log,
    :class:`BusyError` where others do not leave the home alone, and ``E-ERASE-WAITING``.
    """
    with _alone(keeper):
        found = vault.again(keeper.home.folder, subject, keeper.vault_key)
        done = [] if found is None else _erase(keeper, found, why, None)
    if not done:
        raise UsageError(
            "E-ERASE-NOTHING",
            "Nothing is kept of this record or person; it may have been erased before.",
            remedy="See what was: radiomicnet-md audit list",
        )
    return done


def erase_older(keeper: Keeper, days: int, why: str) -> Iterator[Erased | None]:
    """Erase everyone whose newest decision is more than ``days`` days old; None for one whom a hold covers.

    Raises as :func:`erase`; what was yielded until then stays erased.
    """
    old = people.unseen_since(keeper, days, erased(keeper.ledger))
    namers = _Namers(keeper.ledger, {digest for one in old for digest in _named(keeper, one.records)})
    for subject in old:
        with _alone(keeper):
            found = vault.again(keeper.home.folder, subject, keeper.vault_key)
            if found is None or found.records != subject.records:
                continue  # a case came meanwhile: not so old any more
            try:
                done: list[Erased | None] = [*_erase(keeper, found, why, namers)]
            except holds.HeldError:
                done = [None]
        yield from done


def finish(home: Home, ledger: Ledger) -> None:
    """Finish an erasure that a crash has interrupted, or forget it where its record is not in the log.

    Raises :class:`ConfigurationError` ``E-HOME-WRITE``, and whatever keeps the log from saying what it holds.
    """
    if _mark(home.folder).exists():
        with vault.alone(home.folder):
            _finish(home.folder, ledger)


@contextmanager
def _alone(keeper: Keeper) -> Iterator[None]:
    """Alone in the home, with everything settled that a crash has left."""
    with vault.alone(keeper.home.folder):
        keeper.settle()
        _finish(keeper.home.folder, keeper.ledger)
        yield


def _erase(keeper: Keeper, subject: Subject, why: str, namers: _Namers | None) -> list[Erased]:
    holds.refuse_held(keeper.ledger, subject.id)
    why = holds.checked_reason(keeper, [subject], why)
    named = _named_by(keeper, subject.records)
    owner = boxes.Owner(subject, frozenset(_said_by(keeper, subject.records)))
    boxes.refuse_waiting(keeper.home.folder, owner)
    aside = boxes.aside(keeper.home.folder, owner)
    for record_id in subject.records[:1]:
        named[record_id] |= aside
    namers = namers or _Namers(keeper.ledger, {digest for found in named.values() for digest in found})
    namers.go_on()
    done = []
    for part in _parts(named):
        past = erased(keeper.ledger)
        files = {digest for record_id in part for digest in named[record_id]}
        shared = files & namers.others({*past, *part})
        anew = not past.keys() >= set(part)
        if subject.folder or _salted(keeper, subject) or files - shared or (files and anew):
            done.append(_record_and_remove(keeper, subject, part, why, (files - shared, shared)))
    return done


def _record_and_remove(
    keeper: Keeper, subject: Subject, records: list[str], why: str, files: tuple[set[str], set[str]]
) -> Erased:
    removed, kept = files
    about: dict[str, object] = {
        "record_id": new_id(),
        "operator": keeper.operator,
        "stamps": list(keeper.home.stamps),
        "subject": subject.id,
        "records": sorted(records),
        "removed": sorted(removed),
        "why": why,
    }
    home = keeper.home.folder
    with vault.typed():
        write_private(_mark(home), canonical.dumps({"erasure": about["record_id"], "folder": subject.folder}))
        sync_folder(_mark(home).parent)
    named = {"subject": hashlib.sha256(subject.id.encode()).hexdigest()}
    receipt = keeper.ledger.append(build(ERASURE, named, about))
    _remove(home, subject.folder, records, removed)
    return Erased(receipt, subject.id, tuple(sorted(records)), len(removed), len(kept))


def _finish(home: Path, ledger: Ledger) -> None:
    """:func:`finish`, for who is alone in the home."""
    try:
        mark = canonical.loads(_mark(home).read_bytes())
    except FileNotFoundError:
        return
    except IntegrityError:  # cut short by a crash, so that no record was written after it
        mark = {}
    match mark:
        case {"erasure": str(erasure), "folder": str() | None as folder} if ledger.holds(erasure):
            said = ledger.read(ledger.find(erasure))
            removed = set(_texts(said.predicate, "removed"))
            namers = _Namers(ledger, removed)  # a process that was open all the time may have decided since
            namers.go_on()
            _remove(home, folder, _texts(said.predicate, "records"), removed - namers.others({*erased(ledger)}))
        case _:
            with vault.typed():
                vault.wipe(_mark(home))


def _remove(home: Path, folder: str | None, records: Iterable[str], named: Iterable[str]) -> None:
    """Remove what an erasure record lists, then the mark; may be repeated after a crash."""
    vault.destroy(home, folder, records)
    gone = set(named)
    with vault.typed():
        for digest in gone:
            vault.wipe(shelf.artefact(home, digest))
        boxes.wipe(home, gone)
        vault.wipe(_mark(home))


class _Namers:
    """Which decisions name which of some digests; the log is read once, and on from there."""

    def __init__(self, ledger: Ledger, wanted: set[str]) -> None:
        self._ledger = ledger
        self._wanted = {digest.encode() for digest in wanted}
        self._by: dict[str, set[str]] = {digest: set() for digest in wanted}
        self._seen = 0

    def go_on(self) -> None:
        """Read what was appended since."""
        for entry in self._ledger.entries(self._seen):
            payload = dsse.parse_unverified(entry.envelope).payload
            found = self._wanted.intersection(_DIGEST.findall(payload))
            if found:
                said = statement.parse(payload)
                if said.predicate_type == DECISION:
                    for digest in found:
                        self._by[digest.decode()].add(said.record_id)
            self._seen = entry.index + 1

    def others(self, gone: set[str]) -> set[str]:
        """The digests that a decision names which is not among those that are gone."""
        return {digest for digest, records in self._by.items() if records - gone}


def _named(keeper: Keeper, records: Iterable[str]) -> set[str]:
    return {digest for found in _named_by(keeper, records).values() for digest in found}


def _named_by(keeper: Keeper, records: Iterable[str]) -> dict[str, set[str]]:
    """By record, the digests it names whose files are here; a record that the log does not hold names none."""
    return {
        record_id: people.artefacts(keeper, keeper.ledger.read(keeper.ledger.find(record_id)).predicate)
        if keeper.ledger.holds(record_id)
        else set()
        for record_id in records
    }


def _said_by(keeper: Keeper, records: Iterable[str]) -> Iterator[str]:
    """Every digest that these records name, whether its file is here or not."""
    for record_id in records:
        if keeper.ledger.holds(record_id):
            yield from digests(keeper.ledger.read(keeper.ledger.find(record_id)).predicate)


def _parts(named: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """The records in lists that fit into one entry of the log each; at least one, if only an empty one."""
    part: list[str] = []
    size = 0
    for record_id, files in named.items():
        more = 32 + 70 * len(files)
        if part and size + more > _MOST_BYTES:
            yield part
            part, size = [], 0
        part.append(record_id)
        size += more
    yield part


def _salted(keeper: Keeper, subject: Subject) -> bool:
    return any(vault.place(keeper.home.folder, None, record_id).exists() for record_id in subject.records)


def _texts(predicate: Mapping[str, Any], name: str) -> list[str]:
    return [str(text) for text in predicate[name]]


def _mark(home: Path) -> Path:
    return home / "vault" / _MARK
