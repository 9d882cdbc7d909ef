# SPDX-License-Identifier: Apache-2.0
"""The vectors of people and signatures are accepted or refused as they say, by the walk that every verifier makes."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md_audit import dsse, statement
from radiomicnet_md_audit.attested import Attested
from radiomicnet_md_audit.sign import VerifyingKey

pytestmark = pytest.mark.verifies("SRS-SIG-006", "SRS-LOG-005", "SRS-QUA-001")


def codes(file: dict[str, Any], entries: Sequence[str]) -> list[str | None]:
    """What is found at each of the file's first entries and then at these, None for nothing."""
    key, walk = VerifyingKey(bytes.fromhex(file["ed25519"])), Attested()
    found: list[str | None] = []
    for text in (*file["log"], *entries):
        opened = dsse.open_(text.encode(), {key.keyid: key}, dsse.STATEMENT_TYPE)
        problem = walk.take(text.encode(), statement.parse(opened.payload), file["origin"])
        found.append(None if problem is None else problem.code)
    return found


def test_the_vectors_are_those_that_the_script_makes(root: Path, vectors: Callable[[str], dict[str, Any]]) -> None:
    made = runpy.run_path(str(root / "audit" / "vectors" / "build_people.py"))["people_vectors"]()
    assert json.loads(json.dumps(made)) == vectors("people")


def test_they_are_accepted_or_refused_as_they_say(vectors: Callable[[str], dict[str, Any]]) -> None:
    file = vectors("people")
    assert len(file["reject"]) >= 25
    stated = {case["name"]: case.get("code") for case in (*file["accept"], *file["reject"])}
    found = {case["name"]: codes(file, case["then"]) for case in (*file["accept"], *file["reject"])}
    assert {name: one[-1] for name, one in found.items()} == stated
    assert {code for one in found.values() for code in one[:-1]} == {None}
