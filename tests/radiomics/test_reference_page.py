# SPDX-License-Identifier: Apache-2.0
"""The reference page is what the tables say, and it is so: references are met, undefined cases undefined."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from radiomicnet_md import radiomics
from radiomicnet_md.radiomics import (
    glcm,
    lbp,
    lesion_definitions,
    moments,
    named_maps,
    per_lesion,
    reference,
    region_definitions,
    region_more,
    surface,
)
from radiomicnet_md.radiomics.definition_tables.measure import BRAIN, IBSI, SLICE
from radiomicnet_md.radiomics.definitions import DEFINITIONS, NAMED, PAPER

MEASURES = {name: measure for group in lesion_definitions.GROUPS for name, measure in group.measures.items()}
CASES = {case for measure in MEASURES.values() for case in measure.undefined}


@pytest.mark.verifies("SRS-RAD-001", "SRS-RAD-002", "SRS-RAD-007")
def test_the_page_is_the_code_s(root: Path) -> None:
    written = (root / reference.PAGE).read_text(encoding="utf-8")
    assert written == reference.page(), "run: python -m radiomicnet_md.radiomics.reference --write"


@pytest.mark.verifies("SRS-RAD-001", "SRS-RAD-002", "SRS-RAD-007")
def test_the_command_shows_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reference.main([])
    assert capsys.readouterr().out == reference.page()
    (tmp_path / "docs" / "reference").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    reference.main(["--write"])
    assert (tmp_path / reference.PAGE).read_text(encoding="utf-8") == reference.page()


@pytest.mark.verifies("SRS-RAD-001", "SRS-RAD-002", "SRS-RAD-007")
def test_every_row_of_a_table_has_the_cells_of_its_head() -> None:
    """A bar inside a formula would split its cell."""
    tables = re.findall(r"(?m)^\|.*\|\n\| --- .*\|\n(?:\|.*\|\n)+", reference.page())
    assert len(tables) == len(lesion_definitions.GROUPS) + 7
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
    for name in (*NAMED, *MEASURES):
        assert f"| `{name}` |" in reference.page()
    for value in (*region_definitions.VALUES, *region_more.MORE):
        kind, _, last = value.name.rpartition(" ")
        name = f"{kind} *name*" if last in NAMED else value.name
        row = f"| {name} | {value.ibsi} | {value.unit} | {value.scale} | {value.meaning.replace('|', '∣')} |"
        assert reference.page().count(f"{row}\n") == 1


@pytest.mark.verifies("SRS-RAD-001", "SRS-RAD-002", "SRS-RAD-007")
def test_the_names_stand_in_the_order_of_the_maps() -> None:
    assert (*glcm.FEATURES, *lbp.FEATURES, *moments.FEATURES, *surface.FEATURES) == NAMED
    assert NAMED[:13] == PAPER
    assert NAMED[named_maps.SHAPE_RATIO] == "hessian_ShapeIndex"


@pytest.mark.verifies("SRS-RAD-001", "SRS-RAD-002", "SRS-RAD-007")
def test_every_definition_is_complete() -> None:
    for definition in DEFINITIONS:
        assert all((definition.key, definition.name, definition.formula, definition.unit, definition.undefined))
        assert re.fullmatch("([0-9A-Z]{4})?", definition.ibsi)
    for name, measure in MEASURES.items():
        assert all((measure.formula, measure.unit)), name
        assert measure.reference.within() > 0, name
        for case in measure.undefined:
            assert case.lesion in per_lesion.Reason.__members__
    codes = [measure.ibsi for measure in MEASURES.values() if measure.ibsi]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch("[0-9A-Z]{4}", code) for code in codes)
    counts = [len(group.measures) for group in lesion_definitions.GROUPS]
    assert counts == [18, 24, 16, 16, 14, 5, 9, 14]
    assert all(
        group.title.rstrip(")").endswith(str(n)) for group, n in zip(lesion_definitions.GROUPS, counts, strict=True)
    )


@pytest.mark.verifies("SRS-RAD-001", "SRS-RAD-002", "SRS-RAD-007")
def test_both_tables_say_the_same_of_a_name() -> None:
    for definition in DEFINITIONS:
        measure = lesion_definitions.TEXTURE.get(definition.key)
        if measure is not None:
            assert (measure.ibsi, measure.unit) == (definition.ibsi, definition.unit), definition.key
            assert definition.formula.startswith(measure.formula), definition.key


# ---------------------------------------------------------------------------------------- reference values
OTHER_CODES = {"firstorder_Kurtosis": "IPH6", "firstorder_TotalEnergy": "N8CA"}
# PyRadiomics' number as the reference counts it: 3 less, without the 8 mm³ of a voxel, covariance by n − 1.
CORRECTED = {
    "firstorder_Kurtosis": lambda value, _: value - 3,
    "firstorder_TotalEnergy": lambda value, _: value / 8,
    "shape_LeastAxisLength": lambda value, n: value * (n / (n - 1)) ** 0.5,
    "shape_MinorAxisLength": lambda value, n: value * (n / (n - 1)) ** 0.5,
}
DIGITS = 6  # to which PyRadiomics' baseline is rounded


def of_source(source: str) -> dict[str, lesion_definitions.Measure]:
    return {name: measure for name, measure in MEASURES.items() if measure.reference.source == source}


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig") as lines:
        return list(csv.DictReader(lines))


def read(image: Path, mask: Path) -> tuple[NDArray[np.generic], NDArray[np.generic], tuple[float, ...]]:
    import SimpleITK

    picture = SimpleITK.ReadImage(str(image))
    where = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(mask)))
    return SimpleITK.GetArrayFromImage(picture), where, picture.GetSpacing()[::-1]


def assert_met(found: per_lesion.Lesion, expected: Mapping[str, lesion_definitions.Measure]) -> None:
    for name, measure in expected.items():
        value = found.values[name]
        assert isinstance(value, float), name
        target, within = Decimal(measure.reference.value), measure.reference.within()
        assert (abs(Decimal(value) - target) > within) == (name in CORRECTED), name
        assert bool(measure.reference.differs) == (name in CORRECTED), name
        if name in CORRECTED:
            assert abs(Decimal(CORRECTED[name](value, found.pixels)) - target) <= within, name


@pytest.mark.verifies("SRS-RAD-003", "SRS-RAD-008")
def test_the_digital_phantom_meets_its_reference_values(data: Path) -> None:
    folder = data / "ibsi" / "ibsi_1_digital_phantom" / "nifti"
    image, mask, spacing = read(folder / "image" / "phantom.nii.gz", folder / "mask" / "mask.nii.gz")
    expected = of_source(IBSI)
    assert len(expected) == 103
    assert_met(radiomics.lesion(image, mask, spacing, bin_width=1), expected)


@pytest.mark.verifies("SRS-RAD-008")
def test_reference_values_and_tolerances_are_ibsi_s(data: Path) -> None:
    published: dict[str, list[dict[str, str]]] = {}
    for row in rows_of(data / "ibsi" / "ibsi_1_reference_values.csv"):
        if row["data"] == "dig. phantom" and row["aggregation"] in {"", "3D", "3D, averaged"}:
            code = row["feature_code"] or {"Small zone emphasis": "5QRC"}[row["feature"]]  # the table lacks this code
            published.setdefault(code, []).append(row)
    for name, measure in of_source(IBSI).items():
        (row,) = published[OTHER_CODES.get(name, measure.ibsi)]
        assert float(row["value"]) == float(measure.reference.value), name
        assert row["tolerance"] == measure.reference.tolerance, name


@pytest.mark.verifies("SRS-RAD-003")
def test_the_other_reference_values_are_pyradiomics_baseline(data: Path) -> None:
    folder = data / "pyradiomics"
    image, mask, spacing = read(folder / "brain1_image.nrrd", folder / "brain1_label.nrrd")
    number = int(SLICE.split()[-1])
    found = {
        BRAIN: radiomics.lesion(image, mask, spacing),
        SLICE: radiomics.lesion(image[number], mask[number], spacing[1:]),
    }
    for source, column in ((BRAIN, "brain1"), (SLICE, "brain1_shape2D")):
        expected = of_source(source)
        assert_met(found[source], expected)
        for name, measure in expected.items():
            prefix = name.split("_")[0]
            rows = {row["featureName"]: row for row in rows_of(folder / "baseline" / f"baseline_{prefix}.csv")}
            baseline = Decimal(rows[f"original_{name}"][column])
            assert Decimal(f"{baseline:.{DIGITS}g}") == Decimal(measure.reference.value), name
    assert len(MEASURES) == len(of_source(IBSI)) + len(of_source(BRAIN)) + len(of_source(SLICE))


# --------------------------------------------------------------------------------------- undefined cases
MAP_NUMBERS = {"0": 0.0, "1": 1.0, "10⁶": 1e6, "NaN": float("nan")}
SIDE, CENTRE = 7, (2, 2)
REGIONS: dict[str, dict[tuple[int, int], float]] = {
    "one grey level": {CENTRE: 1.5, (2, 3): 1.2, (1, 2): 1.7},
    "all values equal": {CENTRE: 1.1, (2, 3): 1.1, (1, 2): 1.1},
    "no pair": {CENTRE: 1.5, (2, 4): 2.5, (0, 2): 3.5},
    "no two on a line": {CENTRE: 1.5, (0, 1): 2.5, (3, 0): 3.5},
    "two px that differ": {CENTRE: 1.5, (2, 3): 2.5},
    "one level in each connected part": {CENTRE: 1.5, (2, 3): 1.7, (0, 0): 2.2, (0, 1): 2.9},
    "i pᵢ equal for all levels": {CENTRE: 1.5, (2, 3): 1.2, (1, 2): 2.5},
    "no pixel size": {CENTRE: 1.5, (2, 3): 2.5, (1, 1): 3.5, (1, 2): 3.9},
}
# What else is so of such a region: equal values have one level, and where nothing touches each part has one.
IMPLIED = {
    "all values equal": {"one grey level"},
    "no pair": {"one level in each connected part"},
    "no two on a line": {"no pair", "one level in each connected part"},
}


@pytest.mark.verifies("SRS-RAD-004", "SRS-RAD-007")
def test_every_undefined_case_has_a_region_here() -> None:
    assert {case.when for case in CASES} == REGIONS.keys()


@pytest.mark.verifies("SRS-RAD-004", "SRS-RAD-007")
@pytest.mark.parametrize("when", REGIONS)
def test_exactly_the_named_values_are_undefined_in_a_region(when: str) -> None:
    image, mask = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE), dtype=np.uint8)
    for place, value in REGIONS[when].items():
        image[place], mask[place] = value, 1
    spacing = None if when == "no pixel size" else (1.0, 1.0)
    found = radiomics.lesion(image, mask, spacing, bin_width=1).values
    reasons = {name: value.reason.name for name, value in found.items() if isinstance(value, per_lesion.Undefined)}
    assert reasons == {name: cases[0].lesion for name, cases in named_cases(when).items() if name in found}


@pytest.mark.verifies("SRS-RAD-004", "SRS-RAD-007")
@pytest.mark.parametrize("when", sorted(REGIONS.keys() - {"no pixel size"}))
def test_a_map_holds_the_documented_number_in_such_a_window(when: str) -> None:
    """The window of the centre holds the region; a px with another level stands outside it."""
    levels, image = np.full((SIDE, SIDE), -1), np.zeros((SIDE, SIDE))
    for place, value in REGIONS[when].items():
        image[place], levels[place] = value, int(value) - 1
    levels[SIDE - 1, SIDE - 1] = 5
    maps = radiomics.dense(levels, image=image, radius=2)
    found = dict(zip(lesion_definitions.TEXTURE, maps[(slice(None), *CENTRE)].tolist(), strict=True))
    expected = {
        name: MAP_NUMBERS[cases[0].dense]
        for name, cases in named_cases(when).items()
        if name in lesion_definitions.TEXTURE
    }
    for name, value in found.items():
        if name in expected:
            assert value == pytest.approx(expected[name], rel=0, abs=0, nan_ok=True), name
        else:
            assert np.isfinite(value), name


def named_cases(when: str) -> dict[str, list[object]]:
    """The values that the tables call undefined in this case, each with the cases that apply."""
    so = {when} | IMPLIED.get(when, set())
    applying = {name: [case for case in measure.undefined if case.when in so] for name, measure in MEASURES.items()}
    return {name: cases for name, cases in applying.items() if cases}
