# SPDX-License-Identifier: Apache-2.0
"""A row is measured fold by fold, each by an engine that never saw its cases; what was measured is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.radiomics.definitions import PAPER
from radiomicnet_md_training import evaluate, harness
from radiomicnet_md_training.faithfulness import editing, page, study
from radiomicnet_md_training.results import read

pytestmark = pytest.mark.usefixtures("one_thread", "measured_once")
REGION = {"bins": 8, "bags": 1, "rounds": 20, "rate": 0.1, "seed": 1, "sensitivity": 0.9}


@pytest.fixture
def row(phantoms: Path, write_recipe: Callable[..., Path], tmp_path: Path) -> harness.Row:
    """Three folds of three phantoms, not trained."""
    return harness.open_row(write_recipe("locked", region=REGION), phantoms, tmp_path)


@pytest.mark.verifies("SRS-MOD-008")
def test_each_fold_is_measured_once_by_the_engine_that_answers_it(
    row: harness.Row, phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("interpret.glassbox", reason="absent: interpret-core")
    monkeypatch.setattr(editing, "edits", lambda *_: {})  # they take the time and have no part in this
    data, honest = row.data, study.measure
    measured: list[list[str]] = []

    def measure(*given: object) -> study.Row:
        measured.append([case.name for case in given[1]])
        seen = {data.groups[data.names.index(case.name)] for case in given[2]}
        assert not seen & {data.groups[data.names.index(name)] for name in measured[-1]}
        return honest(*given)

    monkeypatch.setattr(study, "measure", measure)
    with pytest.raises(ConfigurationError) as caught:
        study.of_row(row, 1)
    assert caught.value.code == "E-ROW-TABLES"
    lines = {line["id"]: line for line in evaluate.of(evaluate.evaluate(row, phantoms), "named")}

    found = study.of_row(row, 1, exact=0, cases_per_fold=1)
    assert measured == [[case["name"]] for case in found["cases"]]
    for fold, case in enumerate(found["cases"]):  # decided as the tables decide that never saw it
        assert data.names.index(case["name"]) in row.held_out(fold)
        assert (case["chosen"] > 0) == bool(int(lines[case["name"]]["found"]))
    assert found["summary"]["completeness"]["unequal"] == 0
    assert list(found["gradients"]) == list(PAPER)
    assert sum(found["gradients"].values()) == pytest.approx(100, abs=1e-3)
    study.store(found, tmp_path / "results")
    assert read.measured(tmp_path / "results" / "faithfulness.json") == found
    assert f"| GLCM energy | none | {found['gradients']['glcm_JointEnergy']:.2f} |" in page.page(found)

    (row.folder / "seed1" / "fold1" / study.KEPT).unlink()
    assert study.of_row(row, 1, exact=0, cases_per_fold=1) == found
    assert measured[3:] == measured[1:2]

    asked: list[tuple[int, int]] = []

    def stub(*given: object) -> study.Row:
        asked.append((given[3], len(given[1])))
        return study._whole([], 0, 0.0)

    monkeypatch.setattr(study, "measure", stub)  # asked for more, all are measured again
    study.of_row(row, 1, exact=20)
    assert sum(cases for _, cases in asked) == len(data.names)
    shares = [exact for exact, _ in asked]
    assert sum(shares) == 20
    assert max(shares) - min(shares) == 1


@pytest.mark.verifies("SRS-MOD-008")
def test_cases_are_spread_over_all() -> None:
    index = np.arange(10, 20)
    assert study._spread(index, 3).tolist() == [10, 13, 16]
    assert study._spread(index, 99).tolist() == index.tolist()
    assert study._spread(index, 0).tolist() == []
