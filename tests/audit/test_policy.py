# SPDX-License-Identifier: Apache-2.0
"""A policy says whom the reader trusts and for which sizes; anything unclear in it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from radiomicnet_md_audit import policy, sign, statement
from radiomicnet_md_audit.checkpoint import LogKeys
from radiomicnet_md_audit.cosignature import Cosigner
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.policy import Policy, Span

pytestmark = pytest.mark.verifies("SRS-LOG-006")

ORIGIN = "example.org/log"
ENGINE = sign.from_seed(bytes([1]) * 32)
LOG_KEYS = LogKeys(sign.from_seed(bytes([2]) * 32), sign.cosigner_from_seed(bytes([3]) * 32)).public(ORIGIN)
POLICY = Policy(ORIGIN, tuple((key, Span(1, 5)) for key in LOG_KEYS), ((ENGINE.public, Span(3)),))
WITNESS = Cosigner("witness.example/w1", sign.from_seed(bytes([4]) * 32).public)
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\nBB==\n-----END CERTIFICATE-----\n"
OUTSIDERS = replace(POLICY, witnesses=(WITNESS,), timestamp_authorities=(PEM, PEM + PEM))


def test_a_written_policy_reads_back() -> None:
    assert policy.parse(POLICY.to_json()) == POLICY


@pytest.mark.verifies("SRS-LOG-016", "SRS-LOG-017")
def test_whom_to_believe_outside_is_optional() -> None:
    assert list(json.loads(POLICY.to_json())) == ["format", "origin", "log_keys", "engine_keys"]
    assert policy.parse(OUTSIDERS.to_json()) == OUTSIDERS
    one = replace(OUTSIDERS, timestamp_authorities=())
    assert list(json.loads(one.to_json()))[4:] == ["witnesses"]
    assert policy.parse(one.to_json()) == one
    assert replace(POLICY, engine_keys=()).with_outsiders_of(OUTSIDERS) == replace(OUTSIDERS, engine_keys=())


def test_validity_is_counted_in_tree_sizes() -> None:
    assert [bool(POLICY.log_keys_at(size)) for size in (0, 1, 4, 5)] == [False, True, True, False]
    assert [bool(POLICY.engine_keys_at(size)) for size in (2, 3, 10**9)] == [False, True, True]


def edited(path: tuple[object, ...], value: object) -> bytes:
    document: Any = json.loads(POLICY.to_json())
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 10_000,
        POLICY.to_json().replace(b'"origin"', b'"format": "x", "origin"'),
        b" " * (policy.LARGEST_POLICY + 1),
        edited(("format",), "radiomicnet-md-policy/2"),
        edited(("more",), 1),
        edited(("origin",), "example.org/other"),
        edited(("origin",), "a b"),
        edited(("log_keys",), []),
        edited(("engine_keys",), []),
        edited(("log_keys", 0, "vkey"), 5),
        edited(("log_keys", 0, "vkey"), "a+b+c"),
        edited(("log_keys", 0, "from_size"), 0),
        edited(("log_keys", 0, "from_size"), value=True),
        edited(("log_keys", 0, "until_size"), 1),
        edited(("log_keys", 0, "until_size"), "5"),
        edited(("log_keys", 0, "url"), ""),
        edited(("engine_keys", 0, "keyid"), "0" * 64),
        edited(("engine_keys", 0, "ed25519"), "0" * 64),
        edited(("engine_keys", 0, "ed25519"), "zz"),
        edited(("engine_keys", 0), "key"),
        edited(("witnesses",), []),
        edited(("witnesses",), None),
        edited(("witnesses",), WITNESS.vkey()),
        edited(("witnesses",), [5]),
        edited(("witnesses",), [WITNESS.vkey(), WITNESS.vkey()]),
        edited(("witnesses",), [WITNESS.vkey(), ""]),
        edited(("witnesses",), [LOG_KEYS[0].vkey()]),
        edited(("timestamp_authorities",), []),
        edited(("timestamp_authorities",), PEM),
        edited(("timestamp_authorities",), [PEM, PEM]),
        edited(("timestamp_authorities",), [""]),
        edited(("timestamp_authorities",), ["words\n" + PEM]),
        edited(("timestamp_authorities",), [PEM + "words\n"]),
        edited(("timestamp_authorities",), [PEM.removesuffix("\n")]),
        edited(("timestamp_authorities",), [PEM.replace("CERTIFICATE", "PRIVATE KEY")]),
    ],
)
def test_an_unclear_policy_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        policy.parse(data)


def test_the_worked_policy(vectors: Callable[[str], dict[str, Any]]) -> None:
    read = policy.parse(vectors("log")["policy"].encode())
    assert read.to_json().decode() == vectors("log")["policy"]


@pytest.mark.verifies("SRS-REC-006")
def test_statements_have_one_shape() -> None:
    good = statement.build(statement.DECISION, {"a": "0" * 64}, {"record_id": statement.record_id(bytes(16))})
    assert statement.check_draft(good) == "0" * 26
    predicate: Any = good["predicate"]
    for broken in (
        {**good, "more": 1},
        {**good, "subject": []},
        {**good, "subject": [{"name": "", "digest": {"sha256": "0" * 64}}]},
        {**good, "subject": [{"name": "a", "digest": {"sha256": "0"}}]},
        {**good, "subject": [{"name": "a", "digest": {"sha256": "0" * 64, "md5": ""}}]},
        {**good, "_type": "https://in-toto.io/Statement/v0.1"},
        {**good, "predicate": {}},
        {**good, "predicate": {"record_id": "u" * 26}},
        {**good, "predicate": {**predicate, "log": {}}},
    ):
        with pytest.raises(IntegrityError) as caught:
            statement.check_draft(broken)
        assert caught.value.code == "E-STATEMENT-FORM"


@pytest.mark.verifies("SRS-REC-006")
def test_record_ids_are_crockford_base32() -> None:
    assert statement.record_id(b"\xff" * 16) == "7" + "z" * 25
    assert statement.RECORD_ID.fullmatch(statement.record_id(bytes(range(16))))
    assert statement.record_id(bytes(15) + b"\x20") == "0" * 24 + "10"
