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

from radiomicnet_md import radiomics
from radiomicnet_md.errors import Problem
from radiomicnet_md.image import array_sha256, mask_sha256
from radiomicnet_md.radiomics import (
    features,
    glcm,
    lbp,
    lesion_definitions,
    levels,
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


def measured(
    image: NDArray[Any] = IMAGE, mask: NDArray[Any] | None = None, set_: str = "named", **options: object
) -> features.Table:
    settings_: dict[str, Any] = {"radius": 2, "bin_count": None, "bin_width": None, "spacing": None} | options
    return features.table(image, mask, set_=set_, **settings_)  # type: ignore[arg-type]


def table(
    image: NDArray[Any] = IMAGE, mask: NDArray[Any] | None = None, set_: str = "named", **options: object
) -> dict[str, features.Row]:
    return {row.name: row for row in measured(image, mask, set_, **options).rows}


def maps(
    image: NDArray[Any] = IMAGE, set_: str = "named", mask: NDArray[Any] | None = None, **options: object
) -> dict[str, NDArray[np.float64]]:
    settings_: dict[str, Any] = {"radius": 2, "bin_count": None, "bin_width": None} | options
    return dict(features.maps(image, mask, set_=set_, **settings_).planes)  # type: ignore[arg-type]


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
@pytest.mark.verifies("SRS-RAD-004", rc=("RC-016",))
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


@pytest.mark.verifies("SRS-RAD-012")
@pytest.mark.parametrize(
    ("code", "image", "options"),
    [
        ("E-FEATURES-RADIUS", IMAGE, {"radius": 0}),
        ("E-FEATURES-RADIUS", IMAGE, {"radius": 5}),
        ("E-LEVELS-COUNT", IMAGE.astype(np.int32) * 100, {}),
        ("E-LEVELS-COUNT", IMAGE, {"bin_count": 257}),
        ("E-LEVELS-NOT-FINITE", SPOILT, {}),
        ("E-FEATURES-IMAGE", np.zeros((2, 9, 9, 3), np.uint8), {}),
    ],
)
def test_the_set_all_refuses_tables_and_maps_alike(code: str, image: NDArray[Any], options: dict[str, Any]) -> None:
    for measure in (table, maps):
        with pytest.raises(Problem) as raised:
            measure(image, set_="all", **options)
        assert raised.value.code == code
        assert raised.value.remedy


@pytest.mark.verifies("SRS-RAD-012")
def test_only_the_maps_of_all_need_room_for_a_window() -> None:
    small = np.arange(8, dtype=np.uint8).reshape(2, 4) * 30
    assert len(table(small, set_="all", radius=1)) == 93
    with pytest.raises(Problem) as raised:
        maps(small, "all", radius=1)
    assert raised.value.code == "E-FEATURES-WINDOW"


@pytest.mark.verifies("SRS-RAD-004")
@pytest.mark.parametrize("set_", ["paper", "named", "all"])
@pytest.mark.parametrize(
    ("code", "mask"),
    [
        ("E-MASK-GEOMETRY", MASK.T),
        ("E-MASK-GEOMETRY", MASK[None]),
        ("E-MASK-EMPTY", np.zeros_like(MASK)),
        ("E-MASK-LABELS", TWO_LABELS),
        ("E-MASK-VALUES", np.where(MASK == 1, np.nan, 0.0)),
    ],
)
@pytest.mark.verifies("SRS-RAD-004", rc=("RC-016",))
def test_refused_masks(set_: str, code: str, mask: NDArray[Any]) -> None:
    for measure in (table, maps):
        with pytest.raises(Problem) as raised:
            measure(mask=mask, set_=set_)
        assert raised.value.code == code
        assert raised.value.remedy


@pytest.mark.verifies("SRS-RAD-012")
def test_a_label_that_is_absent_or_not_named_is_answered_with_those_that_are_there() -> None:
    many = np.arange(IMAGE.size).reshape(IMAGE.shape) % 15
    with pytest.raises(Problem) as raised:
        table(mask=many)
    assert raised.value.code == "E-MASK-LABELS"
    assert raised.value.remedy.endswith("1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ….")
    for label in (7, 0):
        with pytest.raises(Problem) as raised:
            table(mask=TWO_LABELS, label=label)
        assert raised.value.code == "E-MASK-LABEL-ABSENT"
        assert raised.value.remedy.endswith(": 1, 2.")


@pytest.mark.verifies("SRS-RAD-011")
@pytest.mark.parametrize("set_", ["paper", "named", "all"])
def test_a_label_is_the_mask_of_it_alone(set_: str) -> None:
    both = MASK * 3.0
    both[30:36, 5:20] = 7
    for label in (3, 7):
        alone = (both == label).astype(np.uint8)
        found, expected = measured(mask=both, set_=set_, label=label), measured(mask=alone, set_=set_)
        assert (found.rows, found.levels, found.pixels) == (expected.rows, expected.levels, expected.pixels)
        assert found.mask_sha256 == expected.mask_sha256 == mask_sha256(alone)
        assert (found.label, expected.label) == (label, 1)


@pytest.mark.verifies("SRS-RAD-005", "SRS-RAD-011")
def test_the_digest_is_that_of_the_levels_that_were_measured() -> None:
    box = np.zeros(IMAGE.shape, dtype=np.bool_)
    box[BOX] = True
    inside = {"named": box, "all": MASK == 1}
    for set_, region in inside.items():
        found = measured(mask=MASK, set_=set_, bin_count=16).levels
        binned = levels.discretise(IMAGE, region, bin_count=16).array + np.int16(1)
        assert found == features.Measured(16, None, 16, array_sha256(binned))
        assert found.levels_sha256 != measured(mask=MASK, set_=set_, bin_count=15).levels.levels_sha256
    whole = measured(set_="paper").levels
    assert whole == features.Measured(None, 4.0, 61, array_sha256((IMAGE >> 2).astype(np.int16) + np.int16(1)))
    assert features.maps(IMAGE, MASK, set_="paper", radius=2, bin_count=None, bin_width=None).levels == whole


@pytest.mark.verifies("SRS-RAD-007", "SRS-RAD-011")
@pytest.mark.parametrize("shape", [(13, 15), (4, 9, 8)])
def test_the_maps_of_all_are_those_of_the_python_call(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(7).integers(0, 200, shape).astype(np.int16)
    mask, corner = np.zeros((2, *shape), dtype=np.uint8)
    mask[..., 2:8, 1:7] = 4
    corner[..., -2:, :2] = 4  # less than a window
    size = 0.25 * len(shape)
    for region in (None, mask, corner):
        told: list[float] = []
        found = features.maps(
            image, region, set_="all", radius=1, bin_count=None, bin_width=20.0,
            spacing=(size,) + (1.0,) * (len(shape) - 1), progress=told.append,
        )  # fmt: skip
        inside = None if region is None else region == 4
        binned = levels.discretise(image, inside, bin_width=20.0).array
        expected = radiomics.dense(binned, image=image, radius=1, voxel_size=size)
        for (name, plane), key, values in zip(found.planes, lesion_definitions.TEXTURE, expected, strict=True):
            assert name == key
            assert np.array_equal(plane, values, equal_nan=True), name
            assert inside is None or np.isnan(plane[~inside]).all()
        assert told == sorted(told)
        assert told[-1] == 1.0
        assert found.levels.levels_sha256 == array_sha256(binned + np.int16(1))


@pytest.mark.verifies("SRS-RAD-004", "SRS-INP-004")
def test_without_spacing_the_map_of_the_total_energy_is_undefined() -> None:
    found = maps(IMAGE[:9, :9], "all", radius=1)
    assert [name for name, plane in found.items() if np.isnan(plane).all()] == ["firstorder_TotalEnergy"]
