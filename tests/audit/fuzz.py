# SPDX-License-Identifier: Apache-2.0
"""Damaged and made-up inputs for every reader of the log's formats: refused by a typed error, or the only spelling.

``python -m tests.audit.fuzz [--count N] [--seed S] [--write]``; the last puts the result into
``docs/reference/audit-evidence.md``. A reader that accepts bytes must write the same bytes again (a
policy, whose white space is free: the same policy), must raise nothing but an integrity failure, and must be done
within a second. Inputs that break this are printed in hex; then the exit code is 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from radiomicnet_md_audit import (
    anchor,
    bundle,
    canonical,
    checkpoint,
    dsse,
    merkle,
    note,
    proof,
    sign,
    statement,
    testimony,
)
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit.anchor import Anchored
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.cosignature import Cosigner
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.policy import Policy, Span
from radiomicnet_md_audit.testimony import Stamping, Vouched
from tests.audit import evidence_page

T = TypeVar("T")

ORIGIN = "example.org/fuzz"
LONGEST_S = 1.0

# What breaks parsers: delimiters, escapes, numbers at their limits, and bytes that are no text.
_PIECES = (
    *(
        b'"',
        b"\\",
        b"\\u0000",
        b"\\ud800",
        b"{",
        b"}",
        b"[" * 40,
        b"]",
        b":",
        b",",
        b"\n",
        b"\n\n",
        b"\0",
        b" ",
        b"+",
        b"=",
    ),
    *(b"-0", b"0", b"00", b"1.0", b"1e9", b"NaN", b"9007199254740992", b"9" * 5000, b"null", b"true"),
    *("— ".encode(), b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xef\xbb\xbf", b"\r\n"),
)


@dataclass(frozen=True)
class Reader:
    """A parser, the way back, and inputs that it accepts."""

    name: str
    read: Callable[[bytes], object]
    write: Callable[[object], bytes]
    seeds: Sequence[bytes]


def readers() -> list[Reader]:
    """Return every reader of bytes that come from outside."""
    engine, keys = sign.from_seed(bytes([31]) * 32), LogKeys(sign.from_seed(bytes([32]) * 32))
    cosigned = LogKeys(keys.signer, sign.cosigner_from_seed(bytes([33]) * 32))
    policy = Policy(ORIGIN, tuple((key, Span(1, 9)) for key in cosigned.public(ORIGIN)), ((engine.public, Span()),))
    log = {"origin": ORIGIN, "producer": engine.public.keyid, "counter": 7, "monotonic_ns": 1}
    predicate = {"record_id": statement.record_id(bytes(16)), "log": {**log, "time_utc": "2026-01-01T00:00:00.000000Z"}}
    payload = canonical.dumps(statement.build(statement.DECISION, {"input": "0" * 64}, predicate))
    notes = [checkpoint.issue(Checkpoint(ORIGIN, 9, bytes(32)), one, 0) for one in (keys, cosigned)]
    path = tuple(merkle.leaf_hash(bytes([n])) for n in range(4))
    manifest = bundle.Manifest(ORIGIN, 1, "0" * 64, "2026-01-01T00:00:00.000000Z", {"a/b": bundle.Listed("1" * 64, 5)})
    vkeys = [key.vkey().encode() for key in cosigned.public(ORIGIN)]
    witness = Cosigner("witness.example/w1", engine.public)
    pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    believing = replace(policy, witnesses=(witness,), timestamp_authorities=(pem,))
    said = [Vouched(notes[0]), Vouched(notes[1], Stamping(0xA0B0, b"\x30\x00"))]
    return [
        Reader("canonical", canonical.loads, canonical.dumps, [payload, b'{"a":[1,"\xc3\xa9",null],"b":-5}']),
        Reader(
            "envelope",
            dsse.parse_unverified,
            _as(dsse.Unverified, dsse.encode),
            [dsse.seal(payload, dsse.STATEMENT_TYPE, engine), dsse.seal(b"", 'a"\n', engine)],
        ),
        Reader(
            "statement", statement.parse, _as(statement.Statement, lambda s: canonical.dumps(s.document)), [payload]
        ),
        Reader("note", _text(note.parse), _string, [one.encode() for one in notes]),
        Reader(
            "checkpoint",
            _text(checkpoint.parse_unverified),
            lambda both: _string(both[1]),
            [n.encode() for n in notes],  # type: ignore[index]
        ),
        Reader("inclusion", _text(proof.parse_inclusion), _string, [str(proof.Inclusion(5, path, notes[0])).encode()]),
        Reader(
            "consistency", _text(proof.parse_consistency), _string, [str(proof.Consistency(5, path, notes[1])).encode()]
        ),
        Reader("anchor", anchor.parse_line, _as(Anchored, lambda a: a.line()[:-1]), _lines(notes)),
        Reader("vkey", _text(note.NoteKey.from_vkey), _as(note.NoteKey, lambda key: key.vkey().encode()), vkeys),
        Reader("manifest", bundle.parse_manifest, _as(bundle.Manifest, lambda m: m.payload()), [manifest.payload()]),
        Reader("policy", policies.parse, _as(Policy, lambda p: p.to_json()), [policy.to_json(), believing.to_json()]),
        Reader("outside", testimony.parse_line, _as(Vouched, lambda v: v.line()[:-1]), [v.line()[:-1] for v in said]),
    ]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one to three changes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(6):
            case 0 if at < len(changed):
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                del changed[at : at + chance.randint(1, 40)]
            case 2:
                changed[at:at] = chance.choice(_PIECES)
            case 3:
                length = chance.randint(1, 60)
                start = chance.randrange(len(changed) + 1)
                changed[at:at] = changed[start : start + length]
            case 4:
                piece = chance.choice(_PIECES)
                changed[at : at + len(piece)] = piece
            case _:
                changed[at : at + 1] = bytes([chance.randrange(256)])
    return bytes(changed)


def broken(reader: Reader, data: bytes) -> tuple[bool, str | None]:
    """Say whether the reader accepts the bytes, and what is wrong with how it judged them."""
    start = time.process_time()
    try:
        value = reader.read(data)
    except IntegrityError:
        value = None
    except Exception as error:  # noqa: BLE001 -- any other is what this looks for
        return False, f"raises {type(error).__name__}: {error}"
    if time.process_time() - start > LONGEST_S:
        return False, "takes longer than a second"
    if value is None:
        return False, None
    again = reader.write(value)
    same = reader.read(again) == value if reader.name == "policy" else again == data
    return True, None if same else "is not the only spelling"


def run(count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Give ``count`` damaged inputs to the readers in turn; return how many each accepted, and what broke."""
    chance, every = random.Random(seed), readers()  # noqa: S311 -- not a secret
    accepted: Counter[str] = Counter()
    found: list[str] = []
    for number in range(count):
        reader = every[number % len(every)]
        data = damaged(chance.choice(reader.seeds), chance)
        taken, wrong = broken(reader, data)
        accepted[reader.name] += taken
        if wrong is not None:
            found.append(f"{reader.name} {wrong}: {data.hex()}")
    return accepted, found


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """Read text; bytes that are no UTF-8 are none."""

    def checked(data: bytes) -> object:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise IntegrityError("E-TEXT", "Not UTF-8.", remedy="None.") from None
        return read(text)

    return checked


def _string(value: object) -> bytes:
    return str(value).encode()


def _as(kind: type[T], write: Callable[[T], bytes]) -> Callable[[object], bytes]:
    def checked(value: object) -> bytes:
        if not isinstance(value, kind):
            raise TypeError(type(value))
        return write(value)

    return checked


def _lines(notes: Sequence[str]) -> list[bytes]:
    return [Anchored(9, one, "2026-01-01T00:00:00.000000Z").line()[:-1] for one in notes]


def summary(command: str, count: int, accepted: Counter[str], found: list[str], seconds: float) -> str:
    """Return the block of the page of evidence."""
    rows = [f"| {name} | {taken:,} |" for name, taken in sorted(accepted.items())]
    head = f"Written by {command} in {seconds:.0f} s: {count:,} damaged inputs to {len(accepted)} readers in turn."
    law = f"{len(found)} crashed a reader, took longer than {LONGEST_S:g} s, or were taken for a second spelling."
    table = ["| reader | accepted, and written again byte for byte |", "|---|---:|", *rows]
    return "\n".join([head, law, "", *table])


def main() -> int:
    """Run as long as asked; print what was accepted and what broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="inputs (1,000,000)")
    parser.add_argument("--seed", type=int, default=0, help="of the random changes (0)")
    parser.add_argument("--write", action="store_true", help="put the result into docs/reference/audit-evidence.md")
    options = parser.parse_args()
    start = time.monotonic()
    accepted, found = run(options.count, options.seed)
    if options.write:
        said = f"`python -m tests.audit.fuzz --count {options.count} --seed {options.seed} --write`"
        evidence_page.write_block("fuzz", summary(said, options.count, accepted, found, time.monotonic() - start))
    lines = [f"{options.count} inputs; accepted: {dict(accepted)}; broken: {len(found)}", *found[:5]]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
