# SPDX-License-Identifier: Apache-2.0
"""While a log is walked from its first entry to its last, holds every signature against who and what it names.

Rules of this module:

- Of every entry 61 bytes are kept, so that a signature can be held against the record that it names.
- A record of a person that does not hold is a finding and changes nobody; a signature that does not counts as none.
- It takes entries whose form and engine's signature hold; what else is wrong with an entry is found elsewhere.
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter

from radiomicnet_md_audit import esignature, installed, qualification
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.esignature import MEANINGS, QUALIFYING, Signed, Subject
from radiomicnet_md_audit.persons import People
from radiomicnet_md_audit.statement import INSTALLATION, QUALIFICATION, SIGNATURE, Statement, number, record_id

# Digest and record id of what can be signed, its time, the number of its operator and of the meanings it can have.
_ROW = struct.Struct(">32s16s9sI")
_NO_DIGITS = str.maketrans("", "", "-:.TZ")


class Attested:
    """Everyone and every signature of a log, as far as it was walked."""

    def __init__(self) -> None:
        """Begin before the first entry."""
        self.people = People()
        self.wrong = 0
        self._rows = bytearray()
        self._operators: dict[tuple[str, tuple[str, ...]], int] = {}
        self._meanings: Counter[str] = Counter()
        self._signers: set[str] = set()

    def take(self, envelope: bytes, said: Statement | None, origin: str) -> IntegrityError | None:
        """Take the next entry, None for one that says nothing properly; return what does not hold of it."""
        index = len(self._rows) // _ROW.size
        try:
            if said is not None and said.predicate_type == SIGNATURE:
                self._sign(said, origin)
            elif said is not None and said.predicate_type == QUALIFICATION:
                qualification.parse(said)
            elif said is not None and said.predicate_type == INSTALLATION:
                installed.parse(said)
            elif said is not None:
                self.people.take(said, index, origin)
        except IntegrityError as problem:
            self.wrong += 1
            return problem
        finally:
            self._rows += self._row(index, envelope, said)
        return None

    def claim(self) -> tuple[bool, str] | None:
        """Return whether every signature and change of a person holds, and how many there are; None without any."""
        count = self._meanings.total()
        if not (self.wrong or self.people.roster):
            return None
        if self.wrong:
            return False, f"{self.wrong} findings in records of people and signatures; {count} signatures hold."
        listed = (one for one in MEANINGS + QUALIFYING if self._meanings[one])
        said = ", ".join(f"{self._meanings[meaning]} {meaning}" for meaning in listed)
        text = (
            "None."
            if not count
            else (
                f"{count} ({said}), each by an enabled person's own key with a right to sign then, "
                f"on the record that it names; people who signed: {len(self._signers)}."
            )
        )
        unsigned = self.people.unsigned
        if unsigned:
            text += f" People were changed with the keys of the log alone by entries {', '.join(map(str, unsigned))}."
        return True, text

    def _sign(self, said: Statement, origin: str) -> None:
        named = esignature.parse(said)
        person = self.people.roster.get(named.user)
        signature = esignature.check(said, person, self._subject(named.signed.log_index), origin)
        self._meanings[signature.meaning] += 1
        self._signers.add(signature.user)

    def _subject(self, index: int) -> Subject | None:
        """Return the entry at a place, from 1, as something to sign; None where it is no such thing, or comes later."""
        if (index + 1) * _ROW.size > len(self._rows):
            return None
        digest, identity, time, operator = _ROW.unpack_from(self._rows, index * _ROW.size)
        if not any(digest):
            return None
        name, meanings = list(self._operators)[operator]
        return Subject(Signed(record_id(identity), index, digest.hex()), name, _time(time), meanings)

    def _row(self, index: int, envelope: bytes, said: Statement | None) -> bytes:
        about = None if said is None else esignature.subject(index, "", said)
        if about is None:
            return bytes(_ROW.size)
        operator = self._operators.setdefault((about.operator, about.meanings), len(self._operators))
        identity = number(about.signed.record_id).to_bytes(16, "big")
        return _ROW.pack(hashlib.sha256(envelope).digest(), identity, _digits(about.time_utc), operator)


def _digits(time_utc: str) -> bytes:
    """Return the 20 digits of a time in 9 bytes."""
    return int(time_utc.translate(_NO_DIGITS)).to_bytes(9, "big")


def _time(digits: bytes) -> str:
    """Return the time of these digits; the inverse of `_digits`."""
    text = f"{int.from_bytes(digits, 'big'):020d}"
    day, clock = f"{text[:4]}-{text[4:6]}-{text[6:8]}", f"{text[8:10]}:{text[10:12]}:{text[12:14]}"
    return f"{day}T{clock}.{text[14:]}Z"
