# SPDX-License-Identifier: Apache-2.0
"""Each part of a policy and of a genesis is of its type, in its form, and nothing else is beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from radiomicnet_md_audit import canonical, policy, sign, statement
from radiomicnet_md_audit.checkpoint import LogKeys
from radiomicnet_md_audit.cosignature import Cosigner
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.policy import Policy, Span

pytestmark = pytest.mark.verifies("SRS-LOG-006")

ORIGIN = "example.org/log"
ENGINE = sign.from_seed(bytes([1]) * 32)
LOG_KEYS = LogKeys(sign.from_seed(bytes([2]) * 32), sign.cosigner_from_seed(bytes([3]) * 32)).public(ORIGIN)
POLICY = Policy(ORIGIN, tuple((key, Span(1, 5)) for key in LOG_KEYS), ((ENGINE.public, Span(3)),))
LOG_KEY, ENGINE_KEY = ("log_keys", 0), ("engine_keys", 0)


def edited(path: tuple[str | int, ...], value: object) -> bytes:
    document: Any = json.loads(POLICY.to_json())
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(document).encode()


def _engine(raw: bytes) -> dict[str, object]:
    """A key of any length under its right id."""
    return {"keyid": sign.VerifyingKey(raw).keyid, "ed25519": raw.hex(), "from_size": 1, "until_size": None}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"a": {"b": 1, "b": 1}}',
        POLICY.to_json().replace(b'"keyid"', b'"keyid": "x", "keyid"'),
        POLICY.to_json() + b" " * (policy.LARGEST_POLICY + 1 - len(POLICY.to_json())),
        *(edited((key,), other) for key in json.loads(POLICY.to_json()) for other in (None, 5, "", [], {})),
        *(edited((*LOG_KEY, key), other) for key in ("vkey", "from_size") for other in (None, 5.5, [], True)),
        *(edited((*ENGINE_KEY, key), other) for key in ("keyid", "ed25519") for other in (None, 5, [], True)),
        *(edited((*key, "until_size"), other) for key in (LOG_KEY, ENGINE_KEY) for other in (3.5, [], True, "9", 0)),
        *(edited((*key, "more"), 1) for key in (LOG_KEY, ENGINE_KEY, ())),
        *(edited(key, other) for key in (LOG_KEY, ENGINE_KEY) for other in (None, 5, "", [])),
        edited((*LOG_KEY, "until_size"), 1),
        edited((*ENGINE_KEY, "until_size"), 3),
        edited((*ENGINE_KEY, "from_size"), 0),
        edited((*ENGINE_KEY, "from_size"), -1),
        edited((*ENGINE_KEY, "ed25519"), "X" + ENGINE.public.raw.hex()[1:]),
        edited(ENGINE_KEY, _engine(bytes(31))),
        edited(ENGINE_KEY, _engine(bytes(33))),
        edited((*ENGINE_KEY, "ed25519"), ENGINE.public.raw.hex().upper()),
        edited((*ENGINE_KEY, "ed25519"), ENGINE.public.raw.hex() + "00"),
        edited((*ENGINE_KEY, "ed25519"), ENGINE.public.raw.hex()[:-2]),
        edited((*ENGINE_KEY, "ed25519"), ENGINE.public.raw.hex()[:-2] + " 0"),
        edited((*ENGINE_KEY, "keyid"), ENGINE.public.keyid.upper()),
    ],
)
def test_another_form_of_policy_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        policy.parse(data)
    assert caught.value.code == "E-POLICY"


SINCE = (*LOG_KEY, "compromised_from_size")
KEPT = {"vkey": LOG_KEYS[0].vkey(), "from_size": 2, "until_size": 5, "compromised_from_size": 2}
KEYS_THAT_ARE_WRONG: list[dict[str, object]] = [
    {"more": 1},
    {"from_size": 0, "compromised_from_size": 0},
    {"from_size": 3},
    {"from_size": True},
    {"from_size": "2"},
    {"from_size": None},
    {"until_size": 2},
    {"until_size": None},
    {"until_size": "5"},
    {"until_size": 2.5},
]


@pytest.mark.parametrize("since", [1, 2, 4])
def test_a_key_may_have_been_in_other_hands_before_its_end(since: int) -> None:
    read = policy.parse(edited(SINCE, since))
    assert [span for _, span in read.log_keys] == [Span(1, 5, since), Span(1, 5)]
    assert policy.parse(read.to_json()) == read
    assert json.loads(read.to_json())["log_keys"][0]["compromised_from_size"] == since


@pytest.mark.parametrize(
    "data",
    [
        *(edited(SINCE, other) for other in (0, -1, 5, 6, None, "2", 2.5, [], True)),
        edited((*ENGINE_KEY, "compromised_from_size"), 4),  # a key without an end
        *(edited(LOG_KEY, {**KEPT, **other}) for other in KEYS_THAT_ARE_WRONG),
    ],
)
def test_another_size_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        policy.parse(data)
    assert caught.value.code == "E-POLICY"


def test_keys_bear_the_name_of_their_log() -> None:
    for data in (edited(("origin",), "example.org/other"), edited((*LOG_KEY, "vkey"), _named("example.org/other"))):
        with pytest.raises(IntegrityError) as caught:
            policy.parse(data)
        assert caught.value.code == "E-POLICY"


def _named(name: str) -> str:
    return LogKeys(sign.from_seed(bytes([2]) * 32)).public(name)[0].vkey()


def test_the_largest_policy_and_the_shortest_span_are_accepted() -> None:
    text = edited((*ENGINE_KEY, "until_size"), 4)
    read = policy.parse(text + b" " * (policy.LARGEST_POLICY - len(text)))
    assert read.engine_keys == ((ENGINE.public, Span(3, 4)),)
    assert [bool(read.engine_keys_at(size)) for size in (2, 3, 4)] == [False, True, False]


WITNESS = Cosigner("witness.example/w1", sign.from_seed(bytes([4]) * 32).public)
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def test_whom_to_believe_outside_is_read_back_in_its_order() -> None:
    other = Cosigner("witness.example/w2", WITNESS.key)
    whole = replace(POLICY, witnesses=(WITNESS, other), timestamp_authorities=(PEM, PEM * 2))
    document = json.loads(whole.to_json())
    assert document["witnesses"] == [WITNESS.vkey(), other.vkey()]
    assert document["timestamp_authorities"] == [PEM, PEM * 2]
    assert policy.parse(whole.to_json()) == whole
    assert set(json.loads(POLICY.to_json())) == {"format", "origin", "log_keys", "engine_keys"}
    assert POLICY.with_outsiders_of(whole) == whole
    assert whole.with_outsiders_of(POLICY) == POLICY


@pytest.mark.parametrize("name", ["witnesses", "timestamp_authorities"])
def test_a_list_of_outsiders_has_members_each_once(name: str) -> None:
    good = WITNESS.vkey() if name == "witnesses" else PEM
    assert policy.parse(edited((name,), [good]))
    for other in ([], [good, good], [good, 5], [None], good, None, {}, {"0": good}):
        with pytest.raises(IntegrityError) as caught:
            policy.parse(edited((name,), other))
        assert caught.value.code == "E-POLICY"


@pytest.mark.parametrize("text", ["", PEM[:-1], PEM + "x", " " + PEM, PEM.replace("CERTIFICATE", "PRIVATE KEY"), "\n"])
def test_an_authority_is_certificates_alone(text: str) -> None:
    assert policy.authority_pem(PEM * 3) == PEM * 3
    with pytest.raises(IntegrityError) as caught:
        policy.parse(edited(("timestamp_authorities",), [text]))
    assert caught.value.code == "E-POLICY"


def test_the_keys_without_an_end_are_named() -> None:
    assert POLICY.keyids() == {ENGINE.public.keyid}
    ended = replace(
        POLICY, log_keys=tuple((key, Span()) for key in LOG_KEYS), engine_keys=((ENGINE.public, Span(1, 9)),)
    )
    assert ended.keyids() == {key.key.keyid for key in LOG_KEYS}


GENESIS = policy.genesis_predicate(ORIGIN, LOG_KEYS, ENGINE.public)


def genesis(kind: str = statement.GENESIS, **change: object) -> statement.Statement:
    log = {
        "origin": ORIGIN,
        "producer": "p",
        "counter": 0,
        "time_utc": "2026-01-01T00:00:00.000000Z",
        "monotonic_ns": 0,
    }
    predicate = {**GENESIS, "record_id": "0" * 26, "log": log, **change}
    return statement.parse(canonical.dumps(statement.build(kind, {"a": "0" * 64}, predicate)))


def test_a_genesis_names_the_keys_of_its_log() -> None:
    claimed = policy.from_genesis(genesis())
    assert claimed == Policy(ORIGIN, tuple((key, Span()) for key in LOG_KEYS), ((ENGINE.public, Span()),))
    assert (Span().start, Span().stop) == (1, None)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": statement.DECISION},
        {"format": "radiomicnet-md-log/2"},
        *({key: other} for key in ("format", "origin", "log_keys", "engine_keys") for other in (None, 5, "", [], {})),
        {"log_keys": [5]},
        {"log_keys": [_named("example.org/other")]},
        {"engine_keys": [5]},
        {"engine_keys": [{"keyid": "0" * 64, "ed25519": ENGINE.public.raw.hex()}]},
        {"engine_keys": [{"keyid": ENGINE.public.keyid, "ed25519": ENGINE.public.raw.hex(), "more": 1}]},
        {"engine_keys": [{"keyid": ENGINE.public.keyid}]},
    ],
)
def test_another_form_of_genesis_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError) as caught:
        policy.from_genesis(genesis(**change))
    assert caught.value.code == "E-POLICY"
