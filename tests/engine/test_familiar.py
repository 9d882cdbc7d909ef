# SPDX-License-Identifier: Apache-2.0
"""An image unlike the training cases is refused by name, a result of an implausible shape is flagged and left as it is.

The reference of these tests is fitted to phantoms by the function that fits a release's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomicnet_md import phantom
from radiomicnet_md.decision import GRID
from radiomicnet_md.engine import acceptance, familiar, measure, resample
from radiomicnet_md.engine.acceptance import Limits, Refused, Screened
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.radiomics import lbp, paper
from radiomicnet_md.radiomics.definitions import PAPER
from radiomicnet_md.radiomics.region_definitions import VALUE_NAMES
from radiomicnet_md_training import familiar as fitting
from radiomicnet_md_training.dataset import Dataset

PHANTOMS = 60
ROWS, COLUMNS = 144, 180
KNOWN = 3  # cases of the data set with these numbers are asked about again
OTHERS = range(1000, 1010)  # seeds that no reference was fitted to


def on_grid(source: Any) -> Any:  # noqa: ANN401
    return resample.shrink(source, *resample.fit(*source.shape, GRID))


def thirteen(levels: Any) -> list[float]:  # noqa: ANN401
    return paper.values(levels, levels >> np.uint8(2), lbp.codes(levels)).tolist()


def values(levels: Any) -> Any:  # noqa: ANN401
    return familiar.values(levels, thirteen(levels))


@pytest.fixture(scope="module")
def drawn() -> Dataset:
    """Phantoms as a data set, each in a group of its own."""
    made = [phantom.make(seed, ROWS, COLUMNS) for seed in range(PHANTOMS)]
    images, masks = np.zeros((2, PHANTOMS, GRID, GRID), dtype=np.uint8)
    for i, one in enumerate(made):
        levels, mask = on_grid(one.pixels), on_grid(one.truth * np.uint8(255))
        images[i, : levels.shape[0], : levels.shape[1]] = levels
        masks[i, : levels.shape[0], : levels.shape[1]] = mask
    names = [f"p{i}" for i in range(PHANTOMS)]
    sizes = np.tile(np.array(on_grid(made[0].pixels).shape), (PHANTOMS, 1))
    return Dataset(names, names, [""] * PHANTOMS, [], images, masks, sizes)


@pytest.fixture(scope="module")
def fit(drawn: Dataset) -> Callable[..., familiar.Reference]:
    measured = np.array([thirteen(drawn.levels(case)) for case in range(PHANTOMS)])
    return lambda part, answers=(): fitting.fit(drawn, np.asarray(part), measured, answers)


@pytest.fixture(scope="module")
def reference(fit: Callable[..., familiar.Reference]) -> familiar.Reference:
    return fit(range(PHANTOMS))


def decision(levels: Any, *regions: dict[str, int]) -> Any:  # noqa: ANN401
    """The parts of a decision that are screened."""
    chosen = tuple(SimpleNamespace(values={**dict.fromkeys(VALUE_NAMES, 0), **region}) for region in regions)
    return SimpleNamespace(levels=levels, paper_values=dict(zip(PAPER, thirteen(levels), strict=True)), chosen=chosen)


def text_page() -> Any:  # noqa: ANN401
    """Words as dark blocks of several widths on white."""
    random = np.random.Generator(np.random.PCG64(3))
    page = np.full((ROWS, COLUMNS), 255, dtype=np.uint8)
    for top in range(8, ROWS - 8, 12):
        for left in range(8, COLUMNS - 8, 6):
            if random.random() < 0.8:
                page[top : top + 7, left : left + int(random.integers(2, 6))] = 0
    return page


NOISE = np.random.Generator(np.random.PCG64(1)).integers(0, 256, (ROWS, COLUMNS), dtype=np.uint8)
OUTSIDERS = {
    "inverted": 255 - phantom.make(OTHERS[0], ROWS, COLUMNS).pixels,
    "noise": NOISE,
    "text": text_page(),
    "ramp": np.tile(np.linspace(0, 255, COLUMNS).astype(np.uint8), (ROWS, 1)),
}


@pytest.mark.verifies("SRS-ACC-001")
@pytest.mark.parametrize("kind", OUTSIDERS)
def test_an_unlike_image_is_refused_and_the_refusal_names_the_value_farthest_outside(
    kind: str, reference: familiar.Reference
) -> None:
    levels = on_grid(OUTSIDERS[kind])
    answer = acceptance.screen(decision(levels), Limits(reference=reference))
    assert isinstance(answer, Refused)
    assert answer.code == "E-GATE-UNFAMILIAR"
    (check,) = answer.checks
    assert (check.name, check.held) == ("familiar", False)
    farthest = familiar.NAMES[reference.judge(values(levels)).farthest]
    assert farthest in check.value
    assert farthest in answer.text
    assert answer.remedy


@pytest.mark.verifies("SRS-ACC-001")
def test_phantoms_that_the_reference_never_saw_are_familiar(reference: familiar.Reference) -> None:
    limits = Limits(reference=reference)
    fresh = [on_grid(phantom.make(seed, ROWS, COLUMNS).pixels) for seed in OTHERS]
    held = [isinstance(acceptance.screen(decision(levels), limits), Screened) for levels in fresh]
    assert sum(held) >= len(held) - 1


@pytest.mark.verifies("SRS-ACC-001")
def test_the_middle_is_inside_at_distance_zero(reference: familiar.Reference) -> None:
    outside = reference.judge(np.array(reference.middle))
    assert outside.distance == 0
    assert reference.say(np.array(reference.middle))[2]


@pytest.mark.verifies("SRS-ACC-001")
def test_the_limit_itself_is_inside_and_one_less_refuses(reference: familiar.Reference) -> None:
    measured = values(on_grid(NOISE))
    distance = reference.judge(measured).distance
    assert replace(reference, limit=distance).say(measured)[2]
    assert not replace(reference, limit=distance - 1).say(measured)[2]


@pytest.mark.verifies("SRS-ACC-001")
@settings(max_examples=40)
@given(ray=st.integers(0, 2**32 - 1), nearer=st.floats(0.1, 5), farther=st.floats(1.1, 4))
def test_farther_along_any_ray_from_the_middle_is_a_larger_distance(
    reference: familiar.Reference, ray: int, nearer: float, farther: float
) -> None:
    random = np.random.Generator(np.random.PCG64(ray))
    middle = np.array(reference.middle)
    way = random.normal(size=len(middle)) * (np.array(reference.high) - middle)
    near, far = (reference.judge(middle + scale * way).distance for scale in (nearer, nearer * farther))
    assert near < far


@pytest.mark.verifies("SRS-ACC-001")
@settings(max_examples=20)
@given(order=st.permutations(range(len(familiar.NAMES))))
def test_the_distance_is_the_sum_of_its_shares_in_any_order(reference: familiar.Reference, order: list[int]) -> None:
    measured = values(on_grid(OUTSIDERS["inverted"]))
    outside = reference.judge(measured)
    assert sum(outside.shares.tolist()) == outside.distance
    parts = {name: tuple(getattr(reference, name)[i] for i in order) for name in ("low", "middle", "high")}
    weights = tuple(tuple(reference.weights[i][j] for j in order) for i in order)
    shuffled = replace(reference, **parts, weights=weights).judge(measured[order])
    assert shuffled.distance == outside.distance
    assert order[shuffled.farthest] == outside.farthest or len(set(reference.positions(measured))) < len(order)


@pytest.mark.verifies("SRS-ACC-001")
def test_no_sum_leaves_64_bits() -> None:
    count = len(familiar.NAMES)
    heaviest = tuple((familiar.HEAVIEST,) * count for _ in range(count))
    ends = [(value,) * count for value in (-1.0, 0.0, 1.0)]
    extreme = familiar.Reference(*ends, heaviest, 0, dict.fromkeys(familiar.SHAPES, (0, 1)))
    assert extreme.is_sound()
    assert extreme.judge(np.full(count, 1e300)).distance == count * count * familiar.FARTHEST**2 * familiar.HEAVIEST
    assert count * count * familiar.FARTHEST**2 * familiar.HEAVIEST < 2**63


@pytest.mark.verifies("SRS-ACC-001")
def test_values_are_exact_means_of_the_levels() -> None:
    levels = (np.arange(16)[:, None] + np.zeros((1, 24))).astype(np.uint8)
    found = dict(zip(familiar.NAMES, familiar.values(levels, [0.0] * len(PAPER)).tolist(), strict=True))
    assert found["mean grey, depth part 1 of 4"] == 1.5
    assert found["mean grey, right strip"] == 7.5
    assert (found["mean step down, 4 px"], found["mean step across, 4 px"]) == (4.0, 0.0)
    assert (found["grey level at 5 %"], found["grey level at 95 %"]) == (0.0, 15.0)
    flat = familiar.values(np.zeros((3, 192), dtype=np.uint8), [0.0] * len(PAPER))
    assert np.isfinite(flat).all()


@pytest.mark.verifies("SRS-ACC-001")
def test_a_release_without_a_reference_decides_and_says_so() -> None:
    answer = acceptance.screen(decision(on_grid(NOISE)), Limits())
    assert isinstance(answer, Screened)
    assert [(c.name, c.value, c.limit, c.held) for c in answer.checks] == [
        ("familiar", "not judged", "not in this release", True)
    ]


@pytest.mark.verifies("SRS-ACC-001")
def test_limits_with_a_reference_are_read_as_they_were_written(reference: familiar.Reference) -> None:
    limits = Limits(reference=reference)
    assert Limits.from_json(limits.to_json()) == limits
    assert Limits.from_json(Limits().to_json()).reference is None


def _without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda stored: stored.pop(name)


def _changed(name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], object]:
    return lambda stored: stored.update({name: change(stored[name])})


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    **{f"no {name}": _without(name) for name in ("values", "low", "middle", "high", "weights", "limit", "shapes")},
    "one field more": lambda stored: stored.update(more=1),
    "a value renamed": _changed("values", lambda names: [*names[:-1], "another"]),
    "one end less": _changed("low", lambda ends: ends[:-1]),
    "ends that do not ascend": _changed("low", lambda ends: [(1e9).hex(), *ends[1:]]),
    "an end that is no number": _changed("high", lambda ends: ["nan", *ends[1:]]),
    "an end without end": _changed("high", lambda ends: ["inf", *ends[1:]]),
    "an end as a plain float": _changed("high", lambda ends: [1.5, *ends[1:]]),
    "one row less": _changed("weights", lambda rows: rows[:-1]),
    "rows of different length": _changed("weights", lambda rows: [rows[0][:-1], *rows[1:]]),
    "weights that are not symmetric": _changed("weights", lambda rows: [[*rows[0][:-1], rows[0][-1] + 1], *rows[1:]]),
    "a weight that is too heavy": _changed("weights", lambda rows: [[familiar.HEAVIEST + 1, *rows[0][1:]], *rows[1:]]),
    "a weight that is no integer": _changed("weights", lambda rows: [[rows[0][0] + 0.5, *rows[0][1:]], *rows[1:]]),
    "a limit as text": _changed("limit", str),
    "a shape missing": _changed("shapes", lambda shapes: {k: v for k, v in shapes.items() if k != "area"}),
    "a shape with one end": _changed("shapes", lambda shapes: {**shapes, "area": shapes["area"][:1]}),
    "a shape whose ends are exchanged": _changed("shapes", lambda shapes: {**shapes, "area": shapes["area"][::-1]}),
}  # fmt: skip


@pytest.mark.verifies("SRS-ACC-001")
@pytest.mark.parametrize("defect", BROKEN)
def test_a_reference_that_is_not_whole_is_no_limits(defect: str, reference: familiar.Reference) -> None:
    stored = json.loads(Limits(reference=reference).to_json())
    BROKEN[defect](stored["reference"])
    with pytest.raises(ConfigurationError) as caught:
        Limits.from_json(json.dumps(stored))
    assert caught.value.code == "E-LIMITS"


@pytest.mark.verifies("SRS-ACC-001")
def test_the_reference_is_fitted_to_its_part_alone(drawn: Dataset, fit: Callable[..., familiar.Reference]) -> None:
    part = np.arange(PHANTOMS // 2)
    before = fit(part)
    images = drawn.images.copy()
    images[PHANTOMS // 2 :] = 255 - images[PHANTOMS // 2 :]
    other = replace(drawn, images=images)
    measured = np.array([thirteen(other.levels(case)) for case in range(PHANTOMS)])
    assert fitting.fit(other, part, measured, ()) == before


@pytest.mark.verifies("SRS-ACC-001")
def test_about_the_stated_share_of_training_cases_lies_outside(drawn: Dataset, reference: familiar.Reference) -> None:
    inside = [reference.say(values(drawn.levels(case)))[2] for case in range(PHANTOMS)]
    assert sum(inside) >= PHANTOMS * (1 - fitting.OUTSIDE)


@pytest.mark.verifies("SRS-ACC-001")
def test_the_engine_measures_the_values_that_the_reference_was_fitted_to(drawn: Dataset) -> None:
    preprocessing = measure.Preprocessing(2, (measure.Scale(7, 1, relative=False),), mirrored=False)
    source = phantom.make(KNOWN, ROWS, COLUMNS).pixels
    measured = measure.measure(source, preprocessing)
    assert (measured.levels == drawn.levels(KNOWN)).all()
    assert measured.paper.tolist() == thirteen(drawn.levels(KNOWN))


USUAL = {"area": 3000, "solidity": 3900, "at the image border": 0}
SHAPES = {"regions": (1, 2), "area": (300, 30_000), "solidity": (2900, 4040), "at the image border": (0, 200)}


@pytest.fixture(scope="module")
def limits(reference: familiar.Reference) -> Limits:
    """The phantoms' reference with shapes of our own."""
    return Limits(reference=replace(reference, shapes=SHAPES))


def flags(limits: Limits, drawn: Dataset, *regions: dict[str, int]) -> list[str]:
    answer = acceptance.screen(decision(drawn.levels(KNOWN), *regions), limits)
    assert isinstance(answer, Screened)
    assert [check.name for check in answer.checks] == ["familiar", *familiar.SHAPES]
    return [check.name for check in answer.checks if not check.held]


@pytest.mark.verifies("SRS-ACC-002")
def test_a_usual_result_and_no_lesion_are_not_flagged(limits: Limits, drawn: Dataset) -> None:
    assert flags(limits, drawn, USUAL) == []
    assert flags(limits, drawn, USUAL, USUAL) == []
    assert flags(limits, drawn) == []


@pytest.mark.verifies("SRS-ACC-002")
@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("area", 300, 299),
        ("area", 30_000, 30_001),
        ("solidity", 2900, 2899),
        ("solidity", 4040, 4041),
        ("at the image border", 200, 201),
    ],
)
def test_each_end_is_usual_and_one_beyond_it_is_flagged(
    name: str, inside: int, outside: int, limits: Limits, drawn: Dataset
) -> None:
    assert flags(limits, drawn, {**USUAL, name: inside}) == []
    assert flags(limits, drawn, {**USUAL, name: outside}) == [name]


@pytest.mark.verifies("SRS-ACC-002")
def test_one_odd_region_among_several_is_enough_and_areas_add_up(limits: Limits, drawn: Dataset) -> None:
    assert flags(limits, drawn, USUAL, {**USUAL, "solidity": 1000}) == ["solidity"]
    assert flags(limits, drawn, *[{**USUAL, "area": 15_001}] * 2) == ["area"]
    assert flags(limits, drawn, *[USUAL] * 3) == ["regions"]


@pytest.mark.verifies("SRS-ACC-002")
def test_a_flag_says_value_limit_and_what_to_do(limits: Limits, drawn: Dataset) -> None:
    answer = acceptance.screen(decision(drawn.levels(KNOWN), {**USUAL, "solidity": 1024}), limits)
    (flag,) = [check for check in answer.checks if not check.held]
    assert (flag.name, flag.value, flag.limit) == ("solidity", "0.2500", "0.7080 … 0.9863")
    assert flag.remedy


@pytest.mark.verifies("SRS-ACC-002")
def test_usual_shapes_are_those_of_drawn_masks_and_right_answers(
    drawn: Dataset, reference: familiar.Reference, fit: Callable[..., familiar.Reference]
) -> None:
    assert reference.shapes["regions"] == (1, 1)
    (true,) = fitting.regions(drawn.masks[0, : drawn.sizes[0][0], : drawn.sizes[0][1]] > 127)
    assert reference.shapes["area"][0] <= true["area"] <= reference.shapes["area"][1]
    odd = {**true, "solidity": 100}
    wrong, right = (fitting.Answer(0, [odd, true], dice) for dice in (fitting.RIGHT - 0.01, fitting.RIGHT))
    assert fit(range(PHANTOMS), [wrong]).shapes == reference.shapes
    widened = fit(range(PHANTOMS), [right]).shapes
    assert widened["solidity"] == (100, reference.shapes["solidity"][1])
    assert widened["regions"] == (1, 2)
    assert fit(range(1, PHANTOMS), [right]).shapes["regions"] == (1, 1)  # of a case that is not of the part


@pytest.mark.verifies("SRS-ACC-002")
def test_a_part_without_a_lesion_has_no_usual_shape(drawn: Dataset) -> None:
    blank = replace(drawn, masks=np.zeros_like(drawn.masks))
    with pytest.raises(ConfigurationError) as caught:
        fitting.fit(blank, np.arange(20), np.zeros((PHANTOMS, len(PAPER))), ())
    assert caught.value.code == "E-NO-LESIONS"
