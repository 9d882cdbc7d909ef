# SPDX-License-Identifier: Apache-2.0
"""A key of the log took the place of another, honestly; or somebody without the right to it says so.

After an honest change the home's policy, the reader's and the reader's copy of the anchor know of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from radiomicnet_md_audit import sign, statement
from radiomicnet_md_audit.checkpoint import LogKeys
from radiomicnet_md_audit.keychange import Change, Role
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.note import NoteKey
from tests.audit.tampering.administrators import without_guards
from tests.audit.tampering.attacks import attack, document, log_part, sealed
from tests.audit.tampering.scene import Scene, decision, stranger

NEW = 9  # of the strangers: the key that an honest change introduces
_ID = statement.record_id(bytes([7]) * 16)


@attack
def rotated(scene: Scene, role: str, since: int | None = None, *, told: bool = True) -> None:
    """Change a key as its owner does; ``since`` revokes the old one, ``told``: the policies learn of it."""
    keys, new = scene.keys, stranger(NEW)
    with Ledger.open(scene.url, keys.engine, keys.log, scene.anchor, cosigner=keys.cosigner) as ledger:
        ledger.change_key(Role(role), new, since)
        ledger.append(decision(31))
        policy = ledger.declared.to_json()
    scene.former = keys
    scene.keys = replace(keys, engine=new) if role == "engine" else replace(keys, log=new)
    if told:
        for path in (scene.policy, scene.home / "policy.json"):
            path.write_bytes(policy)
    shutil.copy(scene.anchor, scene.kept)


def _added(scene: Scene, said: dict[str, Any], engine: sign.Signer, log: LogKeys) -> None:
    """Add a record by these keys, as the device would."""
    envelopes, keyid = scene.entries(), engine.public.keyid
    before = [part for part in map(log_part, envelopes) if part.producer == keyid]
    part = {**vars(log_part(envelopes[-1])), "producer": keyid, "counter": len(before)}
    envelope = sealed({**said, "predicate": {**said["predicate"], "log": part}}, engine)
    made = [*envelopes, envelope]
    scene.rewrite(made, [*scene.notes(), scene.issued(made, log)[-1]])
    scene.forge_anchor()


@attack
def by_former_engine(scene: Scene) -> None:
    """Add a record by the engine's key of before."""
    _added(scene, decision(32), scene.former.engine, scene.log_keys)


@attack
def by_former_log(scene: Scene) -> None:
    """Add a record under a checkpoint by the log's key of before."""
    _added(scene, decision(32), scene.keys.engine, LogKeys(scene.former.log, scene.keys.cosigner))


@attack
def claimed(scene: Scene, role: str, old: str, checkpoint: str = "log") -> None:
    """Add a record that puts the attacker's key in a key's place, with somebody's word for the old one's."""
    keys, thief = scene.keys, stranger()
    by: dict[str, sign.Signer] = {"engine": keys.engine, "log": keys.log, "thief": thief}
    change = Change(Role(role), *_pair(scene, role, keys.engine if role == "engine" else keys.log, thief))
    predicate = change.predicate(scene.origin, _ID, by[old], thief)
    said = statement.build(statement.KEY_EVENT, {"key": change.introduces_sha256}, predicate)
    _added(scene, said, keys.engine, scene.log_keys if checkpoint == "log" else LogKeys(stranger(2)))


@attack
def put_back(scene: Scene) -> None:
    """Add a record that puts the retired engine key back, signed by both keys."""
    change = Change(Role.ENGINE, scene.keys.engine.public, scene.former.engine.public)
    predicate = change.predicate(scene.origin, _ID, scene.keys.engine, scene.former.engine)
    said = statement.build(statement.KEY_EVENT, {"key": change.introduces_sha256}, predicate)
    _added(scene, said, scene.keys.engine, scene.log_keys)


@attack
def event_changed(scene: Scene, *, signed: bool, **changes: object) -> None:
    """Change the record of an honest change; ``signed``: with the engine's key of then and the log's keys."""
    envelopes = scene.entries()
    index = _event(envelopes)
    said = document(envelopes[index])
    said["predicate"] |= changes
    if not signed:
        with without_guards(scene) as execute:
            execute("UPDATE entry SET envelope = ? WHERE idx = ?", sealed(said, stranger()), index)
        return
    envelopes[index] = sealed(said, scene.former.engine)
    scene.rewrite(envelopes, scene.issued(envelopes, scene.log_keys))
    scene.forge_anchor()


@attack
def event_removed(scene: Scene) -> None:
    """Take the record of an honest change out, with what came after it, and the anchor's lines on that machine."""
    index = _event(scene.entries())
    scene.rewrite(scene.entries()[:index], scene.notes()[:index])
    scene.forge_anchor()


def _pair(scene: Scene, role: str, old: sign.Signer, new: sign.Signer) -> Sequence[Any]:
    if role == "engine":
        return old.public, new.public
    return NoteKey(scene.origin, old.public), NoteKey(scene.origin, new.public)


def _event(envelopes: Sequence[bytes]) -> int:
    kinds = [document(envelope)["predicateType"] for envelope in envelopes]
    return kinds.index(statement.KEY_EVENT)
