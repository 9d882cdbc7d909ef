# SPDX-License-Identifier: Apache-2.0
"""The verb's tables and maps: complete, true to the definitions, and refused with a typed error otherwise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from radiomicnet_md.errors import Problem
from radiomicnet_md.radiomics import (
    features,
    glcm,
    lbp,
    lesion_definitions,
    moments,
    named_maps,
    paper,
    per_lesion,
    surface,
)
from radiomicnet_md.radiomics.definitions import BY_KEY, NAMED, PAPER
from tests.strategies import grey_levels

IMAGE = np.random.default_rng(4).normal(110, 40, (40, 52)).clip(0, 255).astype(np.uint8)
MASK = np.zeros(IMAGE.shape, dtype=np.uint8)
MASK[10:25, 20:31] = 1
MASK[12:20, 15:20] = 1  # the bounding box is rows 10 … 24, columns 15 … 30
BOX = (slice(10, 25), slice(15, 31))


def table(
    image: NDArray[Any] = IMAGE, mask: NDArray[Any] | None = None, set_: str = "named", **options: object
) -> dict[str, features.Row]:
    settings_: dict[str, Any] = {"radius": 2, "bin_count": None, "bin_width": None, "spacing": None} | options
    return {row.name: row for row in features.table(image, mask, set_=set_, **settings_)}  # type: ignore[arg-type]


def maps(image: NDArray[Any] = IMAGE, set_: str = "named", **options: object) -> dict[str, NDArray[np.float64]]:
    settings_: dict[str, Any] = {"radius": 2, "bin_count": None, "bin_width": None} | options
    return features.maps(image, set_=set_, **settings_)  # type: ignore[arg-type]


@pytest.mark.verifies("SRS-RAD-001")
def test_the_paper_table_is_what_the_device_measures() -> None:
    expected = paper.values(IMAGE, IMAGE >> 2, lbp.codes(IMAGE))
    found = table(set_="paper")
    assert tuple(found) == PAPER
    assert [row.value for row in found.values()] == expected.tolist()
    for name, row in found.items():
        assert (row.ibsi, row.unit, row.reason) == (BY_KEY[name].ibsi, BY_KEY[name].unit, None)


@pytest.mark.verifies("SRS-RAD-001")
def test_a_mask_means_its_bounding_box() -> None:
    codes = lbp.codes(IMAGE)[BOX]
    surfaces = surface.dense(IMAGE, features.SMOOTHING)
    surfaces[1] = surface.shape_index(surfaces[1])
    expected = np.concatenate(
        [paper.values(IMAGE[BOX], IMAGE[BOX] >> 2, codes), [part[BOX].mean() for part in surfaces]]
    )
    found = table(mask=MASK)
    assert tuple(found) == NAMED
    assert np.allclose([row.value for row in found.values() if row.value is not None], expected, rtol=1e-12)


@pytest.mark.verifies("SRS-RAD-001")
def test_bin_parameters() -> None:
    by_width = table(set_="paper", bin_width=16.0)
    assert by_width["glcm_Contrast"].value == glcm.whole(IMAGE >> 4, distances=paper.DISTANCES)[0]
    by_count = table(set_="paper", bin_count=2)
    half = (int(IMAGE.min()) + int(IMAGE.max())) / 2
    assert by_count["glcm_Contrast"].value == glcm.whole((half <= IMAGE).astype(np.uint8), distances=(1, 3))[0]
    assert by_width["firstorder_Mean"].value == by_count["firstorder_Mean"].value


@pytest.mark.verifies("SRS-RAD-003")
@pytest.mark.parametrize(("mask", "number"), [(None, 93), (MASK, 102), (MASK * 255, 102)], ids=["image", "1", "255"])
def test_all_values(mask: NDArray[np.uint8] | None, number: int) -> None:
    found = table(mask=mask, set_="all", spacing=(0.3, 0.2), bin_count=32)
    region = np.ones(IMAGE.shape) if mask is None else mask
    expected = per_lesion.measure(IMAGE, region, (0.3, 0.2), bin_count=32).values
    assert len(found) == number
    assert {name: row.value for name, row in found.items()} == {name: expected[name] for name in found}


@pytest.mark.verifies("SRS-RAD-003")
def test_all_values_of_a_volume() -> None:
    volume = np.random.default_rng(1).integers(0, 500, (6, 12, 12)).astype(np.int16)
    mask = np.zeros(volume.shape, dtype=np.uint8)
    mask[1:5, 2:9, 2:9] = 2
    assert len(table(volume, mask, "all", spacing=(2.0, 1.0, 1.0))) == 107
    assert len(table(volume, None, "all")) == 93


@pytest.mark.verifies("SRS-RAD-004", "SRS-INP-004")
def test_without_spacing_a_reason_stands_in_place_of_millimetres() -> None:
    found = table(mask=MASK, set_="all")
    withheld = {name for name, row in found.items() if row.value is None}
    assert withheld == lesion_definitions.NEEDS_SPACING & found.keys()
    assert {found[name].reason for name in withheld} == {str(per_lesion.Reason.NO_SPACING)}


@pytest.mark.verifies("SRS-RAD-004")
def test_a_flat_image_has_no_conventional_numbers() -> None:
    found = table(np.full((9, 9), 50, dtype=np.uint8))
    undefined = {name: row.reason for name, row in found.items() if row.value is None}
    assert undefined == dict.fromkeys(
        ("glcm_Correlation", "firstorder_Skewness", "firstorder_Kurtosis"), str(per_lesion.Reason.FLAT)
    )


@pytest.mark.verifies("SRS-RAD-004")
def test_one_level_of_several_values_has_no_correlation() -> None:
    found = table(np.array([[48, 49, 50]] * 5, dtype=np.uint8), radius=1)
    assert {name for name, row in found.items() if row.value is None} == {"glcm_Correlation"}


@pytest.mark.verifies("SRS-RAD-004")
def test_a_box_of_one_pixel_has_no_pairs() -> None:
    mask = np.zeros(IMAGE.shape, dtype=np.uint8)
    mask[20, 20] = 1
    found = table(mask=mask)
    undefined = {name for name, row in found.items() if row.value is None}
    assert undefined == {n for n in PAPER if n.startswith("glcm_")} | {"firstorder_Skewness", "firstorder_Kurtosis"}


@pytest.mark.verifies("SRS-RAD-002")
def test_maps_are_the_device_s() -> None:
    found = maps(radius=7)
    expected = named_maps.named(IMAGE, IMAGE >> 2, lbp.codes(IMAGE), 7, features.SMOOTHING)
    assert tuple(found) == NAMED
    for index, name in enumerate(NAMED):
        plane = surface.shape_index(expected[index]) if name == "hessian_ShapeIndex" else expected[index]
        assert found[name].dtype == np.float64
        assert np.array_equal(found[name], plane)
    assert tuple(maps(set_="paper")) == PAPER


@pytest.mark.verifies("SRS-RAD-002")
@pytest.mark.parametrize(("radius", "smoothing", "step"), [(7, 1, 2), (13, 3, 2), (1, 0, 1)])
def test_the_sixteen_maps_are_their_parts(radius: int, smoothing: int, step: int) -> None:
    codes, grey = lbp.codes(IMAGE), IMAGE >> 2
    parts = [
        glcm.dense(grey, radius, step=step),
        lbp.dense(codes, radius, step=step),
        moments.dense(IMAGE, radius, step=step),
        surface.dense(IMAGE, smoothing, step=step),
    ]
    assert np.array_equal(named_maps.named(IMAGE, grey, codes, radius, smoothing, step=step), np.concatenate(parts))


@pytest.mark.verifies("SRS-RAD-002", "SRS-RAD-004")
@settings(max_examples=60)
@given(grey_levels(least=3, most=9), st.sampled_from(["paper", "named"]))
def test_every_place_of_every_map_is_finite(image: NDArray[np.uint8], set_: str) -> None:
    found = maps(image, set_, radius=1)
    assert all(np.isfinite(plane).all() and plane.shape == image.shape for plane in found.values())


@pytest.mark.verifies("SRS-RAD-002")
def test_a_map_s_window_is_the_table_s_box() -> None:
    """In the middle of a window that is the whole image, a map says what the table says."""
    image = IMAGE[:15, :15]
    found, whole = maps(image, "paper", radius=7), table(image, set_="paper", radius=7)
    for name in PAPER:
        if not name.startswith("glcm_"):  # the table's distances are 1 and 3, the maps' is 1
            assert math.isclose(found[name][7, 7], whole[name].value or math.nan, rel_tol=1e-12), name
    assert [found[name][7, 7] for name in glcm.FEATURES] == glcm.whole(image >> 2).tolist()


@pytest.mark.verifies("SRS-RAD-002")
def test_floats_that_are_whole_numbers_are_accepted() -> None:
    by_float = maps(IMAGE.astype(np.float32), bin_width=4.0)
    assert all(np.array_equal(by_float[name], plane) for name, plane in maps().items())


@pytest.mark.verifies("SRS-RAD-002")
def test_the_largest_values_are_exact() -> None:
    image = np.random.default_rng(3).choice([-(2**19) + 1, 2**19 - 1], (12, 12))
    found = maps(image, bin_count=8)
    assert np.array_equal(found["firstorder_Mean"], moments.dense(image, 2)[0])
    assert np.array_equal(found["hessian_Curvedness"], surface.dense(image, 1)[2])


SPOILT = IMAGE.astype(np.float64)
SPOILT[3, 3] = np.nan
TWO_LABELS = MASK.copy()
TWO_LABELS[11, 21] = 2


@pytest.mark.verifies("SRS-RAD-004")
@pytest.mark.parametrize(
    ("code", "image", "options"),
    [
        ("E-LEVELS-NOT-FINITE", SPOILT, {}),
        ("E-LEVELS-NOT-FINITE", np.full((9, 9), np.inf), {}),
        ("E-LEVELS-COUNT", IMAGE.astype(np.int32) * 100, {"bin_width": 4.0}),
        ("E-LEVELS-COUNT", IMAGE, {"bin_count": 300}),
        ("E-LEVELS-PARAMETER", IMAGE, {"bin_width": 0.0}),
        ("E-LEVELS-PARAMETER", IMAGE, {"bin_count": 8, "bin_width": 4.0}),
        ("E-FEATURES-SET", IMAGE, {"set_": "everything"}),
        ("E-FEATURES-RADIUS", IMAGE, {"radius": 0}),
        ("E-FEATURES-RADIUS", np.zeros((600, 600), np.uint8), {"radius": 256}),
        ("E-FEATURES-WINDOW", IMAGE, {"radius": 20}),
        ("E-FEATURES-3D", np.zeros((3, 9, 9), np.uint8), {}),
        ("E-FEATURES-WHOLE", IMAGE / 3, {}),
        ("E-FEATURES-WHOLE", IMAGE.astype(np.int64) << 12, {}),
        ("E-FEATURES-IMAGE", np.zeros((2, 9, 9, 3), np.uint8), {}),
        ("E-FEATURES-IMAGE", np.zeros((0, 9), np.uint8), {}),
        ("E-FEATURES-IMAGE", np.zeros((9, 9), np.complex128), {}),
    ],
)
def test_refused_images_and_parameters(code: str, image: NDArray[Any], options: dict[str, Any]) -> None:
    for measure in (table, maps):
        with pytest.raises(Problem) as raised:
            measure(image, **options)
        assert raised.value.code == code
        assert raised.value.remedy


@pytest.mark.verifies("SRS-RAD-004")
def test_maps_of_all_do_not_exist_yet() -> None:
    with pytest.raises(Problem, match="Only the maps of the sets paper and named exist yet"):
        maps(set_="all")


@pytest.mark.verifies("SRS-RAD-004")
@pytest.mark.parametrize("set_", ["paper", "named", "all"])
@pytest.mark.parametrize(
    ("code", "mask"),
    [
        ("E-MASK-GEOMETRY", MASK.T),
        ("E-MASK-GEOMETRY", MASK[None]),
        ("E-MASK-EMPTY", np.zeros_like(MASK)),
        ("E-MASK-LABELS", TWO_LABELS),
    ],
)
def test_refused_masks(set_: str, code: str, mask: NDArray[np.uint8]) -> None:
    with pytest.raises(Problem) as raised:
        table(mask=mask, set_=set_)
    assert raised.value.code == code
    assert raised.value.remedy
