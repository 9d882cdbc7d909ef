# SPDX-License-Identifier: Apache-2.0
"""FORMAT.md and the vectors are what the script beside them makes, and what the code says."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from radiomicnet_md_audit import policy, schema
from radiomicnet_md_audit.cosignature import Cosigner
from radiomicnet_md_audit.evidence import Evidence
from radiomicnet_md_audit.verify import Walk

pytestmark = pytest.mark.verifies("SRS-REC-006")


@pytest.fixture(scope="module")
def build(root: Path) -> ModuleType:
    """The script ``audit/vectors/build.py``."""
    spec = importlib.util.spec_from_file_location("build_vectors", root / "audit" / "vectors" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_vectors_are_those_that_the_script_makes(
    build: ModuleType, vectors: Callable[[str], dict[str, Any]]
) -> None:
    log = build.log_vector()
    made = {
        "tree": build.tree_vectors(),
        "canonical": build.canonical_vectors(),
        "envelope": build.envelope_vectors(),
        "checkpoint": build.checkpoint_vectors(log["checkpoints"][-1]),
        "log": log,
        "outside": build.outside_vectors(log["checkpoints"]),
    }
    for name, document in made.items():
        assert json.loads(json.dumps(document)) == vectors(name), name


def test_format_md_shows_the_worked_bytes(build: ModuleType, root: Path) -> None:
    text, log = (root / "audit" / "FORMAT.md").read_text("utf-8"), build.log_vector()
    for name, value in build.worked(log, build.outside_vectors(log["checkpoints"])).items():
        assert f"\n{value.strip()}\n```" in text, name


def test_the_worked_log_verifies(vectors: Callable[[str], dict[str, Any]]) -> None:
    log = vectors("log")
    walk = Walk(policy.parse(log["policy"].encode()), log["anchor"].encode())
    leaves = []
    for envelope, note in zip(log["entries"], log["checkpoints"], strict=True):
        leaves.append(walk.feed(envelope.encode(), note)[1][0].hash.hex())
    assert [claim.ok for claim in walk.claims()] == [True, True, True]
    assert walk.findings() == ()
    assert leaves == log["leaf_hashes"]


@pytest.mark.verifies("SRS-LOG-016")
def test_the_statements_count_as_the_vectors_say(vectors: Callable[[str], dict[str, Any]]) -> None:
    log, outside = vectors("log"), vectors("outside")
    trusted = replace(policy.parse(log["policy"].encode()), witnesses=(Cosigner.from_vkey(outside["witness"]),))
    for case in outside["lines"]:
        evidence, walk = Evidence(trusted), Walk(trusted, None)
        evidence.hear(case["line"].encode())
        for envelope, note in zip(log["entries"], log["checkpoints"], strict=True):
            walk.feed(envelope.encode(), note)
            evidence.grown(walk.tree.size, walk.tree.root())
        assert evidence.claims(3)[0].ok is case["claim"], case["name"]
        codes = [one.code for findings in evidence.findings() for one in findings.kept]
        assert codes == [case["code"]] * bool(case["code"]), case["name"]


@pytest.mark.verifies("SRS-LOG-001")
def test_format_md_names_the_database(root: Path) -> None:
    text = (root / "audit" / "FORMAT.md").read_text("utf-8")
    assert f"`application_id` 0x{schema.APPLICATION_ID:X}, `user_version` {schema.SCHEMA_VERSION}" in text
