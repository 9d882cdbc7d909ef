# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001 -- a script beside its data, not a module
"""Rebuild the vectors beside this file and the worked bytes in ``FORMAT.md``: ``python audit/vectors/build.py``.

Keys come from published seeds and times from a fixed clock, so a second run changes nothing. The one exception is
ML-DSA-44, whose signatures are randomised: a stored one that verifies is kept. Tree hashes are computed here by
the recursive definition of RFC 9162, not by the code under test.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from radiomicnet_md_audit import canonical, checkpoint, dsse, policy, proof, sign, statement
from radiomicnet_md_audit.anchor import Anchored
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.clock import Instant
from radiomicnet_md_audit.cosignature import Cosigner, cosign, with_line
from radiomicnet_md_audit.encoding import b64encode
from radiomicnet_md_audit.errors import Problem
from radiomicnet_md_audit.note import Note, Signature, parse
from radiomicnet_md_audit.policy import Policy, Span
from radiomicnet_md_audit.testimony import Vouched

HERE = Path(__file__).resolve().parent
FORMAT = HERE.parent / "FORMAT.md"

ORIGIN = "example.org/radiomicnet-md/vectors"
WITNESS = "witness.example/w1"
ENGINE_SEED, LOG_SEED, COSIGNER_SEED, OTHER_SEED, WITNESS_SEED = (bytes([n]) * 32 for n in (1, 2, 3, 4, 5))
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

# Leaves that the certificate-transparency project has used for its tree tests since 2012.
CT_LEAVES = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")


def tree_hash(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, as it stands there."""
    if len(leaves) <= 1:
        return hashlib.sha256(b"\0" + leaves[0] if leaves else b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + tree_hash(leaves[:split]) + tree_hash(leaves[split:])).digest()


def inclusion_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 9162 section 2.1.3.1, as it stands there."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*inclusion_path(index, leaves[:split]), tree_hash(leaves[split:])]
    return [*inclusion_path(index - split, leaves[split:]), tree_hash(leaves[:split])]


def consistency_path(old: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 9162 section 2.1.4.1, as it stands there."""
    if old == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= split:
        return [*consistency_path(old, leaves[:split], whole=whole), tree_hash(leaves[split:])]
    return [*consistency_path(old - split, leaves[split:], whole=False), tree_hash(leaves[:split])]


def tree_vectors() -> dict[str, object]:
    """Roots and proofs for all sizes up to 8."""
    leaves = [bytes.fromhex(leaf) for leaf in CT_LEAVES]
    count = len(leaves)
    return {
        "leaves": CT_LEAVES,
        "roots": [tree_hash(leaves[:size]).hex() for size in range(count + 1)],
        "inclusion": [
            {"index": i, "size": n, "path": [h.hex() for h in inclusion_path(i, leaves[:n])]}
            for n in range(1, count + 1)
            for i in range(n)
        ],
        "consistency": [
            {"old": m, "new": n, "path": [h.hex() for h in consistency_path(m, leaves[:n])]}
            for n in range(1, count + 1)
            for m in range(1, n + 1)
        ],
    }


def canonical_vectors() -> dict[str, object]:
    """Byte strings that are canonical, and near misses that are not."""
    accept = [
        "null",
        "true",
        "0",
        "-9007199254740991",
        '""',
        "[]",
        "{}",
        '{"a":[1,{"b":null}],"é":"ß"}',
        '"\\u0000\\b\\t\\n\\f\\r\\"\\\\/\u007f"',
        # RFC 8785 section 3.2.3: keys sort by UTF-16 code units, so U+1F600 (D83D DE00) stands before U+FB33.
        '{"\\r":1,"1":2,"\u0080":3,"ö":4,"€":5,"😀":6,"\ufb33":7}',
    ]
    reject = {
        "white space": b'{"a": 1}',
        "keys out of order": b'{"b":1,"a":2}',
        "a repeated key": b'{"a":1,"a":1}',
        "a fraction": b"1.5",
        "an integral float": b"1.0",
        "an exponent": b"1e3",
        "minus zero": b"-0",
        "a leading zero": b"01",
        "2**53": b"9007199254740992",
        "NaN": b"NaN",
        "an escape that is not needed": b'"\\u0041"',
        "an escaped slash": b'"\\/"',
        "a long escape for a newline": b'"\\u000a"',
        "an upper-case escape": b'"\\u001F"',
        "a raw control character": b'"\x01"',
        "a lone surrogate": b'"\\ud800"',
        "invalid UTF-8": b'"\xff"',
        "a byte order mark": b"\xef\xbb\xbf1",
        "UTF-16": "1".encode("utf-16"),
        "something after the value": b"1\n",
        "nothing": b"",
        "33 levels": b"[" * 34 + b"]" * 34,
        "a million levels": b"[" * 1000,
    }
    return {"accept": accept, "reject": [{"name": name, "hex": data.hex()} for name, data in reject.items()]}


def envelope_vectors() -> dict[str, object]:
    """One envelope, and second spellings of it that a lax reader would accept."""
    key = sign.from_seed(ENGINE_SEED)
    good = dsse.seal(b'{"n":1}', dsse.STATEMENT_TYPE, key)
    parts = dsse.parse_unverified(good)
    document = json.loads(good)
    signature = document["signatures"][0]

    def changed(**changes: object) -> str:
        return canonical.dumps({**document, **changes}).decode()

    flipped = bytes([parts.signature[0] ^ 1]) + parts.signature[1:]
    foreign = dsse.seal(b'{"n":1}', dsse.STATEMENT_TYPE, sign.from_seed(OTHER_SEED)).decode()
    reject = {
        "white space": (json.dumps(document), "E-CANONICAL-BYTES"),
        "a newline after it": (good.decode() + "\n", "E-CANONICAL-BYTES"),
        "an added member": (changed(extra=1), "E-ENVELOPE-FORM"),
        "no signature": (changed(signatures=[]), "E-ENVELOPE-FORM"),
        "two signatures": (changed(signatures=[signature, signature]), "E-ENVELOPE-FORM"),
        "no key id": (changed(signatures=[{"sig": signature["sig"]}]), "E-ENVELOPE-FORM"),
        "an added signature member": (changed(signatures=[{**signature, "cert": ""}]), "E-ENVELOPE-FORM"),
        "another key's id": (
            changed(signatures=[{**signature, "keyid": sign.from_seed(OTHER_SEED).public.keyid}]),
            "E-KEY-UNKNOWN",
        ),
        "a key id in capitals": (
            changed(signatures=[{**signature, "keyid": parts.keyid.upper()}]),
            "E-KEY-UNKNOWN",
        ),
        "base64 without padding": (
            changed(signatures=[{**signature, "sig": signature["sig"].rstrip("=")}]),
            "E-BASE64",
        ),
        "base64 with unused bits": (changed(payload="eyJuIjoxfR=="), "E-BASE64"),
        "base64 of the URL alphabet": (changed(payload="_-8="), "E-BASE64"),
        "base64 with a line break": (changed(payload="eyJu\nIjoxfQ=="), "E-BASE64"),
        "another payload": (changed(payload=b64encode(b'{"n":2}')), "E-SIGNATURE"),
        "another payload type": (changed(payloadType="application/json"), "E-ENVELOPE-TYPE"),
        "one bit of the signature": (
            changed(signatures=[{**signature, "sig": b64encode(flipped)}]),
            "E-SIGNATURE",
        ),
        "an unknown key": (foreign, "E-KEY-UNKNOWN"),
    }
    return {
        "ed25519": key.public.raw.hex(),
        "payload_type": dsse.STATEMENT_TYPE,
        "accept": [{"envelope": good.decode(), "payload": parts.payload.decode()}],
        "reject": [{"name": name, "envelope": text, "code": code} for name, (text, code) in reject.items()],
    }


def checkpoint_vectors(note: str) -> dict[str, object]:
    """A checkpoint signed twice over, and what must be refused."""
    keys = _log_keys().public(ORIGIN)
    ed25519, mldsa = note.splitlines()[4:]
    root = note.splitlines()[2]
    other = checkpoint.issue(Checkpoint(ORIGIN, 3, bytes(32)), LogKeys(sign.from_seed(OTHER_SEED)), 0)
    elsewhere = checkpoint.issue(Checkpoint("example.org/other", 3, bytes(32)), LogKeys(sign.from_seed(LOG_SEED)), 0)
    late = mldsa.replace(mldsa.split(" ")[2][:16], mldsa.split(" ")[2][:15] + "B")
    reject = {
        "another root": (note.replace(root, b64encode(bytes(32))), "E-SIGNATURE"),
        "another size": (note.replace("\n3\n", "\n4\n"), "E-SIGNATURE"),
        "a size with a leading zero": (note.replace("\n3\n", "\n03\n"), "E-CHECKPOINT-FORM"),
        "an extension line": (note.replace(root + "\n", root + "\nmore\n"), "E-CHECKPOINT-FORM"),
        "no blank line": (note.replace("\n\n", "\n"), "E-NOTE-FORM"),
        "no newline at the end": (note[:-1], "E-NOTE-FORM"),
        "a carriage return": (note.replace("\n3\n", "\n3\r\n"), "E-NOTE-FORM"),
        "a hyphen for the dash": (note.replace("—", "-"), "E-NOTE-FORM"),
        "two spaces": (note.replace("— ", "—  "), "E-NOTE-FORM"),
        "only the Ed25519 line": (note.replace(mldsa + "\n", ""), "E-CHECKPOINT-UNSIGNED"),
        "only the ML-DSA-44 line": (note.replace(ed25519 + "\n", ""), "E-CHECKPOINT-UNSIGNED"),
        "another time in the cosignature": (note.replace(mldsa, late), "E-SIGNATURE"),
        "an unknown key": (other, "E-CHECKPOINT-UNSIGNED"),
        "another log": (elsewhere, "E-ORIGIN"),
        "seventeen signatures": (note + (ed25519 + "\n") * 15, "E-NOTE-FORM"),
    }
    return {
        "origin": ORIGIN,
        "vkeys": [key.vkey() for key in keys],
        "accept": [{"note": note, "size": 3, "root": root}],
        "reject": [{"name": name, "note": text, "code": code} for name, (text, code) in reject.items()],
    }


def outside_vectors(notes: list[str]) -> dict[str, object]:
    """Statements about the log of ``log.json`` in its first two or all three entries, true and not."""
    key, log = sign.from_seed(WITNESS_SEED), LogKeys(sign.from_seed(LOG_SEED))
    other = sign.from_seed(OTHER_SEED)
    seconds, wrong = int(START.timestamp()) + 60, Checkpoint(ORIGIN, 2, bytes(32))

    def seen(note: str, by: sign.SigningKey = key, name: str = WITNESS) -> str:
        return with_line(note, cosign(checkpoint.parse_unverified(note)[0], name, by, seconds))

    def said(size: int, root: bytes = bytes(32), origin: str = ORIGIN, keys: LogKeys = log) -> str:
        return seen(checkpoint.issue(Checkpoint(origin, size, root), keys, 0))

    parsed = parse(notes[1])
    first = seen(str(Note(parsed.text, parsed.signatures[:1])))
    lifted = with_line(notes[1], parse(seen(notes[2])).signatures[-1])
    short = with_line(notes[1], Signature(WITNESS, Cosigner(WITNESS, key.public).id, bytes(71)))
    cases = {
        "the newest checkpoint": (seen(notes[2]), True, ""),
        "an older one": (seen(notes[1]), True, ""),
        "with the Ed25519 line of the log alone": (first, True, ""),
        "by a key that the policy does not name": (seen(notes[1], other), None, ""),
        "by a name that the policy does not name": (seen(notes[1], name="other"), None, ""),
        "by nobody": (notes[1], None, ""),
        "another root": (said(2), False, "E-WITNESS-DIFFERS"),
        "more entries": (said(4), False, "E-WITNESS-LEADS"),
        "another root, by nobody": (checkpoint.issue(wrong, log, 0), False, "E-CHECKPOINT-DIFFERS"),
        "another log": (said(2, origin="example.org/other"), False, "E-ORIGIN"),
        "not signed by the log": (said(2, keys=LogKeys(other)), False, "E-CHECKPOINT-UNSIGNED"),
        "a cosignature of another size": (lifted, False, "E-SIGNATURE"),
        "a cosignature cut short": (short, False, "E-COSIGNATURE-FORM"),
    }
    return {
        "witness": Cosigner(WITNESS, key.public).vkey(),
        "seed": WITNESS_SEED.hex(),
        "lines": [
            {"name": name, "line": Vouched(note).line().decode(), "claim": claim, "code": code}
            for name, (note, claim, code) in cases.items()
        ],
    }


def log_vector() -> dict[str, object]:
    """A whole log of three entries: everything that is stored, anchored and exported of it."""
    engine, keys = sign.from_seed(ENGINE_SEED), _log_keys()
    public = keys.public(ORIGIN)
    record_ids = [statement.record_id(bytes([n]) * 16) for n in range(3)]
    vkey_digest = hashlib.sha256(public[0].vkey().encode()).hexdigest()
    genesis = policy.genesis_predicate(ORIGIN, public, engine.public)
    drafts = [
        statement.build(statement.GENESIS, {ORIGIN: vkey_digest}, {"record_id": record_ids[0], **genesis}),
        _decision(record_ids[1], {"state": "RESULT", "request_id": "request-1", "entropy": (0.1).hex()}),
        _decision(record_ids[2], {"state": "ERROR", "request_id": "request-2"}),
    ]
    envelopes: list[bytes] = []
    notes: list[str] = []
    times: list[str] = []
    for counter, draft in enumerate(drafts):
        moment = Instant(START + timedelta(seconds=counter), 1_000_000_000 * (counter + 1))
        log = {
            "origin": ORIGIN,
            "producer": engine.public.keyid,
            "counter": counter,
            "time_utc": moment.text(),
            "monotonic_ns": moment.monotonic_ns,
        }
        predicate = draft["predicate"]
        assert isinstance(predicate, dict)  # noqa: S101 -- build() made it a dict two lines above
        payload = canonical.dumps({**draft, "predicate": {**predicate, "log": log}})
        envelopes.append(dsse.seal(payload, dsse.STATEMENT_TYPE, engine))
        notes.append(_issued(Checkpoint(ORIGIN, counter + 1, tree_hash(envelopes)), keys, moment))
        times.append(moment.text())
    trusted = Policy(ORIGIN, tuple((key, Span()) for key in public), ((engine.public, Span()),))
    inclusion = proof.Inclusion(1, tuple(inclusion_path(1, envelopes)), notes[-1])
    consistency = proof.Consistency(2, tuple(consistency_path(2, envelopes)), notes[-1])
    return {
        "seeds": {"engine": ENGINE_SEED.hex(), "log": LOG_SEED.hex(), "cosigner": COSIGNER_SEED.hex()},
        "entries": [envelope.decode() for envelope in envelopes],
        "leaf_hashes": [hashlib.sha256(b"\0" + envelope).hexdigest() for envelope in envelopes],
        "checkpoints": notes,
        "anchor": "".join(
            Anchored(size, note, time).line().decode()
            for size, (note, time) in enumerate(zip(notes, times, strict=True), 1)
        ),
        "policy": trusted.to_json().decode(),
        "inclusion_of_1": str(inclusion),
        "consistency_from_2": str(consistency),
    }


def _decision(identity: str, more: dict[str, object]) -> dict[str, object]:
    subject = {"input": hashlib.sha256(b"input").hexdigest()}
    return statement.build(statement.DECISION, subject, {"record_id": identity, **more})


def _log_keys() -> LogKeys:
    return LogKeys(sign.from_seed(LOG_SEED), sign.cosigner_from_seed(COSIGNER_SEED))


def _issued(head: Checkpoint, keys: LogKeys, moment: Instant) -> str:
    """Return the stored note for this checkpoint if it still verifies, else a fresh one."""
    fresh = checkpoint.issue(head, keys, moment.posix_seconds())
    path = HERE / "log.json"
    stored = json.loads(path.read_text(encoding="utf-8"))["checkpoints"] if path.exists() else []
    for note in stored:
        try:
            if checkpoint.open_(note, keys.public(ORIGIN), ORIGIN) == head and _steady(note) == _steady(fresh):
                return str(note)
        except Problem:
            continue
    return fresh


def _steady(note: str) -> tuple[list[str], str]:
    """Return what does not change from one signing to the next: all but the ML-DSA-44 signature after its time."""
    *lines, mldsa = note.splitlines()
    return lines, mldsa.split(" ")[2][:16]


def worked(log: dict[str, object], outside: dict[str, object]) -> dict[str, str]:
    """Return the worked bytes that FORMAT.md shows, by the name of their place."""
    entries, notes = log["entries"], log["checkpoints"]
    assert isinstance(entries, list)  # noqa: S101 -- log_vector() made it a list
    assert isinstance(notes, list)  # noqa: S101 -- (the same)
    payload = dsse.parse_unverified(entries[1].encode()).payload
    signed = dsse.pae(dsse.STATEMENT_TYPE, payload)
    note = notes[-1]
    lines = outside["lines"]
    assert isinstance(lines, list)  # noqa: S101 -- outside_vectors() made it a list
    witnessed = canonical.loads(lines[0]["line"].removesuffix("\n").encode())
    assert isinstance(witnessed, dict)  # noqa: S101 -- Vouched.line() made it an object
    return {
        "witness": str(outside["witness"]),
        "witnessed": _shortened(str(witnessed["checkpoint"])),
        "payload": payload.decode(),
        "envelope": entries[1],
        "pae": signed[:60].decode() + "…",
        "leaf": "\n".join(log["leaf_hashes"]),  # type: ignore[arg-type]
        "checkpoint": _shortened(note),
        "vkey": _log_keys().public(ORIGIN)[0].vkey(),
        "cosigned": checkpoint.cosigned_message(
            ORIGIN, int(START.timestamp()) + 2, checkpoint.parse_unverified(note)[0]
        ).hex(),
        "inclusion": _shortened(str(log["inclusion_of_1"])),
        "consistency": _shortened(str(log["consistency_from_2"])),
        "anchor": str(log["anchor"]).splitlines()[0][:90] + "…",
        "policy": re.sub(r"(\+B[A-Za-z0-9+/]{40})[A-Za-z0-9+/=]{100,}", r"\1…", str(log["policy"])),
    }


def _shortened(text: str) -> str:
    return "\n".join(line if len(line) < 200 else line[:110] + "… (3,308 characters)" for line in text.splitlines())  # noqa: PLR2004


def main() -> None:
    """Write every file."""
    log = log_vector()
    notes = log["checkpoints"]
    assert isinstance(notes, list)  # noqa: S101 -- log_vector() made it a list
    files = {
        "tree": tree_vectors(),
        "canonical": canonical_vectors(),
        "envelope": envelope_vectors(),
        "checkpoint": checkpoint_vectors(notes[-1]),
        "log": log,
        "outside": (outside := outside_vectors(notes)),
    }
    for name, document in files.items():
        text = json.dumps(document, indent=1, ensure_ascii=True)
        (HERE / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    text = FORMAT.read_text(encoding="utf-8")
    for name, value in worked(log, outside).items():
        pattern = re.compile(rf"(<!-- worked: {name} -->\n```\w*\n).*?(```\n)", re.DOTALL)
        text, count = pattern.subn(lambda match, value=value: match[1] + value.strip("\n") + "\n" + match[2], text)
        if count != 1:
            sys.exit(f"FORMAT.md has {count} places for {name}")
    FORMAT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
