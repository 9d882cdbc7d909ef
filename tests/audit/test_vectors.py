# SPDX-License-Identifier: Apache-2.0
"""The vectors of proofs, records, policies, anchors and manifests are accepted or refused as they say."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md_audit import anchor, bundle, dsse, proof, statement
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.note import NoteKey
from radiomicnet_md_audit.sign import VerifyingKey

pytestmark = pytest.mark.verifies("SRS-REC-006", "SRS-LOG-005")

Vectors = Callable[[str], dict[str, Any]]
FORMS = ("inclusion", "consistency", "record", "policy", "anchor", "manifest")


def verify(form: str, file: dict[str, Any], case: dict[str, Any]) -> object:
    """What the verifier makes of a case; raises where it refuses it."""
    keys = [NoteKey.from_vkey(text) for text in file.get("vkeys", ())]
    if form == "inclusion":
        return proof.parse_inclusion(case["proof"]).verify(bytes.fromhex(case["leaf"]), keys, file["origin"])
    if form == "consistency":
        return proof.parse_consistency(case["proof"]).verify(case["old"], keys, file["origin"])
    if form == "record":
        return statement.parse(case["payload"].encode())
    if form == "policy":
        return policies.parse(case["policy"].encode("utf-8", "surrogatepass"))
    if form == "anchor":
        return list(anchor.parse(case["anchor"].encode()))
    return bundle.parse_manifest(case["payload"].encode())


@pytest.mark.parametrize("form", FORMS)
def test_the_vectors_are_those_that_the_script_makes(form: str, root: Path, vectors: Vectors) -> None:
    made = runpy.run_path(str(root / "audit" / "vectors" / "build_forms.py"))["FILES"][form]()
    assert json.loads(json.dumps(made)) == vectors(form)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_right_is_accepted(form: str, vectors: Vectors) -> None:
    file = vectors(form)
    assert file["accept"]
    for case in file["accept"]:
        read: Any = verify(form, file, case)
        if form in ("inclusion", "consistency"):
            assert read.size == 7
        if form == "record":
            assert read.record_id == case["record_id"]
        if form == "policy":
            assert read.origin == case["origin"]
            assert {3: list(read.engine_keys_at(3)), 4: list(read.engine_keys_at(4))} == {
                3: case["engine_keys_at_3"],
                4: case["engine_keys_at_4"],
            }
        if form == "anchor":
            assert [line.size for line in read] == list(range(1, case["size"] + 1))
        if form == "manifest":
            key = VerifyingKey(bytes.fromhex(file["ed25519"]))
            opened = dsse.open_(case["envelope"].encode(), {key.keyid: key}, file["payload_type"])
            assert opened.payload == case["payload"].encode() == read.payload()


@pytest.mark.parametrize("form", FORMS)
def test_what_is_wrong_is_refused_for_the_reason_it_names(form: str, vectors: Vectors) -> None:
    file = vectors(form)
    assert len(file["reject"]) >= 12
    found = {}
    for case in file["reject"]:
        try:
            verify(form, file, case)
            found[case["name"]] = "accepted"
        except IntegrityError as problem:
            found[case["name"]] = problem.code
    assert found == {case["name"]: case["code"] for case in file["reject"]}
