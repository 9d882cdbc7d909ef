# SPDX-License-Identifier: Apache-2.0
"""The laws of what is familiar, on references small enough to be reckoned by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from radiomicnet_md.engine import familiar
from radiomicnet_md.engine.familiar import FARTHEST, HEAVIEST, NAMES, Reference
from radiomicnet_md.radiomics.definitions import PAPER

pytestmark = pytest.mark.verifies("SRS-ACC-001")

COUNT = len(NAMES)
ONE = 1 << (2 * familiar.POSITION_BITS + familiar.WEIGHT_BITS)  # a distance of 1.0
SHAPES = {"regions": (1, 2), "area": (300, 30_000), "solidity": (2900, 4040), "at the image border": (0, 200)}
# Two values: below the middle a position of 1.0 is two wide and four, above it four and one.
SMALL = Reference((8.0, -4.0), (10.0, 0.0), (14.0, 1.0), ((2, 1), (1, 3)), 20, SHAPES)


def whole(**changes: Any) -> Reference:  # noqa: ANN401 - the fields of a reference
    """A reference of all values that a release could hold."""
    weights = tuple(tuple(int(i == j) + int(i + j == 1) for j in range(COUNT)) for i in range(COUNT))
    low, middle, high = ((end,) * COUNT for end in (-1.0, 0.0, 2.0))
    return replace(Reference(low, middle, high, weights, 7, SHAPES), **changes)


# --------------------------------------------------------------------------------------------- the values


def by_name(levels: NDArray[np.uint8]) -> dict[str, float]:
    return dict(zip(NAMES, familiar.values(levels, [float(i) for i in range(len(PAPER))]).tolist(), strict=True))


def mean(part: list[int]) -> float:
    return sum(part) / len(part)


def test_each_value_is_what_its_name_says() -> None:
    """Nine rows of seventeen: four parts of 2, 2, 2 and 3 rows, strips of two columns."""
    levels = np.random.Generator(np.random.PCG64(5)).integers(0, 256, (9, 17), dtype=np.uint8)
    rows, found = levels.tolist(), by_name(levels)
    assert [found[name] for name in PAPER] == list(range(len(PAPER)))
    ranked = sorted(chain(*rows))
    at = {5: 7, 25: 38, 50: 76, 75: 114, 95: 144}
    assert {share: found[f"grey level at {share} %"] for share in at} == {share: ranked[i] for share, i in at.items()}
    for band, (top, bottom) in enumerate([(0, 2), (2, 4), (4, 6), (6, 9)], start=1):
        assert found[f"mean grey, depth part {band} of 4"] == mean([*chain(*rows[top:bottom])])
    assert found["mean grey, left strip"] == mean([row[i] for row in rows for i in (0, 1)])
    assert found["mean grey, right strip"] == mean([row[i] for row in rows for i in (15, 16)])
    for step in (1, 2, 4):
        down = [abs(rows[i + step][j] - rows[i][j]) for i in range(9 - step) for j in range(17)]
        across = [abs(row[j + step] - row[j]) for row in rows for j in range(17 - step)]
        assert (found[f"mean step down, {step} px"], found[f"mean step across, {step} px"]) == (
            mean(down),
            mean(across),
        )


def test_a_part_without_a_pixel_is_zero_and_a_strip_has_at_least_one_column() -> None:
    found = by_name(np.array([[9, 1, 1, 1, 4]] * 3, dtype=np.uint8))
    assert [found[f"mean grey, depth part {band} of 4"] for band in (1, 2, 3, 4)] == [0.0, 3.2, 3.2, 3.2]
    assert (found["mean grey, left strip"], found["mean grey, right strip"]) == (9.0, 4.0)
    assert (found["mean step down, 4 px"], found["mean step across, 4 px"]) == (0.0, 5.0)


# --------------------------------------------------------------------------------------------- positions, distances


@pytest.mark.parametrize(
    ("measured", "position"),
    [
        ((10.0, 0.0), (0, 0)),
        ((8.0, -4.0), (-256, -256)),
        ((14.0, 1.0), (256, 256)),
        ((9.0, -1.0), (-128, -64)),
        ((10.5, 0.5), (32, 128)),
        ((10.01, 0.01), (1, 3)),  # .64 and 2.56, to the nearest
        ((1e9, 1e9), (FARTHEST, FARTHEST)),
        ((-1e9, -1e9), (-FARTHEST, -FARTHEST)),
    ],
)
def test_positions(measured: tuple[float, float], position: tuple[int, int]) -> None:
    found = SMALL.positions(np.array(measured))
    assert found.dtype == np.int64
    assert found.tolist() == list(position)
    both = SMALL.positions(np.array([measured, (10.0, 1.0)]))
    assert both.tolist() == [list(position), [0, 256]]


def test_the_distance_is_the_sum_of_one_share_a_value() -> None:
    outside = SMALL.judge(np.array([9.0, 0.5]))  # positions −128 and 128
    assert outside.shares.tolist() == [-128 * (2 * -128 + 128), 128 * (-128 + 3 * 128)]
    assert outside.distance == 3 * 128**2
    assert SMALL.judge(np.array([9.0, 0.25])).farthest == 0
    assert SMALL.judge(np.array([10.5, -3.0])).farthest == 1


def test_what_a_record_says_word_for_word() -> None:
    measured = np.array([8.1234567, 0.25])
    distance = SMALL.judge(measured).distance
    assert replace(SMALL, limit=distance).say(measured) == (
        f"distance {familiar._plain(distance)}; {NAMES[0]} 8.12346",
        f"distance {familiar._plain(distance)}; 8 … 14",
        True,
    )
    assert not replace(SMALL, limit=distance - 1).say(measured)[2]
    value, limit, held = replace(SMALL, limit=5 * ONE // 2).say(np.array([10.0, -3e6]))
    assert value == f"distance 3.0; {NAMES[1]} -3e+06"  # 64 · 64 · 3/4096
    assert (limit, held) == ("distance 2.5; -4 … 1", False)


@pytest.mark.parametrize(
    ("distance", "text"),
    [(0, "0.0"), (ONE - 1, "0.9"), (ONE, "1.0"), (123 * ONE // 10 + 1, "12.3"), (-(-11 * ONE // 10), "1.1")],
)
def test_a_distance_is_told_with_one_decimal_rounded_down(distance: int, text: str) -> None:
    assert familiar._plain(distance) == text


# --------------------------------------------------------------------------------------------- shapes


@pytest.mark.verifies("SRS-ACC-002")
@pytest.mark.parametrize(
    ("name", "found", "said"),
    [
        ("regions", [2], ("2", "1 … 2", True)),
        ("regions", [3], ("3", "1 … 2", False)),
        ("solidity", [2900, 4040], ("0.7080, 0.9863", "0.7080 … 0.9863", True)),
        ("area", [], ("no region", "0.0046 … 0.4578 share of the image", True)),
        ("area", [299], ("0.0046", "0.0046 … 0.4578 share of the image", False)),
        ("area", [30_000], ("0.4578", "0.0046 … 0.4578 share of the image", True)),
    ],
)
def test_what_a_record_says_of_a_shape(name: str, found: list[int], said: tuple[str, str, bool]) -> None:
    assert SMALL.say_shape(name, found) == said


@pytest.mark.verifies("SRS-ACC-002")
@pytest.mark.parametrize("found", [[2899, 4040], [2900, 4041], [3000, 2899], [4041, 3000]])
def test_one_shape_beyond_an_end_is_enough(found: list[int]) -> None:
    assert SMALL.say_shape("solidity", found)[2] is False


@pytest.mark.verifies("SRS-ACC-002")
def test_regions_are_counted_their_areas_added_and_the_rest_is_their_own() -> None:
    one = {"area": 50, "solidity": 9, "at the image border": 2, "another": 1}
    assert familiar.shapes([one, {**one, "area": 7, "solidity": 4}]) == {
        "regions": [2],
        "area": [57],
        "solidity": [9, 4],
        "at the image border": [2, 2],
    }
    assert familiar.shapes([]) == {"regions": [], "area": [], "solidity": [], "at the image border": []}


# --------------------------------------------------------------------------------------------- what a release may hold


def test_a_reference_is_stored_exactly_and_read_as_it_was_written() -> None:
    reference = whole(low=(0.1 - 1,) * COUNT)
    stored = reference.to_json()
    assert stored == {
        "values": list(NAMES),
        "low": [(0.1 - 1).hex()] * COUNT,
        "middle": [(0.0).hex()] * COUNT,
        "high": [(2.0).hex()] * COUNT,
        "weights": [list(row) for row in reference.weights],
        "limit": 7,
        "shapes": {name: list(ends) for name, ends in SHAPES.items()},
    }
    assert Reference.from_json(stored) == reference


DEFECTS: dict[str, Callable[[dict[str, Any]], object]] = {
    **{f"no {name}": lambda stored, name=name: stored.pop(name) for name in whole().to_json()},  # type: ignore[misc]
    "one field more": lambda stored: stored.update(more=1),
    "a value renamed": lambda stored: stored["values"].__setitem__(0, "another"),
    "one end less": lambda stored: stored["low"].pop(),
    "an end as a plain float": lambda stored: stored["high"].__setitem__(0, 2.0),
    "an end in another spelling": lambda stored: stored["high"].__setitem__(0, "2.0"),
    "an end that does not ascend": lambda stored: stored["high"].__setitem__(0, (-1.0).hex()),
    "a weight as a float": lambda stored: stored["weights"][0].__setitem__(0, 1.5),
    "a limit as text": lambda stored: stored.update(limit="7"),
    "a shape with one end": lambda stored: stored["shapes"]["area"].pop(),
    "a shape's end as text": lambda stored: stored["shapes"]["area"].__setitem__(0, "300"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_what_was_not_written_so_is_not_read(defect: str) -> None:
    stored = whole().to_json()
    DEFECTS[defect](stored)
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        Reference.from_json(stored)


def first(name: str, value: float) -> dict[str, Any]:
    """An end of the first value that is another."""
    return {name: (value, *getattr(whole(), name)[1:])}


def weights(*changes: tuple[int, int, int]) -> dict[str, Any]:
    """Weights that are others: row, column, weight."""
    rows = [list(row) for row in whole().weights]
    for i, j, weight in changes:
        rows[i][j] = weight
    return {"weights": tuple(map(tuple, rows))}


SOUND: dict[str, dict[str, Any]] = {
    "as it is": {},
    "the heaviest weights": weights((0, 0, HEAVIEST), (2, 3, -HEAVIEST), (3, 2, -HEAVIEST)),
    "a shape of one value": {"shapes": {**SHAPES, "area": (300, 300)}},
    "ends that are close": first("low", -5e-324),
}
UNSOUND: dict[str, dict[str, Any]] = {
    "low at the middle": first("low", 0.0),
    "high at the middle": first("high", 0.0),
    "low without end": first("low", -np.inf),
    "high without end": first("high", np.inf),
    "middle that is no number": first("middle", np.nan),
    "a value less": {name: getattr(whole(), name)[1:] for name in ("low", "middle", "high")},
    "a row less": {"weights": whole().weights[1:]},
    "rows and columns less": {"weights": tuple(row[1:] for row in whole().weights[1:])},
    "not symmetric": weights((0, 2, 1)),
    "too heavy": weights((0, 0, HEAVIEST + 1)),
    "too heavy downward": weights((2, 3, -HEAVIEST - 1), (3, 2, -HEAVIEST - 1)),
    "a shape less": {"shapes": {name: SHAPES[name] for name in ("regions", "area", "solidity")}},
    "a shape more": {"shapes": {**SHAPES, "another": (1, 2)}},
    "a shape's ends exchanged": {"shapes": {**SHAPES, "area": (301, 300)}},
}


@pytest.mark.parametrize("kind", SOUND)
def test_sound(kind: str) -> None:
    assert whole(**SOUND[kind]).is_sound()


@pytest.mark.parametrize("kind", UNSOUND)
def test_not_sound(kind: str) -> None:
    reference = whole(**UNSOUND[kind])
    assert not reference.is_sound()
    with pytest.raises(ValueError, match=r"^$"):
        Reference.from_json(reference.to_json())


def test_ends_of_different_number_are_not_paired() -> None:
    with pytest.raises(ValueError, match=r"zip\(\)"):
        whole(low=(-1.0,) * (COUNT - 1)).is_sound()
