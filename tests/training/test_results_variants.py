# SPDX-License-Identifier: Apache-2.0
"""Targets are judged by stored rows alone; what varies one part stands beside the row that it varies."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from radiomicnet_md.errors import InputError
from radiomicnet_md_training import __main__, results
from radiomicnet_md_training.faithfulness import study
from radiomicnet_md_training.results import making, page, read, summary, targets, words
from radiomicnet_md_validation import statistics
from tests.training.stored_rows import lines, section, store, text, three


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Three rows: `locked`, the paper's preset with two seeds, and U-Net."""
    return three(tmp_path / "stored")


@pytest.mark.verifies("SRS-MOD-012")
def test_targets_are_judged_by_the_stored_rows_alone(stored: Path) -> None:
    rows = read.rows(stored)
    found = {told: (measured, reached) for told, measured, reached in targets.judged(rows, None, None, None)}
    dice = float(summary.cases(rows["locked"], "named").lesions.scores["dice"].mean())
    for least in (0.80, 0.76):
        judge = targets._dice(least)(targets.Found(rows, None, None, None))
        assert judge.reached == (dice >= least)
    own = sorted(rows["locked"].decisions["exact"], key=lambda line: line.id)
    for score, told in (("certified", "certified fraction ≥ 0.95 overall"), ("named", "centred share ≥ 0.75")):
        one = statistics.bca([getattr(line, score) for line in own], [line.group for line in own])
        assert isinstance(one, statistics.Interval)
        yes = one.point >= (0.95 if score == "certified" else 0.75)
        assert found[told] == (f"{words.interval(one)}, n = 60 images", "**yes**" if yes else "no")
    assert found["certified fraction ≥ 0.80 in the border band"] == ("not measured yet", "open")
    assert found["`locked` has at most 310,000 parameters"][1] == "**yes**"
    assert found["mean DSC of `locked`, named values deciding, above every baseline"][1] == "open"  # most are not run
    assert found["lower 95 % bound of the difference to U-Net > 0"][1] == "**yes**"
    faithful = {"summary": {"cases": 9, "certified": {"band": 0.5}}}
    found = {told: (measured, reached) for told, measured, reached in targets.judged(rows, faithful, None, None)}
    assert found["certified fraction ≥ 0.80 in the border band"] == ("0.500, n = 9 images", "no")
    del rows["locked"]
    assert {reached for _, _, reached in targets.judged(rows, faithful, None, None)} == {"open"}


@pytest.mark.verifies("SRS-MOD-012")
def test_a_better_baseline_is_told_although_others_are_missing(stored: Path) -> None:
    store(stored, "cmunext", lines(0.93, ("one view", "two views"), (1,)), "cmunext")
    outcome = targets._above_all(targets.Found(read.rows(stored), None, None, None))
    assert outcome.reached is False
    assert "above 2 of 3 that ran; the best of them is CMUNeXt" in outcome.measured


@pytest.mark.verifies("SRS-MOD-012")
def test_ablations_stand_beside_the_row_that_they_vary(stored: Path) -> None:
    store(stored, "ablation-paper-no-gate", lines(0.6, ("one view", "two views"), (1, 2)), "paper")
    rows = read.rows(stored)
    part, whole = (summary.cases(rows[name], "two views").lesions for name in ("ablation-paper-no-gate", "paper"))
    expected = statistics.paired_difference(part.scores["dice"], whole.scores["dice"], part.groups)
    row = next(row for row in section(text(stored), "### Of `paper`") if row[0] == "no gate")
    assert row[4] == words.interval(expected, signed=True)
    assert list(page.main_rows(rows)) == ["locked", "paper", "unet"]


@pytest.mark.verifies("SRS-MOD-012")
def test_the_small_setting_stands_apart_and_is_compared_within_itself(stored: Path) -> None:
    two = ("one view", "two views")
    for name, level in (("locked", 0.6), ("paper", 0.55), ("paper-no-gate", 0.5)):
        store(stored, f"small-{name}", [line for line in lines(level, two, (1,)) if line["fold"] == 0], folds=1)
    rows = read.rows(stored)
    made = text(stored)
    compared = made.split("DSC of the first − DSC of the second on the same lesions.", 1)[1].split("\n## ", 1)[0]
    told = [line.strip("| ").split(" | ")[:3] for line in compared.splitlines() if line.startswith("| `small-")]
    assert [row[:2] for row in told] == [
        ["`small-paper`", "`small-locked`"],
        ["`small-paper-no-gate`", "`small-paper`"],
    ]
    one, whole = (summary.cases(rows[f"small-{name}"], "two views") for name in ("paper-no-gate", "paper"))
    assert told[1][2] == words.interval(summary.difference(one, whole), signed=True)
    assert list(page.main_rows(rows)) == ["locked", "paper", "unet"]


@pytest.mark.verifies("SRS-MOD-012")
def test_scores_are_averaged_over_seeds_before_cases(stored: Path) -> None:
    rows = read.rows(stored)
    both = summary.cases(rows["paper"], "two views")
    single = [summary.cases(rows["paper"], "two views", seed) for seed in (1, 2)]
    assert both.count == 60
    np.testing.assert_allclose(both.scores["dice"], (single[0].scores["dice"] + single[1].scores["dice"]) / 2)
    assert summary.seeds(rows["paper"], "two views") == {
        seed: pytest.approx(float(one.lesions.scores["dice"].mean())) for seed, one in zip((1, 2), single, strict=True)
    }
    twice = sum(one.scores["found"] == 0 for one in single)
    assert summary.missed(both).wrong == int((twice[both.lesion] >= 1).sum())


@pytest.mark.verifies("SRS-MOD-012")
def test_no_limit_of_the_rest_is_infinity_and_stands_last(stored: Path) -> None:
    for name in ("rho-inf", "rho-0"):
        store(stored, name, lines(0.7, ("one view", "two views"), (1,)))
    at = stored / "rho-inf" / "run.json"
    run = json.loads(at.read_text())
    run["recipe"]["network"]["options"] = {"rho": None}  # as JSON writes infinity
    at.write_text(json.dumps(run))
    table = section(text(stored), "## The limit of the rest")
    assert [row[:2] for row in table[2:]] == [["0", "`rho-0`"], ["1", "`locked`"], ["∞", "`rho-inf`"]]


@pytest.mark.verifies("SRS-MOD-012")
def test_tables_without_a_group_of_values_are_an_ablation_of_the_region_layer(tmp_path: Path) -> None:
    told = lines(0.8, ("one view", "two views", "exact", "named", "named without texture", "oracle"), (1,))
    store(tmp_path, "locked", told)
    rows = read.rows(tmp_path)
    part, whole = (summary.cases(rows["locked"], name).lesions for name in ("named without texture", "named"))
    expected = statistics.paired_difference(part.scores["dice"], whole.scores["dice"], part.groups)
    (row,) = [row for row in section(text(tmp_path), "### Of `locked`") if row[1] == "named without texture"]
    assert row[4] == words.interval(expected, signed=True)
    assert "named without texture" not in page.decisions(rows["locked"])


@pytest.mark.verifies("SRS-MOD-012")
def test_what_other_programs_measured_is_shown_and_volumes_are_no_row(stored: Path, tmp_path: Path) -> None:
    one = {"mean": 0.7, "median": 0.75, "least": 0.0, "missed": 1}
    volumes = {
        "notice": "a notice",
        "parameters": 1234,
        "training_seconds": 600.0,
        "splits": {"val": {"n": 24, "dice": one}},
    }
    (stored / "hippocampus").mkdir()
    (stored / "hippocampus" / "run.json").write_text(json.dumps(volumes))
    (stored / "faithfulness.json").write_text(json.dumps(study._whole([], 0, 0.0)))
    results.tables(stored, tmp_path / "out")
    made = (tmp_path / "out" / "results.md").read_text()
    assert section(made, "## Three dimensions")[2] == [
        "val",
        "all labels together",
        "24",
        "0.700",
        "0.750",
        "0.000",
        "1",
    ]
    assert made.count("## Faithfulness\n") == 1
    (stored / "faithfulness.json").write_text("{")
    with pytest.raises(InputError) as caught:
        results.tables(stored, tmp_path / "out")
    assert caught.value.code == "E-RESULTS-TORN"


@pytest.mark.verifies("SRS-MOD-012")
def test_the_commands_on_the_page_are_those_of_the_program() -> None:
    start = "python -m radiomicnet_md_training "
    printed = [line.removeprefix(start) for line in making.commands().splitlines() if line.startswith(start)]
    parsed = [__main__._parser().parse_args(line.split()) for line in printed]
    assert [one.command for one in parsed] == ["train", "evaluate", "tables"]
