# SPDX-License-Identifier: Apache-2.0
"""Checkpoints and proofs, good and mutated, the same ones for each seed, judged by Go's ``sumdb`` and by this verifier.

Rules of this module:

- Whatever Go rejects, this verifier rejects; :data:`WE_ACCEPT` names the one thing that is a matter of definition.
- Where this verifier refuses more, it is by a rule of ``audit/FORMAT.md``: :data:`WE_REFUSE` names each, by the code of
  the refusal. Any other difference is a mistake of one of the two.
"""

from __future__ import annotations

import base64
import os
import random
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radiomicnet_md_audit import checkpoint, merkle, proof, sign
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.encoding import b64encode
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.note import Note, NoteKey, Signature, parse

ORIGIN = "example.org/corpus"
LARGEST = 70
PROGRAM = Path(__file__).with_name("judge.go")

WE_REFUSE = {
    "E-BASE64": "Base64 has one spelling; Go passes over unused bits and over line ends inside.",
    "E-CHECKPOINT-FORM": "A checkpoint is three lines and its size one spelling; Go's reader is told what it needs.",
    "E-NOTE-FORM": "A note has at most 16 signatures, and its names are printable ASCII; Go takes 100, and any letter.",
    "E-PROOF-FORM": "A proof has one spelling, its numbers included.",
    "E-SIGNATURE": "Each line by the log's key must hold; Go looks at the first one.",
    "E-TEXT": "A proof is UTF-8 throughout.",
}
WE_ACCEPT = {
    "from nothing": "Every log goes on from the empty one by a proof without hashes (C2SP tlog-witness); Go has none.",
}


@dataclass(frozen=True)
class Case:
    """Something to judge: its kind, the fields that Go is given after the verifier key, and what was done to it."""

    kind: str
    fields: tuple[bytes, ...]
    done: str


@dataclass
class Agreement:
    """What came of a corpus: how many both accepted and rejected, and each difference by its name."""

    accepted: int = 0
    rejected: int = 0
    we_refuse: Counter[str] = field(default_factory=Counter)
    we_accept: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        return self.accepted + self.rejected + self.we_refuse.total() + self.we_accept.total() + len(self.unexplained)


class Maker:
    """Makes the corpus of a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 -- not a secret
        self.alone = LogKeys(sign.from_seed(bytes([41]) * 32))
        self.cosigner = NoteKey(ORIGIN, sign.cosigner_from_seed(bytes([42]) * 32).public)
        self.key = self.alone.public(ORIGIN)[0]
        self.other = LogKeys(sign.from_seed(bytes([43]) * 32))
        self.entries = [b"entry %d" % n for n in range(LARGEST)]
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.roots = [merkle.Frontier().root()]
        tree = merkle.Frontier()
        for entry in self.entries:
            self.nodes |= {(node.level, node.index): node.hash for node in tree.append(merkle.leaf_hash(entry))}
            self.roots.append(tree.root())
        self.notes = [checkpoint.issue(self._head(size), self.alone, 0) for size in range(LARGEST + 1)]

    def case(self, kind: str) -> Case:
        """Return a good case, or one in which up to two things are mutated."""
        fields = list(getattr(self, f"_{kind}")())
        done = []
        for _ in range(self.chance.choice([0, 1, 1, 1, 2])):
            name, mutate = self.chance.choice(_MUTATIONS)
            at = self.chance.randrange(len(fields))
            if kind == "inclusion" and at == 0:  # the entry: any bytes
                name, mutate = "other entry", lambda _, data: data + b"x"
            fields[at] = mutate(self, fields[at])
            done.append(name)
        return Case(kind, tuple(fields), " and ".join(done) or "good")

    def note(self, size: int) -> str:
        """Return a checkpoint, some by two keys of the log, some with lines of others."""
        match self.chance.randrange(8):
            case 0:  # a line of the size of a post-quantum one; real ones are never the same twice
                line = Signature(ORIGIN, self.cosigner.id, self.chance.randbytes(2428))
                return f"{self.notes[size]}{line}\n"
            case 1:
                return self.with_lines(self.notes[size], self.chance.randint(1, 20))
            case 2 if self.chance.random() < 0.5:
                return checkpoint.issue(self._head(size), self.other, 0)
            case _:
                return self.notes[size]

    def with_lines(self, note: str, count: int) -> str:
        """Return a note with lines of keys that the reader does not know before and after the log's own."""
        taken = parse(note)
        key = self.other.signer
        lines = [Signature(f"w{n}", NoteKey(f"w{n}", key.public).id, key.sign(note.encode())) for n in range(count)]
        place = self.chance.randint(0, count)
        return str(Note(taken.text, (*lines[:place], *taken.signatures, *lines[place:])))

    def signed(self, text: str) -> str:
        """Return any text as a note by the log's key."""
        return str(Note(text, (Signature(ORIGIN, self.key.id, self.alone.signer.sign(text.encode())),)))

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete node."""
        return self.nodes[level, index]

    def _head(self, size: int) -> Checkpoint:
        return Checkpoint(ORIGIN, size, self.roots[size])

    def _note(self) -> tuple[bytes]:
        return (self.note(self.chance.randint(1, LARGEST)).encode(),)

    def _inclusion(self) -> tuple[bytes, bytes]:
        size = self.chance.randint(1, LARGEST)
        index = self.chance.randrange(size)
        path = tuple(merkle.inclusion(self.node, index, size))
        return self.entries[index], str(proof.Inclusion(index, path, self.note(size))).encode()

    def _consistency(self) -> tuple[bytes, bytes]:
        size = self.chance.randint(1, LARGEST)
        old = self.chance.randint(0 if self.chance.random() < 0.05 else 1, size)
        path = tuple(merkle.consistency(self.node, old, size))
        return self.note(old).encode(), str(proof.Consistency(old, path, self.note(size))).encode()


def _flipped(maker: Maker, data: bytes) -> bytes:
    at = maker.chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << maker.chance.randrange(8)]) + data[at + 1 :]


def _cut(maker: Maker, data: bytes) -> bytes:
    at = maker.chance.randrange(len(data))
    return data[:at] + data[at + maker.chance.randint(1, 50) :]


def _inserted(maker: Maker, data: bytes) -> bytes:
    at = maker.chance.randrange(len(data) + 1)
    pieces = (b"\n", b"\r", b" ", b"=", b"A", b"0", b"+", b"\0", "é".encode(), "— ".encode(), b"\n\n", b"\xff")
    return data[:at] + maker.chance.choice(pieces) + data[at:]


def _line(change: Callable[[random.Random, list[bytes]], list[bytes]]) -> Callable[[Maker, bytes], bytes]:
    def mutate(maker: Maker, data: bytes) -> bytes:
        return b"\n".join(change(maker.chance, data.split(b"\n")))

    return mutate


def _doubled(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    at = chance.randrange(len(lines))
    return [*lines[: at + 1], *lines[at:]]


def _dropped(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    at = chance.randrange(len(lines))
    return lines[:at] + lines[at + 1 :]


def _turned(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    at = chance.randrange(len(lines) - 1) if len(lines) > 1 else 0
    return [*lines[:at], *reversed(lines[at : at + 2]), *lines[at + 2 :]]


def _renumbered(maker: Maker, data: bytes) -> bytes:
    numbers = list(re.finditer(rb"(?m)(?<=^index )\d+|(?<=^old )\d+|^\d+$", data))
    if not numbers:
        return data
    found = maker.chance.choice(numbers)
    text = found[0]
    other = maker.chance.choice([b"0" + text, b"+" + text, b"-" + text, b"%d" % (int(text) + 1), b"0", b"9" * 19, b""])
    return data[: found.start()] + other + data[found.end() :]


def _unused_bits(maker: Maker, data: bytes) -> bytes:
    texts = list(re.finditer(rb"[A-Za-z0-9+/](?==\n)", data))
    if not texts:
        return data
    at = maker.chance.choice(texts).start()
    digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return data[:at] + digits[digits.index(data[at]) ^ 1 :][:1] + data[at + 1 :]


def _other_text(maker: Maker, data: bytes) -> bytes:
    """Sign a text that is not quite a checkpoint with the log's key."""
    head, _, rest = data.rpartition(b"\n\n")
    before, _, text = head.rpartition(b"\n\n")
    lines = text.decode("utf-8", "replace").split("\n")
    more = maker.chance.choice(["more", "", "— x", "é"])
    changed = [*lines, more] if maker.chance.random() < 0.5 else [*lines[:1], "0" + "".join(lines[1:2]), *lines[2:]]
    if not rest or not all(changed[:3]):
        return data
    return (before + b"\n\n" if before else b"") + maker.signed("\n".join(changed) + "\n").encode()


def _other_root(maker: Maker, data: bytes) -> bytes:
    root = b64encode(maker.chance.choice(maker.roots)).encode()
    return re.sub(rb"(?m)^[A-Za-z0-9+/]{43}=$", root, data, count=maker.chance.randint(1, 3))


_MUTATIONS: Sequence[tuple[str, Callable[[Maker, bytes], bytes]]] = (
    ("bit flipped", _flipped),
    ("bytes cut", _cut),
    ("piece inserted", _inserted),
    ("line doubled", _line(_doubled)),
    ("line dropped", _line(_dropped)),
    ("lines turned", _line(_turned)),
    ("number changed", _renumbered),
    ("unused bits set", _unused_bits),
    ("other text signed", _other_text),
    ("hash changed", _other_root),
    ("carriage returns", lambda _, data: data.replace(b"\n", b"\r\n", 1)),
)


def make(count: int, seed: int) -> tuple[NoteKey, list[Case]]:
    """Return the log's key and so many cases of a seed, a third of each kind."""
    maker = Maker(seed)
    kinds = ("note", "inclusion", "consistency")
    return maker.key, [maker.case(kinds[number % 3]) for number in range(count)]


def ours(case: Case, key: NoteKey) -> str | None:
    """Return None where this verifier accepts, else the code of the refusal."""
    try:
        texts = [data.decode("utf-8") for data in case.fields[case.kind == "inclusion" :]]
    except UnicodeDecodeError:
        return "E-TEXT"
    try:
        if case.kind == "note":
            checkpoint.open_(texts[0], [key], ORIGIN)
        elif case.kind == "inclusion":
            proof.parse_inclusion(texts[0]).verify(case.fields[0], [key], ORIGIN)
        else:
            proof.parse_consistency(texts[1]).verify(texts[0], [key], ORIGIN)
    except IntegrityError as problem:
        return problem.code
    return None


def build(go: Path, folder: Path) -> Path:
    """Build the judge against Debian's package of golang.org/x/mod."""
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "GOPROXY": "off"}
    environment["GOCACHE"] = os.environ.get("GOCACHE", str(Path.home() / ".cache" / "go-build"))
    command = [str(go), "build", "-o", str(folder / "judge"), str(PROGRAM)]
    subprocess.run(command, cwd=folder, env=environment, check=True)
    return folder / "judge"


def compare(judge: Path, key: NoteKey, cases: Sequence[Case]) -> Agreement:
    """Let both judge every case."""
    vkey = base64.b64encode(key.vkey().encode()).decode()
    lines = [" ".join([case.kind, vkey, *(base64.b64encode(f).decode() for f in case.fields)]) for case in cases]
    done = subprocess.run([str(judge)], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    found = Agreement()
    for case, verdict in zip(cases, said, strict=True):
        code, go_accepts = ours(case, key), verdict == "accept"
        if (code is None) == go_accepts:
            found.accepted += go_accepts
            found.rejected += not go_accepts
        elif code is None and case.kind == "consistency" and case.fields[1].startswith(b"old 0\n"):
            found.we_accept["from nothing"] += 1
        elif code in WE_REFUSE and go_accepts:
            found.we_refuse[code] += 1
        else:
            found.unexplained.append(f"{case.kind}, {case.done}: {code} and {verdict}: {case.fields!r}")
    return found
