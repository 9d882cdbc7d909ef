# SPDX-License-Identifier: Apache-2.0
"""What is reported of a set of cases, figure by figure, from cases made by hand: what counts, and whose interval."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from radiomicnet_md_validation import performance
from radiomicnet_md_validation.case_set import Case
from radiomicnet_md_validation.metrics import Scores, score
from radiomicnet_md_validation.performance import DESCRIPTIVE, Figure, Scored, Told
from radiomicnet_md_validation.statistics import Interval, bca, clopper_pearson

pytestmark = pytest.mark.verifies("SRS-PRF-007")

RESULT, REFUSED = Told("accepted", "", "0" * 26, 1), Told("refused", "E-GATE-SIZE", "1" * 26, 2)
WORST = Scores(dice=0.0, iou=0.0, precision=0.0, recall=0.0, nsd=0.0, hd95=50.0)


def lesion(number: int, **more: object) -> Scored:
    """A lesion that shares its group with one other; every value is its own."""
    x = number / 100
    made = Scored(
        id=f"c{number:02}",
        group=f"g{number // 2}",
        kind=("benign", "malignant")[number % 2],
        device=("probe 7", "probe 9")[number // 16],
        told=RESULT,
        truth_px=100 + number,
        found_px=110,
        size_px=1000,
        common_px=90,
        scores=Scores(
            dice=0.5 + x, iou=0.4 + x**2, precision=0.9 - x, recall=0.3 + x / 2, nsd=0.6 - x, hd95=3 + number
        ),
    )
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


def normal(number: int, **more: object) -> Scored:
    """An image without a lesion in which nothing was drawn."""
    nothing = {"truth_px": 0, "found_px": 0, "common_px": 0, "kind": "normal", "group": f"n{number}"}
    return lesion(number, **{**nothing, **more})


# Of 24 lesions one was refused, one outlined elsewhere, one not at all; of 22 normal images two refused, three drawn.
LESIONS = [
    *(lesion(number) for number in range(21)),
    lesion(21, told=REFUSED, found_px=0, common_px=0, scores=WORST),
    lesion(22, common_px=0, scores=WORST),
    lesion(23, found_px=0, common_px=0, scores=WORST),
]
NORMALS = [
    *(normal(number) for number in range(17)),
    *(normal(number, found_px=number) for number in (17, 18, 19)),
    *(normal(number, told=REFUSED) for number in (20, 21)),
]
GROUPS = [one.group for one in LESIONS]


def test_each_figure_is_of_the_cases_that_it_is_about() -> None:
    means = [
        ("Dice", "", [one.scores.dice for one in LESIONS]),
        ("IoU", "", [one.scores.iou for one in LESIONS]),
        ("Precision", "", [one.scores.precision for one in LESIONS]),
        ("Recall", "", [one.scores.recall for one in LESIONS]),
        ("Normalised surface Dice, 2 px", "", [one.scores.nsd for one in LESIONS]),
        ("Hausdorff distance, 95 %", "px", [one.scores.hd95 for one in LESIONS]),
        ("Relative error of the area", "", [abs(one.found_px - one.truth_px) / one.truth_px for one in LESIONS]),
    ]
    shares = [
        ("Missed lesions (no true pixel, or no answer)", 3, 24, 12),
        ("Lesions not outlined at all (failures)", 2, 24, 12),
        ("Normal images with a false region", 3, 20, 20),
        ("Cases without an answer", 3, 46, 34),
    ]
    expected = [filled(name, unit, 24, 12, bca(values, GROUPS)) for name, unit, values in means]
    expected += [filled(name, "", n, groups, clopper_pearson(events, n)) for name, events, n, groups in shares]
    assert performance.figures([*LESIONS, *NORMALS]) == expected
    assert expected[0].low != bca(means[0][2]).low, "groups count"  # type: ignore[union-attr]


def filled(name: str, unit: str, n: int, groups: int, found: object) -> Figure:
    assert isinstance(found, Interval)
    return Figure(name, unit, n, groups, found.point, found.low, found.high)


@pytest.mark.parametrize(("n", "note"), [(19, DESCRIPTIVE), (20, "")])
def test_below_twenty_cases_a_figure_has_no_interval_and_says_so(n: int, note: str) -> None:
    dice, *_ = performance.figures(LESIONS[:n])
    assert (dice.name, dice.unit, dice.n, dice.groups, dice.note) == ("Dice", "", n, 10, note)
    assert dice.point == pytest.approx(np.mean([one.scores.dice for one in LESIONS[:n]]))
    assert (dice.low is None, dice.high is None) == (bool(note), bool(note))


def test_where_there_is_no_case_there_is_no_figure() -> None:
    assert {dataclasses.astuple(one)[2:] for one in performance.figures([])} == {(0, 0, None, None, None, "no case")}


def test_where_all_are_alike_the_reason_stands_in_place_of_the_interval() -> None:
    alike = [lesion(number, group=f"g{number}", scores=LESIONS[5].scores) for number in range(20)]
    *_, distance, _, _, _, _, _ = performance.figures(alike)
    reason = bca([8.0] * 20).reason  # type: ignore[union-attr]
    assert "same value" in reason
    assert distance == Figure("Hausdorff distance, 95 %", "px", 20, 20, 8.0, None, None, reason)


def test_one_pixel_is_a_lesion_and_a_region() -> None:
    assert lesion(0, truth_px=1).lesion
    assert lesion(0, found_px=1).found
    assert not lesion(0, truth_px=0).lesion
    assert not lesion(0, found_px=0).found
    assert lesion(0, common_px=0).missed
    assert not lesion(0, common_px=1).missed
    assert not normal(0).missed, "there is nothing to miss"


def scored(prediction: Sequence[int] | None, truth: Sequence[int]) -> Scored:
    nowhere = Path("nowhere")
    case = Case("one", "group", "benign", "probe 7", nowhere, nowhere, "0" * 64, "0" * 64)
    drawn = None if prediction is None else np.array([prediction], dtype=bool)
    told = REFUSED if prediction is None else RESULT
    return performance.scored(case, told, np.array([truth], dtype=bool), drawn)


def test_an_answer_is_counted_and_scored_with_what_the_case_says() -> None:
    truth, drawn = [0, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1]
    worth = score(np.array([drawn], dtype=bool), np.array([truth], dtype=bool))
    assert scored(drawn, truth) == Scored("one", "group", "benign", "probe 7", RESULT, 3, 4, 6, 2, worth)


def test_no_answer_is_the_worst_one_and_nothing_drawn_where_nothing_is_the_best() -> None:
    truth, nothing = [0, 1, 1, 0], [0, 0, 0, 0]
    miss = score(np.array([nothing], dtype=bool), np.array([truth], dtype=bool))
    assert scored(None, truth) == dataclasses.replace(scored(nothing, truth), told=REFUSED)
    assert scored(nothing, truth).scores == scored(None, nothing).scores == miss
    assert scored(nothing, nothing).scores == Scores(1, 1, 1, 1, 1, 0)
    assert (scored(None, nothing).found_px, scored(None, nothing).found) == (0, False)


def test_subgroups_are_by_class_tertile_of_the_share_of_the_image_and_device() -> None:
    """The largest lesion lies in the largest image: what counts is its share."""
    cases = [*LESIONS[:22], lesion(22, truth_px=5000, size_px=100_000), NORMALS[0]]
    by_share = sorted(cases[:-1], key=lambda one: one.truth_px / one.size_px)
    assert by_share[0].id == "c22"
    parts = [
        ("class: benign", [one for one in cases[:-1] if one.kind == "benign"]),
        ("class: malignant", [one for one in cases[:-1] if one.kind == "malignant"]),
        ("size: smallest third (5.0% to 10.5% of the image)", by_share[:7]),
        ("size: middle third (10.6% to 11.3% of the image)", by_share[7:15]),
        ("size: largest third (11.4% to 12.1% of the image)", by_share[15:]),
        ("device: probe 7", cases[:16]),
        ("device: probe 9", cases[16:-1]),
    ]
    found = performance.subgroups(cases)
    assert [name for name, _, _ in found] == [name for name, _ in parts]
    for (_, dice, missed), (_, some) in zip(found, parts, strict=True):
        n, groups = len(some), len({one.group for one in some})
        assert dice == Figure(
            "Dice", "", n, groups, pytest.approx(np.mean([one.scores.dice for one in some])), None, None, DESCRIPTIVE
        )
        assert missed == Figure("Missed", "", n, groups, sum(one.missed for one in some) / n, None, None, DESCRIPTIVE)


def test_parts_without_a_case_are_not_shown() -> None:
    two = performance.subgroups([lesion(0), lesion(2)])
    assert [name.partition(" (")[0] for name, _, _ in two] == [
        "class: benign",
        "size: middle third",
        "size: largest third",
        "device: probe 7",
    ]
    assert performance.subgroups(NORMALS) == []
