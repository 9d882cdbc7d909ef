# SPDX-License-Identifier: Apache-2.0
"""What the log's entries say is changed, and everything that follows from them is made anew as far as the keys go.

``keys`` names those that the attacker has: ``none``, ``engine``, ``log`` or ``both``. Whoever has the log key signs
every checkpoint anew, and writes the anchor on that machine anew too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from radiomicnet_md_audit import dsse, sign, statement
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit.checkpoint import LogKeys
from radiomicnet_md_audit.clock import Instant
from radiomicnet_md_audit.ledger import Ledger
from tests.audit.tampering.administrators import without_guards
from tests.audit.tampering.attacks import altered, attack, document, sealed
from tests.audit.tampering.scene import Scene, decision, stranger


def engine(scene: Scene, keys: str) -> sign.SigningKey | None:
    """The engine's key, where the attacker has it."""
    return scene.keys.engine if keys in ("engine", "both") else None


def commit(scene: Scene, envelopes: Sequence[bytes], keys: str) -> None:
    """Make the log anew; checkpoints that the attacker cannot sign stay as they were."""
    if keys not in ("log", "both"):
        scene.rewrite(envelopes, scene.notes()[: len(envelopes)])
        return
    scene.rewrite(envelopes, scene.issued(envelopes, scene.log_keys))
    scene.forge_anchor()


@attack
def changed(scene: Scene, keys: str, index: int = 3, **changes: object) -> None:
    """Change members of one record."""
    envelopes = scene.entries()
    envelopes[index] = altered(envelopes[index], engine(scene, keys), **changes)
    commit(scene, envelopes, keys)


@attack
def changed_in_place(scene: Scene, **changes: object) -> None:
    """Change one record, and nothing that follows from it."""
    with without_guards(scene) as execute:
        envelope = altered(scene.entries()[3], None, **changes)
        execute("UPDATE entry SET envelope = ? WHERE idx = 3", envelope)


@attack
def lifted(scene: Scene, keys: str) -> None:
    """Put the signature of one record under another."""
    envelopes = scene.entries()
    two, three = (dsse.parse_unverified(envelope) for envelope in envelopes[2:4])
    envelopes[2] = dsse.encode(dsse.Unverified(two.payload, two.payload_type, three.keyid, three.signature))
    commit(scene, envelopes, keys)


@attack
def swapped(scene: Scene, keys: str) -> None:
    """Let two records change places."""
    envelopes = scene.entries()
    envelopes[2:4] = reversed(envelopes[2:4])
    commit(scene, envelopes, keys)


@attack
def dropped(scene: Scene, keys: str, *, counted: bool = False) -> None:
    """Take one record out of the middle; ``counted``: number the later ones anew."""
    envelopes = scene.entries()
    del envelopes[3]
    if counted:
        key = engine(scene, keys)
        envelopes[3:] = [altered(e, key, log={"counter": n}) for n, e in enumerate(envelopes[3:], 3)]
    commit(scene, envelopes, keys)


@attack
def inserted(scene: Scene, keys: str) -> None:
    """Put a record with an earlier time between others, and number the later ones anew."""
    envelopes, key = scene.entries(), engine(scene, keys)
    made = document(envelopes[2])
    made["predicate"] |= decision(99)["predicate"]  # type: ignore[operator]
    envelopes.insert(3, sealed(made, scene.keys.engine))
    envelopes[3:] = [altered(e, key, log={"counter": n}) for n, e in enumerate(envelopes[3:], 3)]
    commit(scene, envelopes, keys)


@attack
def cut(scene: Scene, *, anchor: bool = True) -> None:
    """Cut off the last three entries and their checkpoints; ``anchor``: those of the anchor beside the home, too."""
    scene.rewrite(scene.entries()[:-3], scene.notes()[:-3])
    if anchor:
        scene.forge_anchor()


@attack
def replayed(scene: Scene, keys: str) -> None:
    """Add a record that is there already once more at the end."""
    envelopes = scene.entries()
    commit(scene, [*envelopes, envelopes[3]], keys)


@attack
def repeated(scene: Scene, keys: str, **changes: object) -> None:
    """Add a record at the end that is signed well, and is another's in a part of it."""
    envelopes = scene.entries()
    parts = {"record_id": statement.record_id(bytes([7]) * 16), "log": {"counter": len(envelopes)}} | changes
    commit(scene, [*envelopes, altered(envelopes[3], engine(scene, keys), **parts)], keys)


@attack
def foreign(scene: Scene, keys: str) -> None:
    """Put a record of another site's log, made with the same keys, in the place of one."""
    url = f"sqlite:///{scene.folder / 'other.db'}"
    with Ledger.create(url, "example.org/other", scene.keys.engine, scene.keys.log, None) as other:
        for number in range(11, 16):
            other.append(decision(number))
        theirs = list(other.entries())[3].envelope
    envelopes = scene.entries()
    envelopes[3] = theirs
    commit(scene, envelopes, keys)


@attack
def by_stranger(scene: Scene, keys: str) -> None:
    """Sign a changed record with a key that the log does not name."""
    envelopes = scene.entries()
    envelopes[3] = altered(envelopes[3], stranger(), log={"producer": stranger().public.keyid, "counter": 0})
    commit(scene, envelopes, keys)


@attack
def second_genesis(scene: Scene, keys: str) -> None:
    """Add a genesis at the end that names another engine."""
    envelopes = scene.entries()
    said = document(envelopes[0])
    said["predicate"] |= policies.genesis_predicate(
        said["predicate"]["origin"], scene.log_keys.public(scene.origin), stranger().public
    )
    said["predicate"]["record_id"] = statement.record_id(bytes([7]) * 16)
    said["predicate"]["log"]["counter"] = len(envelopes)
    commit(scene, [*envelopes, sealed(said, scene.keys.engine)], keys)


def genesis(scene: Scene, key: sign.VerifyingKey, log_keys: LogKeys) -> dict[str, Any]:
    """Return what the first entry says, with other keys in it."""
    said = document(scene.entries()[0])
    origin = said["predicate"]["origin"]
    said["predicate"] |= policies.genesis_predicate(origin, log_keys.public(origin), key)
    said["predicate"]["log"]["producer"] = key.keyid
    return said


@attack
def forged_genesis(scene: Scene, keys: str) -> None:
    """Let the first entry name the attacker's engine key, and sign every record with that."""
    mine, envelopes = stranger(), scene.entries()
    made = [sealed(genesis(scene, mine.public, scene.log_keys), mine)]
    made += [altered(envelope, mine, log={"producer": mine.public.keyid}) for envelope in envelopes[1:]]
    commit(scene, made, keys)


@attack
def another_log(scene: Scene, *, trusted: bool = False) -> None:
    """Put a whole log of the same name, by the attacker's keys, in its place; ``trusted``: the home's policy too."""
    mine, theirs = stranger(), LogKeys(stranger(2))
    made = [sealed(genesis(scene, mine.public, theirs), mine)]
    made += [altered(e, mine, state="REFUSED", log={"producer": mine.public.keyid}) for e in scene.entries()[1:]]
    scene.rewrite(made, scene.issued(made, theirs))
    scene.forge_anchor()
    if trusted:
        said = statement.parse(dsse.parse_unverified(made[0]).payload)
        (scene.home / "policy.json").write_bytes(policies.from_genesis(said).to_json())


@attack
def no_genesis(scene: Scene, keys: str) -> None:
    """Let the log begin with its second entry."""
    commit(scene, scene.entries()[1:], keys)


@attack
def emptied(scene: Scene) -> None:
    """Remove every row."""
    with without_guards(scene) as execute:
        for table in ("entry", "node", "checkpoint", "event"):
            execute(f"DELETE FROM {table}")  # noqa: S608 -- fixed names


@attack
def misnamed_producer(scene: Scene, keys: str) -> None:
    """Let a record name another producer than the key that signs it."""
    envelopes = scene.entries()
    envelopes[-1] = altered(envelopes[-1], scene.keys.engine, log={"producer": stranger().public.keyid, "counter": 0})
    commit(scene, envelopes, keys)


@attack
def appended(scene: Scene, keys: str) -> None:
    """Go on with stolen keys as the device would."""
    log = scene.log_keys if keys in ("log", "both") else LogKeys(stranger(2))
    envelopes = scene.entries()
    made = [*envelopes, altered(envelopes[3], engine(scene, keys), record_id=statement.record_id(bytes([7]) * 16),
                                request_id="more", log={"counter": len(envelopes)})]  # fmt: skip
    scene.rewrite(made, [*scene.notes(), scene.issued(made, log)[-1]])
    scene.forge_anchor()


@attack
def backdated(scene: Scene) -> None:
    """Set the machine's clock back ten years, and let the device make a record."""
    then = Instant(datetime(2016, 1, 1, tzinfo=UTC), 1)
    keys = scene.keys
    with Ledger.open(
        scene.url, keys.engine, keys.log, scene.anchor, cosigner=keys.cosigner, clock=lambda: then
    ) as ledger:
        ledger.append(decision(21))


@attack
def never_given(scene: Scene) -> None:
    """Decide a case with the engine's key and give the record to nobody."""
    keys = scene.keys
    (scene.folder / "decided").write_bytes(sealed(decision(21), keys.engine))
