# SPDX-License-Identifier: Apache-2.0
"""Exports of a log of four entries, made file by file, to change one thing in and seal again."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from radiomicnet_md_audit import bundle, canonical, dsse, merkle, sign
from radiomicnet_md_audit.bundle import Listed, Manifest
from radiomicnet_md_audit.proof import Inclusion
from tests.audit.small_logs import ENGINE, HONEST, KEYS, ORIGIN, PAIRS, POLICY

SIZE = 4
MASK = hashlib.sha256(b"mask").hexdigest()
ARTEFACT = f"artefacts/{MASK[:2]}/{MASK}"
PEM = f"keys/{ENGINE.public.keyid}.pem"
CREATED = "2026-01-01T00:00:04.000000Z"
TREE = merkle.Frontier()
NODES = {(node.level, node.index): node.hash for one in HONEST[:SIZE] for node in TREE.append(merkle.leaf_hash(one))}


def inclusion(index: int, note: str = PAIRS[SIZE - 1][1]) -> Inclusion:
    return Inclusion(index, tuple(merkle.inclusion(lambda *at: NODES[at], index, SIZE)), note)


_SHARED = {
    "entries.jsonl": b"".join(envelope + b"\n" for envelope, _ in PAIRS[:SIZE]),
    "checkpoints.jsonl": b"".join(canonical.dumps(note) + b"\n" for _, note in PAIRS[:SIZE]),
    "checkpoint": PAIRS[SIZE - 1][1].encode(),
    "policy.json": POLICY.to_json(),
    "VERIFY.md": b"how to",
    PEM: ENGINE.public.to_pem(),
    ARTEFACT: b"mask",
}
TILE = "tile/0/000.p/4"
FILES = {**_SHARED, TILE: b"".join(NODES[0, index] for index in range(SIZE))}
# An export of the first format.
OLD_FILES = {**_SHARED, **{bundle.proof_path(index): str(inclusion(index)).encode() for index in range(SIZE)}}
HONEST_MANIFEST = Manifest(
    ORIGIN,
    SIZE,
    TREE.root().hex(),
    CREATED,
    {path: Listed(hashlib.sha256(data).hexdigest(), len(data)) for path, data in FILES.items()},
)


def lay(folder: Path, manifest: bytes, files: dict[str, bytes]) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    for path, data in {**files, "manifest.json": manifest}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def sealed(files: dict[str, bytes], key: sign.SigningKey = KEYS.signer, **change: object) -> bytes:
    """The manifest of these files, signed by whoever holds the log key."""
    listed = {path: Listed(hashlib.sha256(data).hexdigest(), len(data)) for path, data in files.items()}
    manifest = replace(HONEST_MANIFEST, **{"files": listed, **change})  # type: ignore[arg-type]
    return dsse.seal(manifest.payload(), bundle.MANIFEST_TYPE, key)


def changed(base: dict[str, bytes] = FILES, /, **change: bytes | None) -> dict[str, bytes]:
    return {path: data for path, data in {**base, **change}.items() if data is not None}
