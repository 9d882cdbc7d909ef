# SPDX-License-Identifier: Apache-2.0
"""True values are closed forms, biases those of hand-made masks, and the page is what was recorded."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from radiomicnet_md_validation import campaigns
from radiomicnet_md_validation import reference_objects as objects

pytestmark = pytest.mark.verifies("SRS-RAD-013")
SIZES = st.floats(0.5, 80.0)
OCTAGON = 8 * (math.sqrt(2) - 1) / math.pi


# ------------------------------------------------------------------------------------------ truth


@given(SIZES, st.floats(0.3, 1.0), st.floats(-180.0, 180.0))
@settings(max_examples=40)
def test_an_ellipse_has_its_closed_forms_however_it_is_turned(size: float, ratio: float, degrees: float) -> None:
    true = objects.truth(objects.ellipse(ratio, degrees), size)
    area = math.pi * size**2 * ratio / 4
    perimeter = 2 * size * special.ellipe(1 - ratio**2)  # complete elliptic integral of the second kind
    assert true["shape2D_MeshSurface"] == true["shape2D_PixelSurface"] == pytest.approx(area, rel=1e-9)
    assert true["shape2D_Perimeter"] == pytest.approx(perimeter, rel=1e-9)
    assert true["shape2D_MajorAxisLength"] == pytest.approx(size, rel=1e-9)
    assert true["shape2D_MinorAxisLength"] == pytest.approx(size * ratio, rel=1e-9)
    assert true["shape2D_MaximumDiameter"] == pytest.approx(size, rel=1e-5)
    assert true["shape2D_PerimeterSurfaceRatio"] == pytest.approx(perimeter / area, rel=1e-9)


@given(SIZES, st.integers(3, 9), st.floats(0.01, 0.2))
@settings(max_examples=20)
def test_a_lobulated_disc_has_its_area_and_moments(size: float, lobes: int, depth: float) -> None:
    true = objects.truth(objects.lobulated(lobes, depth), size)
    assert true["shape2D_MeshSurface"] == pytest.approx(math.pi * size**2 / 4 * (1 + depth**2 / 2), rel=1e-9)
    # Three lobes and more leave both axes equal: 4 √(∫ r⁴/4 cos²) with the mean of (1 + d cos)⁴ = 1 + 3d² + 3d⁴/8.
    fourth = 1 + 3 * depth**2 + 3 * depth**4 / 8
    axis = size * math.sqrt(fourth / (1 + depth**2 / 2))
    assert true["shape2D_MajorAxisLength"] == pytest.approx(axis, rel=1e-9)
    assert true["shape2D_MinorAxisLength"] == pytest.approx(axis, rel=1e-9)
    if lobes % 2 == 0:
        assert true["shape2D_MaximumDiameter"] == pytest.approx(size * (1 + depth), rel=1e-4)


# ------------------------------------------------------------------------------------------ drawing


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
@settings(max_examples=20)
def test_a_drawn_disc_holds_the_pixels_whose_centre_lies_inside(down: float, across: float) -> None:
    mask = objects.drawn(objects.ellipse(1.0), 4.0, (30, 40), (0.2, 0.4), (down, across))
    for row, column in np.ndindex(mask.shape):
        y, x = (row - 14.5 - down) * 0.2, (column - 19.5 - across) * 0.4
        if abs(math.hypot(y, x) - 2.0) > 1e-9:
            assert mask[row, column] == (math.hypot(y, x) < 2.0)


def test_a_turned_ellipse_is_drawn_towards_larger_rows() -> None:
    mask = objects.drawn(objects.ellipse(0.4, 45.0), 10.0, (60, 60), (0.2, 0.2), (0.0, 0.0))
    rows, columns = np.nonzero(mask)
    assert np.corrcoef(rows, columns)[0, 1] > 0.5


def test_what_is_decided_is_drawn_on_the_working_grid_and_enlarged_threefold() -> None:
    grid = objects.Grid((0.07, 0.07), 30.0, 576)
    mask = grid.mask(objects.ellipse(1.0), 12.0, (0.0, 0.0))
    assert mask.shape == (576, 576)
    assert mask.sum() * 0.07**2 == pytest.approx(math.pi * 36, rel=0.01)
    assert grid.smallest_mm == pytest.approx(2 * math.sqrt(40 / math.pi) * 0.21)


def test_placements_are_within_a_pixel_and_differ() -> None:
    places = objects.placements(50)
    assert len(set(places)) == 50
    assert places == objects.placements(50)
    assert max(abs(step) for place in places for step in place) <= 0.5


# ------------------------------------------------------------------------------------------ measuring


def test_a_large_disc_has_its_area_and_diameter_and_the_perimeter_of_steps_of_45_degrees() -> None:
    grid = objects.Grid((0.1, 0.1), 60.0)
    found = objects.measure(grid.mask(objects.SHAPES[0], 30.0, (0.1, 0.3)), grid.spacing_mm)
    true = objects.truth(objects.SHAPES[0], 30.0)
    ratios = {name: value / true[name] for name, value in found.items() if value is not None}
    assert ratios["shape2D_Perimeter"] == pytest.approx(OCTAGON, abs=1e-3)
    assert all(abs(ratios[name] - 1) < 0.005 for name in ratios if "Perimeter" not in name)


def test_a_single_pixel_is_not_measured() -> None:
    mask = np.zeros((7, 7), dtype=np.uint8)
    mask[3, 3] = 1
    assert set(objects.measure(mask, (0.1, 0.1)).values()) == {None}


@given(st.lists(st.floats(1.0, 60.0), min_size=4, max_size=12, unique_by=lambda x: round(x, 1)), st.integers(0, 9))
@settings(max_examples=30)
def test_the_line_is_scipys(true: list[float], seed: int) -> None:
    measured = [1.05 * x - 0.2 + e for x, e in zip(true, np.random.default_rng(seed).normal(0, 0.1, 12), strict=False)]
    ours, theirs = objects.line(true, measured), stats.linregress(true, measured)
    assert ours["slope"] == pytest.approx(theirs.slope, rel=1e-6)
    assert ours["intercept"] == pytest.approx(theirs.intercept, rel=1e-6, abs=1e-7)
    assert ours["r2"] == pytest.approx(theirs.rvalue**2, rel=1e-6)


@given(SIZES, SIZES)
def test_an_exact_line_is_found_exactly(slope: float, intercept: float) -> None:
    true = [1.0, 2.0, 5.0, 30.0]
    found = objects.line(true, [slope * x + intercept for x in true])
    assert found["slope"] == pytest.approx(slope, rel=1e-9)
    assert found["r2"] == pytest.approx(1.0)
    assert found["residual_percent"] == pytest.approx(0.0, abs=1e-7)


@pytest.mark.verifies("SRS-RAD-013", rc=("RC-036",))
@pytest.mark.parametrize(
    ("worst", "limit"),
    [
        ({1.0: 9.0, 2.0: 4.0, 5.0: 1.0}, 2.0),
        ({1.0: 4.0, 2.0: 9.0, 5.0: 1.0}, 5.0),  # a small one that happens to fit does not count
        ({1.0: 4.0, 2.0: 4.0, 5.0: 5.1}, None),
        ({1.0: None, 2.0: -5.0, 5.0: -1.0}, 2.0),
        ({1.0: None}, None),
    ],
)
def test_the_limit_is_the_size_from_which_on_all_fit(worst: dict[float, float | None], limit: float | None) -> None:
    assert objects.limit_of_quantitation(worst) == limit


# ------------------------------------------------------------------------------------------ what was recorded


def test_page_and_picture_are_what_was_recorded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    campaign = objects.CAMPAIGN
    found = campaign.read()
    assert campaign.page_file.read_text(encoding="utf-8") == campaign.page(found)
    assert campaign.picture_file.read_bytes() == campaigns.drawn(campaign, found)
    assert campaigns.STAMP in campaign.page(found)


def test_the_recorded_limits_follow_from_the_recorded_biases(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    found = objects.CAMPAIGN.read()
    assert set(found["grids"]) == {grid.name for grid in objects.GRIDS}
    for grid in found["grids"].values():
        for name, value in grid.items():
            worst = {one["mm"]: None if one["low"] is None else max(-one["low"], one["high"]) for one in value["sizes"]}
            assert objects.limit_of_quantitation(worst) == value["limit_mm"], name


def test_a_recorded_bias_is_measured_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    found = objects.CAMPAIGN.read()
    grid = objects.GRIDS[2]
    pairs = {3.0: list(objects.biases(grid, 3.0, found["placements"])), 2.0: list(objects.biases(grid, 2.0, 1))}
    for name in objects.UNITS:
        kept = next(one for one in found["grids"][grid.name][name]["sizes"] if one["mm"] == 3.0)
        again = objects._value(name, pairs)["sizes"][0]
        for key in ("mean", "low", "high"):
            assert again[key] == pytest.approx(kept[key], rel=1e-4, abs=1e-4), name


@pytest.mark.verifies("SRS-RAD-013", rc=("RC-036",))
def test_the_instructions_for_use_state_the_recorded_limits(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    kept = objects.CAMPAIGN.read()["grids"]
    narrow, wide = (grid for name, grid in kept.items() if name.startswith("decided"))
    axes = ("shape2D_MeshSurface", "shape2D_PixelSurface", "shape2D_MajorAxisLength", "shape2D_MinorAxisLength")
    diameter, perimeter = "shape2D_MaximumDiameter", "shape2D_Perimeter"
    small, large = {narrow[name]["limit_mm"] for name in axes}, {wide[name]["limit_mm"] for name in (*axes, diameter)}
    assert (len(small), len(large)) == (1, 1)
    said = " ".join((root / "docs/regulatory/ifu.md").read_text(encoding="utf-8").split())
    largest = narrow[diameter]["limit_mm"]
    assert f"of area and axes is {small.pop():g} mm and of the largest diameter {largest:g} mm" in said
    assert f"on one 77 mm wide it is {large.pop():g} mm" in said
    assert [grid[perimeter]["limit_mm"] for grid in (narrow, wide)] == [None, None]
    assert "The perimeter, and its ratio to the area, has none" in said
