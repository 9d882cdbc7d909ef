# SPDX-License-Identifier: Apache-2.0
"""IBSI's reference values: every covered one agrees but the named ones, and no row of the list goes uncounted."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md import radiomics
from radiomicnet_md.radiomics import lesion_definitions, levels
from radiomicnet_md_validation import ibsi, ibsi_page, ibsi_rows, ibsi_values
from radiomicnet_md_validation.ibsi_pipeline import (
    CONFIGURATIONS,
    DIGITAL,
    Configuration,
    interpolate,
    prepare,
    process,
)
from radiomicnet_md_validation.ibsi_rows import CAUSES, Reference, Row, Verdict, within

pytestmark = pytest.mark.verifies("SRS-RAD-008")


def reference(value: str, tolerance: str = "") -> Reference:
    return Reference("family", "feature", "CODE", "", DIGITAL, value, tolerance, "strong", "")


@pytest.fixture(scope="module")
def rows(data: Path) -> list[Row]:
    return ibsi_rows.judge(data)


def test_every_row_of_the_list_has_one_verdict(rows: list[Row]) -> None:
    counts = Counter(row.verdict for row in rows)
    assert len(rows) == 1804
    assert counts == {
        Verdict.WITHIN: 772,
        Verdict.OUTSIDE: 6,
        Verdict.NOT_DEFINED: 388,
        Verdict.NOT_COVERED: 638,
    }
    assert all((row.value is None) == (row.verdict in {Verdict.NOT_DEFINED, Verdict.NOT_COVERED}) for row in rows)


@pytest.mark.parametrize(("name", "covered"), [(DIGITAL, 193), *((name, 117) for name in list(CONFIGURATIONS)[1:])])
def test_covered_values_agree_but_the_named_ones(rows: list[Row], name: str, covered: int) -> None:
    measured = [row for row in rows if row.reference.data == name and row.value is not None]
    assert len(measured) == covered
    outside = {(name, row.reference.aggregation, row.key) for row in measured if row.verdict is Verdict.OUTSIDE}
    assert outside == {named for named in CAUSES if named[0] == name}


def test_each_cause_has_its_sign_and_explains_its_row(rows: list[Row]) -> None:
    outside = [row for row in rows if row.verdict is Verdict.OUTSIDE]
    assert len(outside) == len(CAUSES)
    for row in outside:
        assert row.value is not None
        assert row.mended is not None
        # n instead of n − 1 shortens an axis; fewer levels make a difference larger and its inverse smaller
        assert row.value < float(row.reference.value)
        assert within(row.mended, row.reference)


def test_levels_without_a_start(rows: list[Row]) -> None:
    """What users get without IBSI's numbering: the page states it, so it is held too."""
    plain = Counter((row.reference.data, row.plain) for row in rows if row.plain is not None)
    assert plain == {
        (DIGITAL, True): 76,
        ("config. C", True): 54,
        ("config. C", False): 22,
        ("config. D", True): 76,
        ("config. E", True): 76,
    }


@pytest.mark.parametrize("name", ["config. A", "config. C"])
def test_a_start_gives_the_levels_of_the_reference_manual(data: Path, name: str) -> None:
    """The public call on grey values numbers them as the phantom's own preparation does."""
    phantom, steps = prepare(data, name), CONFIGURATIONS[name]
    assert steps.hounsfield is not None
    found = levels.discretise(phantom.grey, phantom.intensity, bin_width=steps.bin_width, bin_start=steps.hounsfield[0])
    assert np.array_equal(found.array + 1, phantom.levels)


def test_the_pages_equal_the_code(rows: list[Row], root: Path) -> None:
    assert (root / ibsi.PAGE).read_text(encoding="utf-8") == ibsi_page.page(rows)
    assert (root / ibsi.VALUES_PAGE).read_text(encoding="utf-8") == ibsi_page.values_page(rows)


def test_a_lost_value_ends_with_3(
    rows: list[Row], data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ibsi.DATA, str(data))
    monkeypatch.setattr(ibsi_rows, "judge", lambda _: rows)
    assert ibsi.main([]) == 0
    for lost in (dataclasses.replace(rows[0], verdict=Verdict.OUTSIDE), dataclasses.replace(rows[0], dense=False)):
        monkeypatch.setattr(ibsi_rows, "judge", lambda _, lost=lost: [lost, *rows[1:]])
        assert ibsi.main([]) == ibsi.UNEXPECTED
        assert str(rows[0].key) in capsys.readouterr().err


def test_a_cause_that_explains_nothing_is_unexpected() -> None:
    cause = next(iter(CAUSES.values()))
    row = Row(reference("1.00", "0.01"), "key", 1.1, Verdict.OUTSIDE, cause=cause, mended=1.05)
    assert not row.as_expected
    assert dataclasses.replace(row, mended=1.01).as_expected
    assert not dataclasses.replace(row, value=1.0, verdict=Verdict.WITHIN).as_expected, "listed, but inside"


def test_dense_maps_of_the_digital_phantom_agree(rows: list[Row]) -> None:
    """Volume and slices: first order 30 times, 76 textures twice; shape is no map."""
    assert Counter(row.dense for row in rows if row.reference.data == DIGITAL) == {True: 182, None: 300}
    assert not any(row.dense is not None for row in rows if row.reference.data != DIGITAL)


def test_dense_maps_of_the_digital_phantom_are_the_lesions_values_at_each_voxel(data: Path) -> None:
    phantom = prepare(data, DIGITAL)
    padded = np.pad(phantom.levels, 4) - 1
    maps = radiomics.dense(padded, image=np.pad(phantom.grey, 4), radius=4, voxel_size=8.0)
    values = radiomics.lesion(phantom.grey, phantom.intensity, phantom.spacing_mm, bin_width=1).values
    for name, found in zip(lesion_definitions.TEXTURE, maps, strict=True):
        assert found[padded >= 0] == pytest.approx(values[name], rel=1e-9, abs=1e-8), name


@pytest.mark.parametrize(
    ("value", "published", "tolerance", "agrees"),
    [
        (1.2749, "1.27", "", True),
        (1.2751, "1.27", "", False),
        (-0.35549, "-0.355", "", True),
        (9.2449, "9.31", "0.06", False),
        (9.246, "9.31", "0.06", True),  # 9.25 after rounding: on the edge
        (1494.0, "1490.0", "", True),
        (float("nan"), "1", "1", False),
    ],
)
def test_comparison(value: float, published: str, tolerance: str, agrees: bool) -> None:  # noqa: FBT001 - the outcome
    assert within(value, reference(published, tolerance)) is agrees


def test_every_code_of_the_device_is_looked_up() -> None:
    families = {prefix: family for family, prefix in reversed(ibsi_values.CLASSES.items())}
    for name, measure in (lesion_definitions.TEXTURE | lesion_definitions.SHAPE[3]).items():
        if measure.ibsi and name not in {"firstorder_Entropy", "firstorder_Uniformity"}:
            assert ibsi_values.key(families[name.split("_")[0]], "", measure.ibsi) == name
    assert ibsi_values.key(ibsi_values.GREY, "", "TLU2") is None, "entropy is IBSI's on levels alone"
    assert ibsi_values.key("Local intensity features", "", "VJGA") is None


def test_a_pixel_without_neighbour_sets_the_number_of_levels_alone() -> None:
    """The check of a cause must not change anything but what it names."""
    drawn = np.random.default_rng(3).integers(1, 6, (2, 7, 8)).astype(np.int16)
    steps = Configuration(texture=("2D",), hounsfield=(0.0, 10.0), bin_width=1)
    prepared = process(drawn - 1.0, drawn > 0, (1.0, 1.0, 1.0), steps)
    assert (prepared.levels == drawn).all()
    plain, marked = (ibsi_values.mean_of_slices(prepared, highest_level=top) for top in (0, 9))
    changed = {name for name in plain if name.startswith("glcm") and abs(plain[name] - marked[name]) > 1e-12}
    assert changed == {"glcm_Idn", "glcm_Idmn"}


@given(st.integers(1, 40), st.floats(0.3, 5), st.floats(0.3, 5))
def test_grids_share_their_centre_and_cover_the_image(count: int, source: float, target: float) -> None:
    ramp = source * (np.arange(count) - (count - 1) / 2)
    found = interpolate(ramp, (source,), (target,), 1)
    assert found == pytest.approx(-found[::-1], abs=1e-9), "a ramp through the centre stays antisymmetric"
    assert len(found) * target >= count * source - 1e-4
    assert (len(found) - 1) * target < count * source
    wanted = target * (np.arange(len(found)) - (len(found) - 1) / 2)
    assert found == pytest.approx(np.clip(wanted, ramp[0], ramp[-1]), abs=1e-9)


def test_resegmentation_and_levels() -> None:
    grey = np.array([[[-600.0, -500, -476, -475, 400, 401, 0]]])
    region = np.array([[[True, True, True, True, True, True, False]]])
    found = process(grey, region, (1.0, 1.0, 1.0), CONFIGURATIONS["config. A"])
    assert found.levels.tolist() == [[[0, 1, 1, 2, 37, 0, 0]]], "both ends belong; the region's rest does not"
    assert (found.morphological == region).all()


def test_outliers_are_judged_on_the_drawn_region_and_the_maximum_is_in_the_last_bin() -> None:
    grey = np.array([[[*np.arange(33.0).repeat(2), 1000.0]]])
    region = np.ones(grey.shape, dtype=bool)
    steps = dataclasses.replace(CONFIGURATIONS["config. D"], spacing_mm=None)
    found = process(grey, region, (1.0, 1.0, 1.0), steps)
    assert not found.intensity[0, 0, -1]
    assert found.levels[0, 0, :-1].tolist() == [*np.arange(1, 33).repeat(2), 32, 32]
