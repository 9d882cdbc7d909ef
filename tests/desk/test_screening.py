# SPDX-License-Identifier: Apache-2.0
"""What only measured values can tell, on its way through the desk: refused as unfamiliar, or delivered with a flag."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radiomicnet_md.commands.segment import text
from radiomicnet_md.decision import Decision
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Desk, segment_file
from radiomicnet_md.engine import familiar
from radiomicnet_md.engine.acceptance import Limits
from radiomicnet_md.engine.familiar import Reference
from radiomicnet_md.errors import ExitCode
from radiomicnet_md.radiomics.definitions import PAPER
from radiomicnet_md.review.text import answer as sentence
from tests import desks

COUNT = len(familiar.NAMES)
ANYTHING = dict.fromkeys(familiar.SHAPES, (0, 1 << 20))


def reference(limit: int, **shapes: tuple[int, int]) -> Reference:
    """Ranges of −1 … 1 without correlations, and shapes of which all but the named admit anything."""
    ends = ((-1.0,) * COUNT, (0.0,) * COUNT, (1.0,) * COUNT)
    return Reference(*ends, tuple(map(tuple, np.eye(COUNT, dtype=np.int64).tolist())), limit, {**ANYTHING, **shapes})


@dataclass
class MeasuringEngine(desks.FakeEngine):
    """The fake engine, with all of the paper's values."""

    def decide(self, levels_source: Any, spacing_mm: tuple[float, float] | None) -> Decision:  # noqa: ANN401
        return replace(super().decide(levels_source, spacing_mm), paper_values=dict.fromkeys(PAPER, 0.5))


def predicate(desk: Desk) -> dict[str, Any]:
    """The last record."""
    *_, entry = desk.ledger.entries(1)
    found: dict[str, Any] = desk.ledger.read(entry).predicate
    return found


def answered(desk: Desk, folder: Path, limits: Limits) -> tuple[Any, dict[str, Any]]:
    """The answer to one picture under these limits, and its record."""
    (path,) = desks.write_images(folder / "in", "scan.png")
    with_limits = replace(desk, engine=MeasuringEngine(limits=limits))
    return segment_file(path, with_limits, Target(folder / "out", "scan")), predicate(desk)


@pytest.mark.verifies("SRS-ACC-001")
@pytest.mark.verifies("SRS-ACC-001", rc=("RC-010",))
def test_an_unfamiliar_image_is_refused_recorded_and_leaves_nothing(desk: Desk, tmp_path: Path) -> None:
    answer, record = answered(desk, tmp_path, Limits(reference=reference(0)))
    assert (answer.status, answer.exit_code) == ("refused", ExitCode.INTENDED_USE)
    assert answer.reason.code == "E-GATE-UNFAMILIAR"
    assert desks.tree(tmp_path / "out") == {}
    assert (record["state"], record["decision"], record["outputs"]) == ("REFUSED", None, None)
    assert [check["name"] for check in record["checks"] if not check["held"]] == ["familiar"]
    assert answer.flags == ()


@pytest.mark.verifies("SRS-ACC-001")
def test_a_release_without_a_reference_records_that_nothing_was_judged(desk: Desk, tmp_path: Path) -> None:
    answer, record = answered(desk, tmp_path, Limits())
    assert (answer.status, answer.flags) == ("accepted", ())
    assert record["checks"][-1] == {
        "name": "familiar", "value": "not judged", "limit": "not in this release", "held": True,
    }  # fmt: skip


@pytest.mark.verifies("SRS-ACC-002")
def test_an_implausible_result_is_delivered_unchanged_with_its_flag(desk: Desk, tmp_path: Path) -> None:
    plain, before = answered(desk, tmp_path / "plain", Limits(reference=reference(1 << 62)))
    flagged, record = answered(desk, tmp_path, Limits(reference=reference(1 << 62, solidity=(1000, 4096))))
    assert (plain.status, plain.flags) == ("accepted", ())
    assert (flagged.status, flagged.exit_code) == ("accepted", ExitCode.OK)
    assert flagged.mask_sha256 == plain.mask_sha256
    for part in ("decision", "pixels", "outputs", "stages"):
        assert record[part] == before[part]
    assert [check["name"] for check in record["checks"] if not check["held"]] == ["solidity"]
    assert flagged.flags == ("solidity 0.0017 (usual: 0.2441 … 1.0000)",)
    assert flagged.line()["flags"] == flagged.flags
    assert "implausible: solidity 0.0017" in text(flagged)
    assert sentence(record).endswith("; implausible: solidity")
    assert "implausible" not in sentence(before)


@pytest.mark.verifies("SRS-ACC-002")
def test_the_pictures_of_a_flagged_result_say_so(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamps: list[str] = []
    monkeypatch.setattr("radiomicnet_md.review.pictures.why", lambda _, stamp: (stamps.append(stamp), b"why")[1])
    answered(desk, tmp_path / "plain", Limits(reference=reference(1 << 62)))
    answered(desk, tmp_path, Limits(reference=reference(1 << 62, regions=(2, 3))))
    assert ["implausible" in stamp for stamp in stamps] == [False, True]
