# SPDX-License-Identifier: Apache-2.0
"""One record in other bytes: second spellings, second signatures, and bytes that pass for something else."""

from __future__ import annotations

from radiomicnet_md_audit import dsse, merkle, sign, statement
from tests.audit.tampering.attacks import altered, attack, document, sealed
from tests.audit.tampering.records import commit, engine, genesis
from tests.audit.tampering.scene import Scene

ORDER = 2**252 + 27742317777372353535851937790883648493  # of the group that Ed25519 computes in
SMALL = bytes([1]) + bytes(31)  # the neutral element as a public key: whoever wants to can sign with it


@attack
def spelled(scene: Scene, keys: str, old: str, new: str) -> None:
    """Write a record's payload in another spelling, with a valid signature over those bytes."""
    envelopes = scene.entries()
    payload = dsse.parse_unverified(envelopes[3]).payload
    if payload.count(old.encode()) != 1:
        raise ValueError(payload)
    other = payload.replace(old.encode(), new.encode())
    envelopes[3] = dsse.seal(other, dsse.STATEMENT_TYPE, scene.keys.engine)
    commit(scene, envelopes, keys)


@attack
def respelled(scene: Scene, keys: str, old: str, new: str) -> None:
    """Write an envelope in another spelling of the same signed parts."""
    envelopes = scene.entries()
    envelopes[3] = _once(envelopes[3], old.encode(), new.encode())
    commit(scene, envelopes, keys)


@attack
def unused_bits(scene: Scene, keys: str) -> None:
    """Set bits of a signature's base64 that a lenient reader passes over."""
    envelopes = scene.entries()
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    end = envelopes[3].rindex(b'=="')
    last = envelopes[3][end - 1 : end]
    other = alphabet[alphabet.index(last) ^ 1 :][:1]
    envelopes[3] = envelopes[3][: end - 1] + other + envelopes[3][end:]
    commit(scene, envelopes, keys)


@attack
def typed(scene: Scene, keys: str, kind: str) -> None:
    """Sign a record as another type of payload."""
    envelopes = scene.entries()
    envelopes[3] = dsse.seal(dsse.parse_unverified(envelopes[3]).payload, kind, scene.keys.engine)
    commit(scene, envelopes, keys)


@attack
def malleable(scene: Scene, keys: str) -> None:
    """Give a record's signature its second number: S plus the order of the group."""
    envelopes = scene.entries()
    parts = dsse.parse_unverified(envelopes[3])
    number = int.from_bytes(parts.signature[32:], "little") + ORDER
    signature = parts.signature[:32] + number.to_bytes(32, "little")
    envelopes[3] = dsse.encode(dsse.Unverified(parts.payload, parts.payload_type, parts.keyid, signature))
    commit(scene, envelopes, keys)


@attack
def small_order(scene: Scene, keys: str) -> None:
    """Let the genesis name a key of small order, under which one signature serves for every record."""
    key, signature = sign.VerifyingKey(SMALL), SMALL + bytes(32)
    said = [genesis(scene, key, scene.log_keys), *map(document, scene.entries()[1:])]
    made = []
    for each in said:
        each["predicate"]["log"]["producer"] = key.keyid
        payload = dsse.parse_unverified(sealed(each, scene.keys.engine)).payload
        made.append(dsse.encode(dsse.Unverified(payload, dsse.STATEMENT_TYPE, key.keyid, signature)))
    commit(scene, made, keys)


@attack
def interior(scene: Scene) -> None:
    """Pass the two hashes below a node off as one entry, so that a shorter log has the same root."""
    envelopes, notes = scene.entries(), scene.notes()
    leaves = [merkle.leaf_hash(envelope) for envelope in envelopes]
    scene.rewrite([*envelopes[:2], leaves[2] + leaves[3]], [*notes[:2], notes[3]])


@attack
def huge(scene: Scene, keys: str) -> None:
    """Add a signed record that is larger than the format allows."""
    envelopes = scene.entries()
    more = {"record_id": statement.record_id(bytes([7]) * 16), "request_id": "more", "note": "x" * 60_000}
    made = altered(envelopes[3], engine(scene, keys), log={"counter": len(envelopes)}, **more)
    commit(scene, [*envelopes, made], keys)


def _once(data: bytes, old: bytes, new: bytes) -> bytes:
    if data.count(old) != 1:
        raise ValueError(data)
    return data.replace(old, new)
