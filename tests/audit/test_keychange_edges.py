# SPDX-License-Identifier: Apache-2.0
"""A change of keys has one form, is agreed to by both keys, and holds from the next size on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from radiomicnet_md_audit import canonical, checkpoint, dsse, keychange, merkle, sign, statement
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.encoding import b64encode
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.keychange import Change, Key, Role
from radiomicnet_md_audit.note import NoteKey
from radiomicnet_md_audit.policy import Policy, Span
from radiomicnet_md_audit.statement import Statement
from radiomicnet_md_audit.verify import UNCOMPROMISED, Walk
from tests.audit.small_logs import ENGINE, FOREIGN, HONEST, KEYS, ORIGIN, STRANGER, Pair, entry

pytestmark = pytest.mark.verifies("SRS-KEY-003")

COSIGNER, NEXT_COSIGNER = (sign.cosigner_from_seed(bytes([n]) * 32) for n in (41, 42))
NEXT = sign.from_seed(bytes([43]) * 32)
OLD = {Role.ENGINE: ENGINE, Role.LOG: KEYS.signer, Role.COSIGNER: COSIGNER}
NEW = {Role.ENGINE: NEXT, Role.LOG: NEXT, Role.COSIGNER: NEXT_COSIGNER}
DECLARED = Policy(
    ORIGIN,
    ((NoteKey(ORIGIN, KEYS.signer.public), Span()), (NoteKey(ORIGIN, COSIGNER.public), Span())),
    ((ENGINE.public, Span()),),
)
RECORD = statement.record_id(bytes(15) + b"\x09")


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(IntegrityError) as caught:
        yield
    assert caught.value.code == code


def public(role: Role, key: sign.SigningKey | sign.CosigningKey) -> Key:
    return key.public if role is Role.ENGINE and isinstance(key, sign.SigningKey) else NoteKey(ORIGIN, key.public)


def change(role: Role, since: int | None = None) -> Change:
    return Change(role, public(role, OLD[role]), public(role, NEW[role]), since)


def approved(one: Change, origin: str = ORIGIN) -> dict[str, Any]:
    """What the record of this change says, signed by both."""
    return one.predicate(origin, RECORD, OLD[one.role], NEW[one.role])


def said(predicate: dict[str, object], kind: str = statement.KEY_EVENT) -> Statement:
    log = {
        "origin": ORIGIN,
        "producer": "p",
        "counter": 0,
        "time_utc": "2026-01-01T00:00:00.000000Z",
        "monotonic_ns": 0,
    }
    document = statement.build(kind, {"a": "0" * 64}, {"log": log, **predicate})
    return statement.parse(canonical.dumps(document))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("since", [None, 1, 4, 7])
def test_the_new_key_holds_from_the_next_size_on(role: Role, since: int | None) -> None:
    one = change(role, since)
    after = keychange.applied(DECLARED, said(approved(one)), 7)
    old, new = Span(1, 8, since), Span(8)
    replaced = {one.retires: [(one.retires, old), (one.introduces, new)]}
    for before, now in ((DECLARED.log_keys, after.log_keys), (DECLARED.engine_keys, after.engine_keys)):
        assert list(now) == [pair for key, span in before for pair in replaced.get(key, [(key, span)])]
    assert after.origin == ORIGIN
    assert after.compromised() == ({(since, 8)} if since else set())
    assert (keychange.current(after, role, 7), keychange.current(after, role, 8)) == (one.retires, one.introduces)
    name = one.introduces.key.keyid if isinstance(one.introduces, NoteKey) else one.introduces.keyid
    assert one.introduces_sha256 == name


def test_a_key_is_compromised_from_its_own_beginning_at_the_earliest() -> None:
    keys = replace(DECLARED, engine_keys=((STRANGER.public, Span(1, 4)), (ENGINE.public, Span(4))))
    after = keychange.applied(keys, said(approved(change(Role.ENGINE, 2))), 7)
    assert after.engine_keys == (
        (STRANGER.public, Span(1, 4)),
        (ENGINE.public, Span(4, 8, 4)),
        (NEXT.public, Span(8)),
    )


@pytest.mark.parametrize("since", [0, -1, 8])
def test_a_key_is_revoked_from_a_size_that_the_log_had(since: int) -> None:
    with refused("E-KEY-EVENT"):
        keychange.applied(DECLARED, said(approved(change(Role.LOG, since))), 7)


@pytest.mark.parametrize("role", Role)
def test_only_the_key_in_force_is_retired(role: Role) -> None:
    one = change(role)
    for keys in (
        keychange.applied(DECLARED, said(approved(one)), 3),  # it went already
        replace(DECLARED, log_keys=(), engine_keys=()),
        replace(DECLARED, log_keys=DECLARED.log_keys * 2, engine_keys=(*DECLARED.engine_keys, (NEXT.public, Span()))),
    ):
        with refused("E-KEY-EVENT"):
            keychange.applied(keys, said(approved(one)), 7)


def test_who_was_not_in_force_agrees_to_nothing() -> None:
    one = replace(change(Role.LOG), retires=NoteKey(ORIGIN, STRANGER.public))
    with refused("E-KEY-EVENT"):
        keychange.applied(DECLARED, said(one.predicate(ORIGIN, RECORD, STRANGER, NEXT)), 7)


@pytest.mark.parametrize(("role", "new"), [(Role.LOG, NEXT_COSIGNER), (Role.COSIGNER, NEXT)])
def test_a_role_has_keys_of_one_kind(role: Role, new: sign.SigningKey | sign.CosigningKey) -> None:
    one = replace(change(role), introduces=NoteKey(ORIGIN, new.public))
    with refused("E-KEY-EVENT"):
        keychange.applied(DECLARED, said(one.predicate(ORIGIN, RECORD, OLD[role], new)), 7)


def test_a_size_is_no_truth_value_although_both_signed_it() -> None:
    with refused("E-KEY-EVENT"):
        keychange.applied(DECLARED, said(approved(change(Role.LOG, since=True))), 7)


def test_no_key_comes_back_or_serves_twice() -> None:
    back = replace(DECLARED, engine_keys=((NEXT.public, Span(1, 3)), (ENGINE.public, Span(3))))
    with refused("E-KEY-EVENT"):
        keychange.applied(back, said(approved(change(Role.ENGINE))), 7)
    known = replace(DECLARED, log_keys=((NoteKey(ORIGIN, NEXT.public), Span(1, 3)), *DECLARED.log_keys))
    with refused("E-KEY-EVENT"):
        keychange.applied(known, said(approved(change(Role.LOG))), 7)


GOOD = {role: approved(change(role)) for role in Role}
APPROVALS = GOOD[Role.LOG]["approvals"]


@pytest.mark.parametrize(
    "predicate",
    [
        *({key: value for key, value in GOOD[Role.LOG].items() if key != missing}
          for missing in ("role", "retires", "introduces", "compromised_from_size", "approvals")),
        *({**GOOD[Role.LOG], "role": other} for other in (None, 5, "", "Log", "witness", "engine", "cosigner")),
        *({**GOOD[Role.LOG], "compromised_from_size": other} for other in (True, "1", [])),
        {**GOOD[Role.LOG], "compromised_from_size": 1},  # not what was signed
        *({**GOOD[Role.LOG], "approvals": other} for other in (None, [], {}, "ab")),
        *({**GOOD[Role.LOG], "approvals": {**APPROVALS, key: other}}
          for key in ("old", "new") for other in (None, 5, "", b64encode(bytes(64)), "AA")),
        {**GOOD[Role.LOG], "approvals": {**APPROVALS, "more": ""}},
        {**GOOD[Role.LOG], "approvals": {"old": APPROVALS["new"], "new": APPROVALS["old"]}},
        {**GOOD[Role.LOG], "more": 1},
        {**GOOD[Role.LOG], "record_id": statement.record_id(bytes(16))},
        {**GOOD[Role.COSIGNER], "role": "log"},
        approved(change(Role.LOG), "example.org/other"),
    ],
)  # fmt: skip
def test_another_form_of_change_is_refused(predicate: dict[str, object]) -> None:
    keychange.applied(DECLARED, said(GOOD[Role.LOG]), 7)
    with refused("E-POLICY" if predicate.get("role") == "engine" else "E-KEY-EVENT"):
        keychange.applied(DECLARED, said(predicate), 7)


@pytest.mark.parametrize("place", ["retires", "introduces"])
def test_keys_are_those_of_the_log_in_their_form(place: str) -> None:
    other = NoteKey("example.org/other", NEXT.public).vkey()
    for role, key in ((Role.LOG, other), (Role.LOG, 5), (Role.ENGINE, {"keyid": "0" * 64}), (Role.ENGINE, "x")):
        with refused("E-POLICY"):
            keychange.applied(DECLARED, said({**GOOD[role], place: key}), 7)


@pytest.mark.parametrize("shift", range(6))
def test_a_change_is_seen_in_its_envelope_wherever_it_stands(shift: int) -> None:
    for kind, seen in ((statement.KEY_EVENT, True), (statement.DECISION, False)):
        payload = canonical.dumps({"a": "x" * shift, "predicateType": kind})
        assert keychange.may_be_change(dsse.seal(payload, dsse.STATEMENT_TYPE, ENGINE)) is seen


# ------------------------------------------------------------------------------------------- in a whole log


def record(index: int, one: Change, key: sign.SigningKey = ENGINE) -> bytes:
    predicate = one.predicate(ORIGIN, RECORD, OLD[one.role], NEW[one.role])
    log = {
        "origin": ORIGIN,
        "producer": key.public.keyid,
        "counter": index,
        "time_utc": "2026-01-01T00:00:00.000000Z",
        "monotonic_ns": 0,
    }
    document = statement.build(statement.KEY_EVENT, {"a": "0" * 64}, {**predicate, "log": log})
    return dsse.seal(canonical.dumps(document), dsse.STATEMENT_TYPE, key)


def genesis() -> bytes:
    return entry(0, engine_keys=[{"keyid": ENGINE.public.keyid, "ed25519": ENGINE.public.raw.hex()}])


def log(entries: Sequence[bytes], keys: Callable[[int], LogKeys]) -> list[Pair]:
    tree, pairs = merkle.Frontier(), []
    for envelope in entries:
        tree.append(merkle.leaf_hash(envelope))
        head = Checkpoint(ORIGIN, tree.size, tree.root())
        pairs.append((envelope, checkpoint.issue(head, keys(tree.size), 0)))
    return pairs


def found(pairs: Sequence[Pair], policy: Policy | None = None, *, signatures: bool = True) -> list[tuple[Any, str]]:
    walk = Walk(policy, None, signatures=signatures)
    for _ in walk.feed_all(pairs):
        pass
    walk.claims()
    return [(finding.index, finding.code) for finding in walk.findings()]


def test_entries_are_judged_by_the_keys_at_their_size() -> None:
    ours: Callable[[int], LogKeys] = lambda _size: KEYS  # noqa: E731
    entries = [genesis(), HONEST[1], record(2, change(Role.ENGINE)), entry(3, NEXT, log_counter=0)]
    assert found(log(entries, ours)) == []
    assert found(log([*entries[:3], HONEST[3]], ours)) == [(3, "E-KEY-UNKNOWN")]
    assert found(log([*entries[:2], entry(2, NEXT, log_counter=0)], ours)) == [(2, "E-KEY-UNKNOWN")]
    policy = Policy(ORIGIN, DECLARED.log_keys[:1], ((ENGINE.public, Span()),))
    assert found(log(entries, ours), policy) == [(3, "E-KEY-UNTRUSTED")]


def test_checkpoints_are_signed_by_the_key_at_their_size() -> None:
    entries = [genesis(), HONEST[1], record(2, change(Role.LOG)), HONEST[3]]
    turned: Callable[[int], LogKeys] = lambda size: KEYS if size <= 3 else LogKeys(NEXT)  # noqa: E731
    assert found(log(entries, turned)) == []
    assert found(log(entries, turned), signatures=False) == []
    assert found(log(entries, lambda size: KEYS if size <= 2 else LogKeys(NEXT))) == [(2, "E-CHECKPOINT-UNSIGNED")]
    assert found(log(entries, lambda _size: KEYS)) == [(3, "E-CHECKPOINT-UNSIGNED")]


def test_a_record_that_speaks_of_changes_is_none() -> None:
    entries = [genesis(), entry(1, note=statement.KEY_EVENT), HONEST[2]]
    assert keychange.may_be_change(entries[1])
    assert found(log(entries, lambda _size: KEYS)) == []


def test_a_change_in_a_log_without_genesis_is_no_change() -> None:
    pairs = log([HONEST[1], record(1, change(Role.LOG))], lambda _size: KEYS)
    assert found(pairs) == [(0, "E-POLICY"), (0, "E-GENESIS"), (1, "E-GENESIS"), (1, "E-GENESIS")]


@pytest.mark.parametrize("signatures", [True, False])
def test_a_change_that_is_not_one_is_found_and_changes_nothing(*, signatures: bool) -> None:
    wrong = record(1, replace(change(Role.LOG), retires=FOREIGN.public(ORIGIN)[0]))
    pairs = log([genesis(), wrong, HONEST[2]], lambda _size: KEYS)
    assert found(pairs, signatures=signatures) == [(1, "E-KEY-EVENT")]
    torn = dsse.seal(b'"' + statement.KEY_EVENT.encode() + b'"', dsse.STATEMENT_TYPE, ENGINE)
    codes = found(log([genesis(), torn, HONEST[2]], lambda _size: KEYS), signatures=signatures)
    assert (1, "E-STATEMENT-FORM") in codes


def claims(since: int | None, until: int, size: int) -> list[str]:
    """The claims about revoked keys of a log of ``size`` entries, the key retired by the entry before ``until``."""
    entries = [genesis(), *HONEST[1 : until - 1], record(until - 1, change(Role.LOG, since)), *HONEST[until:size]]
    walk = Walk(None, None)
    pairs = log(entries[:size], lambda at: KEYS if at <= until else LogKeys(NEXT))
    for _ in walk.feed_all(pairs):
        pass
    every = walk.claims()
    assert walk.findings() == ()
    assert [claim.ok for claim in every[3:]] == [None] * len(every[3:])
    assert {claim.name for claim in every[3:]} <= {UNCOMPROMISED}
    return [claim.text for claim in every[3:]]


def test_what_a_revoked_key_signed_is_named() -> None:
    assert claims(None, 4, 6) == []
    assert [text.partition(" are")[0] for text in claims(2, 4, 6)] == ["Entries 1 to 3"]
    assert [text.partition(" are")[0] for text in claims(4, 4, 6)] == ["Entries 3 to 3"]
    assert [text.partition(" are")[0] for text in claims(1, 4, 4)] == ["Entries 0 to 3"]


def test_a_readers_policy_may_know_of_more() -> None:
    spans = Span(1, 9, 5), Span(1, 8, 6)
    policy = Policy(ORIGIN, ((NoteKey(ORIGIN, KEYS.signer.public), spans[0]),), ((ENGINE.public, spans[1]),))
    for size, texts in ((4, []), (5, ["Entries 4 to 4"]), (6, ["Entries 4 to 5, 5 to 5"])):
        walk = Walk(policy, None)
        for _ in walk.feed_all(log([genesis(), *HONEST[1:size]], lambda _size: KEYS)):
            pass
        assert [claim.text.partition(" are")[0] for claim in walk.claims()[3:]] == texts
