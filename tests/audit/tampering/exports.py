# SPDX-License-Identifier: Apache-2.0
"""An export is changed on its way, or made by somebody who should not make one."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from radiomicnet_md_audit import bundle, dsse, export, sign
from radiomicnet_md_audit.checkpoint import LogKeys
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.merkle import HASH_BYTES
from radiomicnet_md_audit.store import Store
from tests.audit.tampering.attacks import altered, attack
from tests.audit.tampering.scene import Scene, stranger

_LINES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "last removed": lambda lines: lines[:-1],
    "third removed": lambda lines: lines[:2] + lines[3:],
    "third doubled": lambda lines: lines[:3] + lines[2:],
    "two turned": lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]],
    "last doubled": lambda lines: [*lines, lines[-1]],
    "last unfinished": lambda lines: [*lines[:-1], lines[-1][:-1]],
    "one too long": lambda lines: [*lines, b"x" * 300_000 + b"\n"],
    "empty added": lambda lines: [*lines, b"\n"],
}


@attack
def lines(scene: Scene, file: str, change: str) -> None:
    """Change which lines ``entries.jsonl`` or ``checkpoints.jsonl`` has."""
    path = scene.export / file
    path.write_bytes(b"".join(_LINES[change](path.read_bytes().splitlines(keepends=True))))


@attack
def record_changed(scene: Scene) -> None:
    """Change a record in the entries, and leave its signature."""
    path = scene.export / "entries.jsonl"
    envelopes = path.read_bytes().splitlines()
    envelopes[3] = altered(envelopes[3], None, state="REFUSED")
    path.write_bytes(b"".join(line + b"\n" for line in envelopes))


@attack
def resealed(scene: Scene, key: str, kind: str = bundle.MANIFEST_TYPE, **changes: object) -> None:
    """Sign a manifest of what is in the folder now; ``changes`` are lies in it."""
    old = bundle.parse_manifest(dsse.parse_unverified((scene.export / "manifest.json").read_bytes()).payload)
    files = {}
    for path in sorted(scene.export.rglob("*")):
        if path.is_file() and path.name != "manifest.json":
            data, name = path.read_bytes(), path.relative_to(scene.export).as_posix()
            files[name] = bundle.Listed(hashlib.sha256(data).hexdigest(), len(data))
    for path in changes.pop("listed", ()):  # type: ignore[attr-defined]
        files[path] = bundle.Listed("0" * 64, 0)
    parts = {"origin": old.origin, "size": old.size, "root": old.root, "created": old.created, "files": files}
    manifest = bundle.Manifest(**{**parts, **changes})  # type: ignore[arg-type]
    keys = {"log": scene.keys.log, "engine": scene.keys.engine, "stranger": stranger()}
    (scene.export / "manifest.json").write_bytes(dsse.seal(manifest.payload(), kind, keys[key]))


@attack
def respelled(scene: Scene, old: str, new: str) -> None:
    """Sign the manifest in another spelling with the log's key."""
    payload = dsse.parse_unverified((scene.export / "manifest.json").read_bytes()).payload
    if old.encode() not in payload:
        raise ValueError(payload)
    other = payload.replace(old.encode(), new.encode(), 1)
    (scene.export / "manifest.json").write_bytes(dsse.seal(other, bundle.MANIFEST_TYPE, scene.keys.log))


@attack
def made_again(scene: Scene, keys: str) -> None:
    """Export the log as the attacker left it, with the log's keys or the attacker's own."""
    shutil.rmtree(scene.export)
    stolen = (scene.keys.engine, scene.log_keys) if keys == "both" else (stranger(), LogKeys(stranger(2)))
    engine, log = stolen
    with Ledger.open(scene.url, engine, log.signer, None, cosigner=log.cosigner) as ledger:
        export.write(ledger, scene.export, artefacts=scene.home / "artefacts")


@attack
def another(scene: Scene) -> None:
    """Let the device go on and make a second, honest export into ``later``."""
    if scene.audit("export", str(scene.folder / "later")).exit:
        raise RuntimeError


def _tile(scene: Scene) -> Path:
    """Return the one tile of a small log."""
    return next((scene.export / "tile" / "0" / "000.p").iterdir())


@attack
def replaced(scene: Scene, by: str) -> None:
    """Put another folder in the export's place."""
    shutil.rmtree(scene.export)
    (scene.folder / by).replace(scene.export)


@attack
def emptied(scene: Scene) -> None:
    """Sign an export of no record at all."""
    shutil.rmtree(scene.export / "tile")
    for name in ("entries.jsonl", "checkpoints.jsonl", "checkpoint"):
        (scene.export / name).write_bytes(b"")
    resealed(scene, "log", size=0)


@attack
def pipe_added(scene: Scene) -> None:
    """Add a pipe, on which a reader could wait for ever."""
    os.mkfifo(scene.export / "pipe")


@attack
def artefact_renamed(scene: Scene) -> None:
    """Let an artefact's name be the digest of what is in it now."""
    path = next((scene.export / "artefacts").glob("*/*"))
    shutil.rmtree(path.parent)
    data = b"another mask"
    digest = hashlib.sha256(data).hexdigest()
    target = scene.export / "artefacts" / digest[:2] / digest
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(data)


@attack
def key_replaced(scene: Scene, key: str) -> None:
    """Put another public key under the name of the engine's."""
    other = sign.VerifyingKey(bytes([1]) + bytes(31)) if key == "small" else stranger().public
    (scene.export / "keys" / f"{scene.keys.engine.public.keyid}.pem").write_bytes(other.to_pem())


@attack
def hashes_swapped(scene: Scene, index: int) -> None:
    """Let the hashes of an entry and of the next change places in their tile."""
    path = _tile(scene)
    data, at = path.read_bytes(), HASH_BYTES * index
    one, other = data[at : at + HASH_BYTES], data[at + HASH_BYTES : at + 2 * HASH_BYTES]
    path.write_bytes(data[:at] + other + one + data[at + 2 * HASH_BYTES :])


@attack
def hash_left_out(scene: Scene) -> None:
    """Leave the last hash out of the tile, and give it the name that it has then."""
    path = _tile(scene)
    data = path.read_bytes()[:-HASH_BYTES]
    path.unlink()
    path.with_name(str(len(data) // HASH_BYTES)).write_bytes(data)


@attack
def tile_of_another_log(scene: Scene) -> None:
    """Give the hashes of other entries."""
    path = _tile(scene)
    path.write_bytes(hashlib.sha512(path.read_bytes()).digest() * (path.stat().st_size // (2 * HASH_BYTES) + 1))


@attack
def tile_removed(scene: Scene) -> None:
    """Take the tile away."""
    shutil.rmtree(scene.export / "tile")


@attack
def tile_above(scene: Scene) -> None:
    """Add a tile of a level that the tree does not reach."""
    path = scene.export / "tile" / "1" / "000.p" / "1"
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(HASH_BYTES))


@attack
def of_the_first_format(scene: Scene) -> None:
    """Call it an export of the first format, which has no tiles."""
    shutil.rmtree(scene.export / "tile")
    resealed(scene, "log", format=bundle.WITH_PROOFS)


@attack
def older_checkpoint(scene: Scene) -> None:
    """Give an older, well signed checkpoint out as the newest."""
    with Store.open(scene.url).read() as transaction:
        (scene.export / "checkpoint").write_text(transaction.note(3), encoding="utf-8")
