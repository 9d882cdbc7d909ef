# SPDX-License-Identifier: Apache-2.0
"""The page of the closed split is what was signed, and what was signed follows from its own cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radiomicnet_md_traceability import load
from radiomicnet_md_validation import acceptance, performance_recorded
from radiomicnet_md_validation.statistics import Interval, bca, clopper_pearson

pytestmark = pytest.mark.verifies("SRS-PRF-001", "SRS-PRF-003")


@pytest.fixture
def found(root: Path) -> dict[str, object]:
    return performance_recorded.read(root / performance_recorded.RECORD)


def test_the_page_is_what_was_recorded(root: Path, found: dict[str, object]) -> None:
    assert (root / performance_recorded.PAGE).read_text(encoding="utf-8") == performance_recorded.page(found)


def test_the_demands_of_the_record_are_those_of_today(root: Path, found: dict[str, list[dict[str, str]]]) -> None:
    now = {one.id: one.sha256 for one in acceptance.objectives(load.folder() / "acceptance" / "objects.yaml")}
    assert {one["id"]: one["sha256"] for one in found["acceptance"]} == now
    for line in (root / performance_recorded.FOR_TRACE).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        judged = next(one for one in found["acceptance"] if one["id"] == row["id"])
        assert (row["sha256"], row["n"], row["status"]) == (judged["sha256"], judged["n"], judged["verdict"])
        assert f"{row['value']:.6f}" == judged["bound"]


def test_every_bound_follows_from_the_recorded_cases(found: dict[str, list[dict[str, str]]]) -> None:
    cases = sorted(found["cases"], key=lambda one: one["id"])  # as they were scored: the draws follow the order
    lesions = [one for one in cases if one["class"] != "normal"]
    normals = [one for one in cases if one["class"] == "normal" and one["status"] == "accepted"]
    dice = bca([float(one["dice"]) for one in lesions], [one["group"] for one in lesions], level=0.9, seed=20260101)
    missed = clopper_pearson(sum(not one["common_px"] for one in lesions), len(lesions), 0.9)
    false = clopper_pearson(sum(bool(one["found_px"]) for one in normals), len(normals), 0.9)
    assert isinstance(dice, Interval)
    assert isinstance(missed, Interval)
    assert isinstance(false, Interval)
    bounds = {one["id"]: float(one["bound"]) for one in found["acceptance"]}
    assert bounds == pytest.approx({"AC-DSC-01": dice.low, "AC-MIS-01": missed.high, "AC-FAL-01": false.high}, abs=2e-5)
