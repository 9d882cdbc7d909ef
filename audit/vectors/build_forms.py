# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001 -- a script beside its data, not a module
"""Rebuild the vectors of proofs, records, policies, anchors and manifests: ``python audit/vectors/build_forms.py``.

Each file has what a verifier must accept and what it must refuse, each refusal with its reason in words and the code
that the project's own verifier gives. Checkpoints are signed by Ed25519 alone, so that a case fits on a screen. Keys
come from the published seeds of ``build.py`` and times from its clock; a second run changes nothing.
"""

from __future__ import annotations

import json
import runpy
from datetime import timedelta
from pathlib import Path
from typing import Any

from radiomicnet_md_audit import bundle, canonical, checkpoint, dsse, proof, sign, statement
from radiomicnet_md_audit.anchor import Anchored
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.clock import Instant
from radiomicnet_md_audit.encoding import b64encode
from radiomicnet_md_audit.policy import Policy, Span

HERE = Path(__file__).resolve().parent
_BUILD = runpy.run_path(str(HERE / "build.py"))
CT_LEAVES, LOG_SEED, ORIGIN, OTHER_SEED, START = (
    _BUILD[name] for name in ("CT_LEAVES", "LOG_SEED", "ORIGIN", "OTHER_SEED", "START")
)
consistency_path, inclusion_path, tree_hash = (
    _BUILD[name] for name in ("consistency_path", "inclusion_path", "tree_hash")
)
LEAVES = [bytes.fromhex(leaf) for leaf in CT_LEAVES]
KEYS = LogKeys(sign.from_seed(LOG_SEED))
ENGINE, OTHER = sign.from_seed(b"\1" * 32).public, sign.from_seed(OTHER_SEED).public
SIZE = 7  # a tree with an edge, so that paths have different lengths
TIME = Instant(START, 1).text()

Cases = dict[str, tuple[Any, str]]


def note(size: int = SIZE, keys: LogKeys = KEYS, origin: str = ORIGIN, root: bytes | None = None) -> str:
    """The checkpoint of so many of the leaves."""
    head = Checkpoint(origin, size, tree_hash(LEAVES[:size]) if root is None else root)
    return checkpoint.issue(head, keys, 0)


def inclusion_vectors() -> dict[str, object]:
    """Each leaf of a tree of seven, and proofs that prove nothing."""
    texts = [str(proof.Inclusion(n, tuple(inclusion_path(n, LEAVES[:SIZE])), note())) for n in range(SIZE)]
    good, path = texts[3], inclusion_path(3, LEAVES[:SIZE])
    first, second = map(b64encode, path[:2])
    other = LogKeys(sign.from_seed(OTHER_SEED))

    def with_path(*hashes: bytes) -> str:
        return str(proof.Inclusion(3, hashes, note()))

    cases: Cases = {
        "another leaf's proof": (texts[2], "E-PROOF-INCLUSION"),
        "a hash of zeros": (with_path(bytes(32), *path[1:]), "E-PROOF-INCLUSION"),
        "two hashes exchanged": (with_path(path[1], path[0], *path[2:]), "E-PROOF-INCLUSION"),
        "a hash too few": (with_path(*path[:-1]), "E-PROOF-INCLUSION"),
        "a hash too many": (with_path(*path, bytes(32)), "E-PROOF-INCLUSION"),
        "an index that the tree does not have": (good.replace("index 3", "index 7"), "E-PROOF-INCLUSION"),
        "under the checkpoint of another size": (good.replace(note(), note(6)), "E-PROOF-INCLUSION"),
        "under a checkpoint that nobody signed": (good.replace("\n7\n", "\n8\n"), "E-SIGNATURE"),
        "under a checkpoint by another key": (good.replace(note(), note(keys=other)), "E-CHECKPOINT-UNSIGNED"),
        "under a checkpoint of another log": (good.replace(note(), note(origin="example.org/other")), "E-ORIGIN"),
        "another version": (good.replace("@v1", "@v2"), "E-PROOF-FORM"),
        "an extra line": (good.replace("index 3", "extra AAAA\nindex 3"), "E-PROOF-FORM"),
        "an index with a leading zero": (good.replace("index 3", "index 03"), "E-PROOF-FORM"),
        "a negative index": (good.replace("index 3", "index -3"), "E-PROOF-FORM"),
        "an index of twenty digits": (good.replace("index 3", f"index {10**19}"), "E-PROOF-FORM"),
        "the first line of a consistency proof": (good.replace("index 3", "old 3"), "E-PROOF-FORM"),
        "a hash of 31 bytes": (good.replace(first, b64encode(bytes(31))), "E-PROOF-FORM"),
        "64 hashes": (good.replace(first, "\n".join([first] * 62)), "E-PROOF-FORM"),
        "base64 without padding": (good.replace(second, second.rstrip("=")), "E-BASE64"),
        "a carriage return": (good.replace("index 3\n", "index 3\r\n"), "E-PROOF-FORM"),
        "nothing": ("", "E-PROOF-FORM"),
        "no checkpoint": (good.partition("\n\n")[0], "E-PROOF-FORM"),
    }
    accept = [{"leaf": CT_LEAVES[n], "index": n, "proof": text} for n, text in enumerate(texts)]
    reject = [{"name": name, "leaf": CT_LEAVES[3], "proof": text, "code": code} for name, (text, code) in cases.items()]
    return {**_log(), "accept": accept, "reject": reject}


def consistency_vectors() -> dict[str, object]:
    """From each size to seven, and proofs that prove nothing."""

    def text(old: int, *, path: list[bytes] | None = None, under: str = "") -> str:
        hashes = consistency_path(old, LEAVES[:SIZE]) if path is None else path
        return str(proof.Consistency(old, tuple(hashes), under or note()))

    path = consistency_path(3, LEAVES[:SIZE])
    forked = tree_hash([*LEAVES[:2], b"another leaf", *LEAVES[3:SIZE]])
    cases: Cases = {
        "the old checkpoint of another size": ((4, text(3)), "E-PROOF-FORM"),
        "a hash of zeros": ((3, text(3, path=[bytes(32), *path[1:]])), "E-PROOF-CONSISTENCY"),
        "a hash too few": ((3, text(3, path=path[:-1])), "E-PROOF-CONSISTENCY"),
        "a hash too many": ((3, text(3, path=[*path, bytes(32)])), "E-PROOF-CONSISTENCY"),
        "no hash": ((3, text(3, path=[])), "E-PROOF-CONSISTENCY"),
        "a hash where the sizes are the same": ((7, text(7, path=[bytes(32)])), "E-PROOF-CONSISTENCY"),
        "a tree that was rewritten": ((3, text(3, under=note(root=forked))), "E-PROOF-CONSISTENCY"),
        "from a larger tree to a smaller one": ((7, text(7, path=[], under=note(6))), "E-PROOF-CONSISTENCY"),
        "under a checkpoint that nobody signed": ((3, text(3).replace("\n7\n", "\n8\n")), "E-SIGNATURE"),
        "an old size with a leading zero": ((3, text(3).replace("old 3", "old 03")), "E-PROOF-FORM"),
        "the first line of an inclusion proof": ((3, text(3).replace("old 3", "index 3")), "E-PROOF-FORM"),
        "a header": ((3, f"{proof.HEADER}\n{text(3)}"), "E-PROOF-FORM"),
        "nothing": ((3, ""), "E-PROOF-FORM"),
    }
    accept = [{"old": note(old), "proof": text(old)} for old in range(1, SIZE + 1)]
    reject = [
        {"name": name, "old": note(old), "proof": given, "code": code} for name, ((old, given), code) in cases.items()
    ]
    return {**_log(), "accept": accept, "reject": reject}


def record_vectors() -> dict[str, object]:
    """The payload of one record, and payloads that are none."""
    about = {"record_id": statement.record_id(b"\1" * 16), "state": "ERROR", "request_id": "request-1"}
    log = {"origin": ORIGIN, "producer": ENGINE.keyid, "counter": 1, "time_utc": TIME, "monotonic_ns": 2_000_000_000}
    draft: Any = statement.build(statement.DECISION, {"input": "1" * 64}, {**about, "log": log})

    def of(**changes: object) -> str:
        return canonical.dumps({**draft, **changes}).decode()

    def predicate(**changes: object) -> str:
        return of(predicate={**draft["predicate"], **changes})

    def logged(**changes: object) -> str:
        return predicate(log={**log, **changes})

    subject = draft["subject"][0]
    without = {name: value for name, value in draft["predicate"].items() if name != "log"}
    form = "E-STATEMENT-FORM"
    cases: Cases = {
        "another statement type": (of(_type="https://in-toto.io/Statement/v0.1"), form),
        "an added member": (of(extra=1), form),
        "no subject": (of(subject=[]), form),
        "a subject without name": (of(subject=[{**subject, "name": ""}]), form),
        "a subject with an added digest": (of(subject=[{**subject, "digest": {**subject["digest"], "md5": ""}}]), form),
        "a digest in capitals": (of(subject=[{**subject, "digest": {"sha256": "A" * 64}}]), form),
        "a record id in capitals": (predicate(record_id=about["record_id"].upper()), form),
        "a record id of 25 characters": (predicate(record_id=about["record_id"][1:]), form),
        "a record id beyond 128 bits": (predicate(record_id="8" + about["record_id"][1:]), form),
        "no part of the log": (of(predicate=without), form),
        "a member more in the part of the log": (logged(more=1), form),
        "a negative counter": (logged(counter=-1), form),
        "a counter that is true": (logged(counter=True), form),
        "a counter as text": (logged(counter="1"), form),
        "a time without microseconds": (logged(time_utc="2026-01-02T03:04:05Z"), form),
        "a time of another zone": (logged(time_utc="2026-01-02T03:04:05.678901+00:00"), form),
        "an array": ("[]", form),
        "white space": (json.dumps(draft), "E-CANONICAL-BYTES"),
    }
    return {"accept": [{"payload": of(), "record_id": about["record_id"]}], "reject": _named("payload", cases)}


def policy_vectors() -> dict[str, object]:
    """Policies of one log, and files that are none."""
    log_key, engine_key = KEYS.public(ORIGIN)[0], ENGINE
    whole = Policy(ORIGIN, ((log_key, Span()),), ((engine_key, Span(1, 4)), (OTHER, Span(4))))
    document: Any = json.loads(whole.to_json())
    log, engine = document["log_keys"][0], document["engine_keys"][0]

    def of(**changes: object) -> str:
        return json.dumps({**document, **changes})

    def of_log(**changes: object) -> str:
        return of(log_keys=[{**log, **changes}])

    def of_engine(**changes: object) -> str:
        return of(engine_keys=[{**engine, **changes}])

    elsewhere = KEYS.public("example.org/other")[0].vkey()
    cases: Cases = {
        "nothing": ("", "E-POLICY"),
        "no JSON": ("{", "E-POLICY"),
        "an array": ("[]", "E-POLICY"),
        "another version": (of(format="radiomicnet-md-policy/2"), "E-POLICY"),
        "an unknown member": (of(more=1), "E-POLICY"),
        "a missing member": (json.dumps({k: v for k, v in document.items() if k != "origin"}), "E-POLICY"),
        "a repeated member": (of()[:-1] + ',"origin":"example.org/other"}', "E-POLICY"),
        "NaN": (of_log(from_size=float("nan")), "E-POLICY"),
        "a lone surrogate": (of(origin="\ud800"), "E-POLICY"),
        "an origin with a space": (of(origin="a b"), "E-POLICY"),
        "no log key": (of(log_keys=[]), "E-POLICY"),
        "no engine key": (of(engine_keys=[]), "E-POLICY"),
        "a log key of another log": (of_log(vkey=elsewhere), "E-POLICY"),
        "a log key whose id is another's": (of_log(vkey=log["vkey"].replace("+9", "+8")), "E-NOTE-VKEY"),
        "a log key of an unknown type": (of_log(vkey=f"{ORIGIN}+00000000+AAAA"), "E-NOTE-VKEY"),
        "a log key in base64 of the URL alphabet": (of_log(vkey=f"{ORIGIN}+00000000+_-8="), "E-BASE64"),
        "a key id that is not the key's": (of_engine(keyid="0" * 64), "E-POLICY"),
        "a key in capitals": (of_engine(ed25519=engine["ed25519"].upper()), "E-POLICY"),
        "valid from size 0": (of_log(from_size=0), "E-POLICY"),
        "valid from a half": (of_log(from_size=1.5), "E-POLICY"),
        "valid from true": (of_log(from_size=True), "E-POLICY"),
        "valid until before it begins": (of_engine(from_size=4, until_size=4), "E-POLICY"),
        "stolen, and valid without end": (of_log(compromised_from_size=3), "E-POLICY"),
        "stolen before it was valid": (of_engine(from_size=3, until_size=9, compromised_from_size=2), "E-POLICY"),
        "stolen after it ended": (of_engine(until_size=4, compromised_from_size=4), "E-POLICY"),
        "a member more in a key": (of_engine(comment="mine"), "E-POLICY"),
        "no until_size": (of(engine_keys=[{k: v for k, v in engine.items() if k != "until_size"}]), "E-POLICY"),
        "a byte order mark": ("\ufeff" + of(), "E-POLICY"),
    }
    suspected = of(log_keys=[{**log, "until_size": 9, "compromised_from_size": 3}])
    accept = [
        {"policy": text, "origin": ORIGIN, "engine_keys_at_3": [ENGINE.keyid], "engine_keys_at_4": [OTHER.keyid]}
        for text in (
            whole.to_json().decode(),
            json.dumps(document, sort_keys=True),
            f"\n{json.dumps(document)}\t",
            suspected,
        )
    ]
    return {"accept": accept, "reject": _named("policy", cases)}


def anchor_vectors() -> dict[str, object]:
    """An anchor of seven lines, and files that no log writes."""
    lines = [
        Anchored(size, note(size), Instant(START + timedelta(seconds=size), size).text()).line().decode()
        for size in range(1, SIZE + 1)
    ]
    document = json.loads(lines[0])

    def of(**changes: object) -> str:
        return canonical.dumps({**document, **changes}).decode() + "\n"

    cases: Cases = {
        "nothing": ("", "E-ANCHOR-FORM"),
        "an unfinished line": ("".join(lines)[:-1], "E-ANCHOR-FORM"),
        "a line twice": (lines[0] * 2, "E-ANCHOR-FORM"),
        "lines out of order": (lines[1] + lines[0], "E-ANCHOR-FORM"),
        "an unknown member": (of(more=1), "E-ANCHOR-FORM"),
        "a missing member": (canonical.dumps({"checkpoint": document["checkpoint"]}).decode() + "\n", "E-ANCHOR-FORM"),
        "a place that is a number": (of(place=1), "E-ANCHOR-FORM"),
        "a checkpoint that is none": (of(checkpoint="no note"), "E-NOTE-FORM"),
        "a checkpoint with a line more": (
            of(checkpoint=document["checkpoint"].replace("\n1\n", "\n1\nmore\n")),
            "E-CHECKPOINT-FORM",
        ),
        "white space": (json.dumps(document) + "\n", "E-CANONICAL-BYTES"),
        "a carriage return": (lines[0].replace("\n", "\r\n"), "E-CANONICAL-BYTES"),
        "an empty line": (lines[0] + "\n", "E-CANONICAL-BYTES"),
    }
    return {**_log(), "accept": [{"anchor": "".join(lines), "size": SIZE}], "reject": _named("anchor", cases)}


def manifest_vectors() -> dict[str, object]:
    """The signed list of an export, and lists that are none."""
    files = {"entries.jsonl": bundle.Listed("1" * 64, 9), "tile/0/000.p/1": bundle.Listed("2" * 64, 32)}
    good = bundle.Manifest(ORIGIN, 1, "3" * 64, TIME, files).payload()
    document: Any = json.loads(good)

    def of(**changes: object) -> str:
        return canonical.dumps({**document, **changes}).decode()

    def listing(path: str) -> tuple[str, str]:
        return of(files={**document["files"], path: {"sha256": "4" * 64, "size": 1}}), "E-MANIFEST"

    paths = {
        "a path that leads out": "../escaped",
        "a path that leads out later": "tile/../../escaped",
        "an absolute path": "/etc/passwd",
        "a path of Windows": "tile\\0",
        "a drive of Windows": "C:escaped",
        "a hidden file": "tile/.hidden",
        "an empty component": "tile//0",
        "a folder": "tile/",
        "an empty path": "",
        "a name with a space": "a b",
        "a name that is not ASCII": "ä",
        "itself": "manifest.json",
    }
    cases: Cases = {
        **{name: listing(path) for name, path in paths.items()},
        "another version": (of(format="radiomicnet-md-export/3"), "E-MANIFEST"),
        "an unknown member": (of(more=1), "E-MANIFEST"),
        "a size as text": (of(size="1"), "E-MANIFEST"),
        "a file without its size": (of(files={"a": {"sha256": "4" * 64}}), "E-MANIFEST"),
        "a file with a member more": (of(files={"a": {"sha256": "4" * 64, "size": 1, "mode": 1}}), "E-MANIFEST"),
        "files as a list": (of(files=[]), "E-MANIFEST"),
        "a repeated member": (good.decode()[:-1] + ',"size":1}', "E-CANONICAL-BYTES"),
        "white space": (json.dumps(document), "E-CANONICAL-BYTES"),
    }
    old = of(format=bundle.WITH_PROOFS, files={"proofs/000000000000.tlog-proof": {"sha256": "2" * 64, "size": 5}})
    accept = [
        {"envelope": dsse.seal(payload.encode(), bundle.MANIFEST_TYPE, KEYS.signer).decode(), "payload": payload}
        for payload in (good.decode(), old)
    ]
    about = {"ed25519": KEYS.signer.public.raw.hex(), "payload_type": bundle.MANIFEST_TYPE}
    return {**about, "accept": accept, "reject": _named("payload", cases)}


def _log() -> dict[str, object]:
    return {"origin": ORIGIN, "vkeys": [key.vkey() for key in KEYS.public(ORIGIN)]}


def _named(what: str, cases: Cases) -> list[dict[str, object]]:
    return [{"name": name, what: text, "code": code} for name, (text, code) in cases.items()]


FILES = {
    "inclusion": inclusion_vectors,
    "consistency": consistency_vectors,
    "record": record_vectors,
    "policy": policy_vectors,
    "anchor": anchor_vectors,
    "manifest": manifest_vectors,
}


def main() -> None:
    """Write every file."""
    for name, vectors in FILES.items():
        text = json.dumps(vectors(), indent=1, ensure_ascii=True)
        (HERE / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
