# SPDX-License-Identifier: Apache-2.0
"""Region values against rulers, closed forms, scikit-image and PyRadiomics."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull
from skimage import measure as skimage_measure

from radiomicnet_md.errors import InputError
from radiomicnet_md.radiomics import per_lesion, region, region_definitions, region_more
from radiomicnet_md.radiomics.region_definitions import FINE, SHARE
from radiomicnet_md.radiomics.region_tree import Tree, boxes, hull_areas

pytestmark = pytest.mark.verifies("SRS-RAD-006")
ROWS, COLUMNS = 120, 160


def values(inside: np.ndarray, levels: np.ndarray | None = None) -> dict[str, int]:
    """All values of a region on a plain image with constant codes."""
    grey = np.full(inside.shape, 100, dtype=np.uint8) if levels is None else levels
    half = tuple((side + 1) // 2 for side in inside.shape)
    return named(inside, grey, np.full((16, *half), 7, dtype=np.uint8))


def named(inside: np.ndarray, levels: np.ndarray, codes: np.ndarray) -> dict[str, int]:
    """All values of a region by name."""
    tree = Tree.of([inside])
    (locked,), (further,) = region.measure(tree, levels, codes), region_more.measure(tree, levels, codes)
    return dict(
        zip(
            (*region_definitions.VALUE_NAMES, *region_more.MORE_NAMES),
            (*locked.tolist(), *further.tolist()),
            strict=True,
        )
    )


def ellipse(row: float, column: float, down: float, across: float) -> np.ndarray:
    """A filled ellipse."""
    r, c = np.mgrid[:ROWS, :COLUMNS]
    return ((r - row) / down) ** 2 + ((c - column) / across) ** 2 <= 1


def speckled(share: float, seed: int) -> np.ndarray:
    """A random region, in parts and with holes, that touches the image's border; at least one pixel."""
    random = np.random.default_rng(abs(seed))
    inside = random.random((random.integers(2, 14), random.integers(2, 14))) < share
    inside[random.integers(inside.shape[0]), random.integers(inside.shape[1])] = True
    return inside


def test_a_rectangle_has_the_values_that_a_ruler_gives() -> None:
    inside = np.zeros((ROWS, COLUMNS), dtype=bool)
    inside[10:30, 40:80] = True
    seen = values(inside)
    assert seen["area"] == 800 * SHARE * 16 // (ROWS * COLUMNS)
    assert seen["extent"] == seen["solidity"] == SHARE
    assert seen["taller than wide"] == SHARE // 2
    assert seen["compactness"] == pytest.approx(SHARE * 4 * math.pi * 800 / 120**2, abs=1)
    assert seen["depth"] == 20 * SHARE // ROWS
    assert seen["lateral offset"] == SHARE // 2 - 60 * SHARE // COLUMNS
    assert seen["at the image border"] == 0
    inside[:10, 40:80] = True
    assert values(inside)["at the image border"] == 40 * SHARE // 140


@given(row=st.floats(45, 75), column=st.floats(60, 100), down=st.floats(6, 35), across=st.floats(6, 35))
@settings(max_examples=30)
def test_shape_agrees_with_scikit_image(row: float, column: float, down: float, across: float) -> None:
    inside = ellipse(row, column, down, across)
    (theirs,) = skimage_measure.regionprops(inside.astype(np.uint8))
    seen = values(inside)
    assert seen["area"] == int(theirs.area) * SHARE * 16 // (ROWS * COLUMNS)
    assert seen["extent"] == pytest.approx(SHARE * theirs.extent, abs=1)
    moments = np.linalg.eigvalsh(np.cov(np.array(np.nonzero(inside)), bias=True))
    assert seen["elongation"] == pytest.approx(SHARE * math.sqrt(moments[0] / moments[1]), abs=2)
    assert seen["depth"] == pytest.approx(SHARE * (theirs.centroid[0] + 0.5) / ROWS, abs=1)


@given(mask=st.sampled_from([0.05, 0.3, 0.7]).flatmap(lambda share: st.builds(speckled, st.just(share), st.integers())))
@settings(max_examples=40)
def test_the_hull_is_that_of_the_pixel_corners(mask: np.ndarray) -> None:
    rows, columns = np.nonzero(mask)
    corners = np.concatenate([np.stack([rows + r, columns + c], 1) for r in (0, 1) for c in (0, 1)])
    tree = Tree.of([mask])
    assert int(hull_areas(tree, boxes(tree))[0]) == pytest.approx(2 * ConvexHull(corners).volume, rel=1e-12)


@given(row=st.floats(45, 75), column=st.floats(60, 100), down=st.floats(8, 30), across=st.floats(8, 30))
@settings(max_examples=30)
def test_solidity_agrees_with_scikit_image_but_for_the_rim(
    row: float, column: float, down: float, across: float
) -> None:
    """scikit-image counts the pixels whose centre lies in the hull of the sides' midpoints; here the area is exact."""
    inside = ellipse(row, column, down, across) & ~ellipse(row - down, column, down, across / 3)
    (theirs,) = skimage_measure.regionprops(inside.astype(np.uint8))
    tree = Tree.of([inside])
    area = int(hull_areas(tree, boxes(tree))[0]) / 2
    rim = 2 * sum(inside.any(axis).sum() for axis in (0, 1))  # no convex curve crosses more pixels of the box
    assert 0 <= area - theirs.area_convex <= rim
    assert values(inside)["solidity"] <= SHARE * theirs.solidity


@given(share=st.sampled_from([0.3, 0.5, 0.8]), seed=st.integers())
@settings(max_examples=60)
def test_topology_axes_and_orientation_agree_with_scikit_image(share: float, seed: int) -> None:
    inside = speckled(share, seed)
    (theirs,) = skimage_measure.regionprops(inside.astype(np.uint8))
    seen = values(inside)
    assert seen["parts"] - seen["holes"] == skimage_measure.euler_number(inside, connectivity=1)
    assert seen["parts"] == skimage_measure.label(inside, connectivity=1).max()
    assert -1e-9 <= theirs.axis_major_length - seen["major axis"] / FINE < 1 / FINE + 1e-9
    assert -1e-6 <= theirs.axis_minor_length - seen["minor axis"] / FINE < 1 / FINE + 1e-6
    if theirs.axis_major_length - theirs.axis_minor_length > 0.1:
        angle = math.atan2(seen["slant"], seen["upright"]) / 2
        turn = (angle - theirs.orientation + math.pi / 2) % math.pi - math.pi / 2
        assert abs(turn) < 2 / SHARE
    major, minor = ((inside.sum() * axis) ** 2 / 8 for axis in (theirs.axis_major_length, theirs.axis_minor_length))
    if major > 1:  # the root in the locked elongation is rounded down: small regions look up to that much rounder
        low, high = math.sqrt(minor / major), math.sqrt((minor + 1) / (major - 1))
        assert SHARE * low - 1.001 <= seen["elongation"] <= SHARE * high + 0.001


@given(share=st.sampled_from([0.3, 0.6, 1.0]), seed=st.integers(0, 2**32))
@settings(max_examples=30)
def test_values_agree_with_pyradiomics(share: float, seed: int) -> None:
    inside = speckled(share, seed)
    levels = np.random.default_rng(seed).integers(0, 256, inside.shape).astype(np.uint8)
    theirs = per_lesion.measure(levels, inside, (1.0, 1.0)).values
    seen = values(inside, levels)
    for ours, name, scale in (
        ("major axis", "shape2D_MajorAxisLength", FINE),
        ("minor axis", "shape2D_MinorAxisLength", FINE),
        ("intensity inside", "firstorder_Mean", FINE),
        ("intensity minimum inside", "firstorder_Minimum", FINE),
        ("intensity 10th percentile inside", "firstorder_10Percentile", FINE),
        ("intensity median inside", "firstorder_Median", FINE),
        ("intensity 90th percentile inside", "firstorder_90Percentile", FINE),
        ("intensity maximum inside", "firstorder_Maximum", FINE),
    ):
        expected = theirs[name]
        if isinstance(expected, float):
            assert -1e-6 <= expected - seen[ours] / scale < 2 / scale, name
    variance = theirs["firstorder_Variance"]
    if isinstance(variance, float):
        assert -1e-6 <= math.sqrt(variance) - seen["intensity spread inside"] / FINE < 1 / FINE
    smoothed = theirs["shape2D_Perimeter"]
    if isinstance(smoothed, float):  # a mesh cuts corners; every crack is of length 1
        assert smoothed <= seen["perimeter"] + 1e-6


def test_an_edge_a_frame_and_a_cross_have_the_values_that_a_ruler_gives() -> None:
    right = np.zeros((ROWS, COLUMNS), dtype=bool)
    right[:, 80:] = True
    levels = np.where(right, 100, 0).astype(np.uint8)
    seen = values(right, levels)
    assert seen["edge sharpness"] == 50 * FINE  # 100 over the two pixels that a central difference spans
    assert seen["perimeter"] == 2 * (120 + 80)
    assert (seen["parts"], seen["holes"]) == (1, 0)
    assert [seen[f"intensity {name}"] for name in ("median inside", "median of the ring", "median step")] == [
        100 * FINE,
        0,
        -100 * FINE,
    ]
    frame = np.zeros((ROWS, COLUMNS), dtype=bool)
    frame[20:29, 30:41] = True
    frame[22:24, 32:34] = frame[25:27, 36:39] = False
    frame[2, 2] = True
    seen = values(frame)
    assert (seen["parts"], seen["holes"]) == (2, 2)
    assert seen["perimeter"] == 2 * (9 + 11) + 2 * (2 + 2) + 2 * (2 + 3) + 4
    assert seen["edge sharpness"] == 0


@pytest.mark.parametrize(
    ("steps", "upright", "slant"),
    [((1, 0), SHARE, 0), ((0, 1), -SHARE, 0), ((1, 1), 0, SHARE), ((1, -1), 0, -SHARE)],
    ids=["down", "across", "down to the right", "down to the left"],
)
def test_a_line_points_where_it_was_drawn(steps: tuple[int, int], upright: int, slant: int) -> None:
    line = np.zeros((ROWS, COLUMNS), dtype=bool)
    for k in range(11):
        line[40 + k * steps[0], 60 + k * steps[1]] = True
    seen = values(line)
    assert (seen["upright"], seen["slant"], seen["elongation"], seen["minor axis"]) == (upright, slant, 0, 0)
    assert seen["major axis"] == math.isqrt(
        16 * FINE**2 * 10 * (steps[0] ** 2 + steps[1] ** 2)
    )  # variance of 0 … 10: 10


def test_quantiles_lie_between_the_ordered_levels() -> None:
    levels = np.full((ROWS, COLUMNS), 200, dtype=np.uint8)
    inside = np.zeros((ROWS, COLUMNS), dtype=bool)
    inside[50, 50:54] = True
    levels[50, 50:54] = [40, 10, 30, 20]
    seen = values(inside, levels)
    names = ("minimum", "10th percentile", "median", "90th percentile", "maximum")
    assert [seen[f"intensity {name} inside"] for name in names] == [160, 13 * FINE, 25 * FINE, 37 * FINE, 640]
    assert {seen[f"intensity {name} of the ring"] for name in names} == {200 * FINE}


def test_intensity_border_and_echo_tell_what_was_drawn() -> None:
    inside = ellipse(40, 80, 12, 20)
    levels = np.full((ROWS, COLUMNS), 120, dtype=np.uint8)
    levels[inside] = 40
    rows, columns = np.nonzero(inside)
    levels[rows.max() + 1 :, columns.min() : columns.max() + 1] = 20  # a shadow
    seen = values(inside, levels)
    assert seen["intensity inside"] == 40 * FINE
    assert seen["intensity spread inside"] == 0
    assert seen["echo behind"] == -100 * FINE
    assert seen["border step"] > 60 * FINE
    assert seen["intensity step"] == seen["intensity of the ring"] - seen["intensity inside"]


def test_texture_is_the_mean_code_and_the_step_to_the_ring() -> None:
    inside = ellipse(60, 80, 15, 15)
    codes = np.full((16, ROWS // 2, COLUMNS // 2), 10, dtype=np.uint8)
    codes[3] = 20
    levels = np.full((ROWS, COLUMNS), 90, dtype=np.uint8)
    seen = named(inside, levels, codes)
    assert seen["inside glcm_Contrast"] == seen["median inside glcm_Contrast"] == 10 * FINE
    assert seen["inside glcm_JointEnergy"] == 20 * FINE
    assert {seen[f"{kind} {name}"] for kind in ("step", "median step", "spread inside") for name in region.NAMED} == {0}


FORM = (
    "area",
    "compactness",
    "elongation",
    "solidity",
    "extent",
    "perimeter",
    "parts",
    "holes",
    "major axis",
    "minor axis",
)


@given(seed=st.integers(0, 1000), shift=st.tuples(st.integers(0, 20), st.integers(0, 20)))
@settings(max_examples=20)
def test_form_does_not_depend_on_the_place(seed: int, shift: tuple[int, int]) -> None:
    random = np.random.default_rng(seed)
    inside = ellipse(40, 50, random.uniform(5, 20), random.uniform(5, 20))
    levels = random.integers(0, 256, (ROWS, COLUMNS)).astype(np.uint8)
    here = values(inside, levels)
    there = values(*(np.roll(one, (2 * shift[0], 2 * shift[1]), (0, 1)) for one in (inside, levels)))
    for name in here:
        if name not in {"depth", "lateral offset", "echo behind"}:  # the echo's columns may leave the image
            assert here[name] == there[name], name


@given(share=st.sampled_from([0.2, 0.5, 0.8]), seed=st.integers())
@settings(max_examples=40)
def test_a_mirrored_region_has_the_same_values_and_leans_the_other_way(share: float, seed: int) -> None:
    inside = np.repeat(speckled(share, seed), 2, 1)  # an even number of columns mirrors the half grid, too
    random = np.random.default_rng(abs(seed))
    levels = random.integers(0, 256, inside.shape).astype(np.uint8)
    codes = random.integers(0, 65, (16, (inside.shape[0] + 1) // 2, inside.shape[1] // 2)).astype(np.uint8)
    here, there = named(inside, levels, codes), named(inside[:, ::-1], levels[:, ::-1], codes[:, :, ::-1])
    assert there.pop("slant") == -here.pop("slant")
    assert abs(there.pop("lateral offset") - here.pop("lateral offset")) <= 1  # each rounded down from its own side
    assert here == there


@given(share=st.sampled_from([0.2, 0.5, 0.8]), seed=st.integers())
@settings(max_examples=40)
def test_a_transposed_region_has_the_same_form(share: float, seed: int) -> None:
    inside = speckled(share, seed)
    levels = np.random.default_rng(abs(seed)).integers(0, 256, inside.shape).astype(np.uint8)
    here, there = values(inside, levels), values(inside.T, levels.T)
    assert there["upright"] == -here["upright"]
    intensity = [name for name in here if name.startswith(("intensity", "edge", "border", "at the image"))]
    for name in (*FORM, *intensity, "slant"):
        assert here[name] == there[name], name


def test_the_whole_image_has_no_ring_and_nothing_behind() -> None:
    seen = values(np.ones((ROWS, COLUMNS), dtype=bool))
    assert seen["intensity step"] == seen["border step"] == seen["echo behind"] == seen["edge sharpness"] == 0
    assert seen["intensity median of the ring"] == seen["intensity median step"] == 0
    assert seen["at the image border"] == SHARE


def test_every_definition_is_complete_and_every_name_is_of_one_value() -> None:
    definitions = (*region_definitions.VALUES, *region_more.MORE)
    assert len({definition.name for definition in definitions}) == len(definitions)
    for definition in definitions:
        assert definition.unit
        assert definition.meaning
        assert definition.scale > 0
        assert re.fullmatch("([0-9A-Z]{4})?", definition.ibsi)


def test_a_region_of_another_grid_is_refused() -> None:
    tree = Tree.of([np.ones((6, 9), dtype=bool)])
    for levels, codes in (((9, 6), (16, 3, 5)), ((6, 9), (16, 3, 4)), ((6, 9), (15, 3, 5))):
        for module in (region, region_more):
            with pytest.raises(InputError) as refused:
                module.measure(tree, np.zeros(levels, dtype=np.uint8), np.zeros(codes, dtype=np.uint8))
            assert refused.value.code == "E-REGION-GRID"
