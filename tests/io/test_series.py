# SPDX-License-Identifier: Apache-2.0
"""Slices make one volume that lies where other readers put it, or the reason why they do not."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md import io
from radiomicnet_md.errors import InputError
from radiomicnet_md.io.series import Slice, Stack, slice_of, stack

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
SMALLEST, CLOSE = 1e-9, 1e-3  # mm


def slices(
    count: int = 5, *, step: Sequence[float] = (0.0, 0.0, 2.5), turn: Sequence[Sequence[float]] = AXIAL
) -> list[Slice]:
    across, down = ((float(axis[0]), float(axis[1]), float(axis[2])) for axis in turn)
    return [
        Slice(4, 6, (0.7, 0.9), (10 + n * step[0], -20 + n * step[1], 30 + n * step[2]), across, down)
        for n in range(count)
    ]


def corners(made: Stack, count: int) -> list[tuple[float, float, float]]:
    one = made.first
    ends = ((0, count - 1), (0, one.rows - 1), (0, one.columns - 1))
    return [made.place(*where) for where in itertools.product(*ends)]


@pytest.mark.verifies("SRS-INP-014")
@given(st.permutations(range(6)), st.floats(-math.pi, math.pi), st.floats(-1.5, 1.5), st.floats(0.1, 9))
def test_any_order_and_any_direction_give_the_places_of_the_slices(
    order: list[int], turn: float, tip: float, step: float
) -> None:
    across = (math.cos(turn), math.sin(turn), 0.0)
    down = (-math.sin(turn) * math.cos(tip), math.cos(turn) * math.cos(tip), math.sin(tip))
    given_ = slices(6, step=step * np.cross(across, down), turn=(across, down))
    made = stack([given_[index] for index in order])
    assert [order[index] for index in made.order] == [0, 1, 2, 3, 4, 5]
    assert made.tilt_degrees < 1e-5
    for index, one in enumerate(given_):
        assert math.dist(made.place(index, 0, 0), one.position) < SMALLEST * 1e3
    assert (
        math.dist(made.place(0, 2, 3), np.array(given_[0].position) + 1.4 * np.array(down) + 2.7 * np.array(across))
        < CLOSE
    )


@pytest.mark.verifies("SRS-INP-014")
def test_a_tilted_gantry_keeps_the_place_of_each_slice() -> None:
    tilt = math.radians(15)
    turn = ((1.0, 0.0, 0.0), (0.0, math.cos(tilt), math.sin(tilt)))
    given_ = slices(5, step=(0.0, 0.0, 3.0), turn=turn)
    made = stack(given_)
    assert made.tilt_degrees == pytest.approx(15)
    for index, one in enumerate(given_):
        assert math.dist(made.place(index, 0, 0), one.position) < SMALLEST


def _at(index: int, **values: object) -> Callable[[list[Slice]], list[Slice]]:
    return lambda given_: [replace(one, **values) if at == index else one for at, one in enumerate(given_)]  # type: ignore[arg-type]


def _moved(index: int, x: float, y: float, z: float) -> Callable[[list[Slice]], list[Slice]]:
    return _at(index, position=(10 + x, -20 + y, 30 + 2.5 * index + z))


@pytest.mark.verifies("SRS-INP-014")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda given_: given_[:2] + given_[3:], "MISSING"),
        (lambda given_: [*given_, given_[1]], "DUPLICATE"),
        (lambda given_: [given_[0]] * 3, "DUPLICATE"),
        (_moved(2, 0, 0, 0.1), "SPACING"),
        (_moved(2, 0.5, 0, 0), "SPACING"),
        (_at(3, spacing_mm=(0.7, 0.91)), "SPACING"),
        (_at(3, rows=5), "SIZE"),
        (_at(3, across=(0.0, 1.0, 0.0), down=(1.0, 0.0, 0.0)), "ORIENTATION"),
        (_at(0, across=(0.8, 0.6, 0.0)), "ORIENTATION"),
        (_at(1, across=(math.nan, 0.0, 0.0)), "ORIENTATION"),
        (_at(1, position=(math.inf, 0.0, 0.0)), "ORIENTATION"),
    ],
)
def test_each_fault_has_its_code(change: Callable[[list[Slice]], list[Slice]], code: str) -> None:
    with pytest.raises(InputError) as caught:
        stack(change(slices(6)))
    assert caught.value.code == f"E-SERIES-{code}"
    made = stack(_moved(2, 0, 0, 0.01)(slices(6)))  # within a hundredth of a step
    assert len(made.order) == 6


@pytest.mark.verifies("SRS-INP-014")
@pytest.mark.parametrize("kind", ["CT", "MR_T1", "PET"])
def test_a_patient_s_series_lies_where_simpleitk_puts_it(kind: str, data: Path, tmp_path: Path) -> None:
    folder = data / "ibsi" / "ibsi_validation" / "dicom" / "STS_002" / kind / "image"
    files = sorted(folder.iterdir())
    found = [slice_of(pydicom.dcmread(path, stop_before_pixels=True)) for path in files]
    made = stack([one for one in found if one is not None])
    assert len(made.order) == len(files)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    columns, rows, count = image.GetSize()
    assert (count, rows, columns) == (len(files), made.first.rows, made.first.columns)
    theirs = [
        image.TransformIndexToPhysicalPoint((x, y, z))
        for z, y, x in itertools.product((0, count - 1), (0, rows - 1), (0, columns - 1))
    ]
    ours = corners(made, count)
    backwards = corners(replace(made, first=found[made.order[-1]], step=tuple(-part for part in made.step)), count)  # type: ignore[arg-type]
    assert min(max(map(math.dist, mine, theirs)) for mine in (ours, backwards)) < CLOSE
    assert {item.problem for item in io.expand(folder)} == {None}
    for path in (*files[:3], *files[4:]):
        shutil.copy(path, tmp_path)
    middle = sorted(range(len(files)), key=made.order.index)
    codes = {item.problem.code if item.problem else None for item in io.expand(tmp_path)}
    assert codes == ({None} if middle[3] in (0, len(files) - 1) else {"E-SERIES-MISSING"})


@pytest.mark.verifies("SRS-INP-014")
def test_a_data_set_that_says_only_part_of_its_place(data: Path) -> None:
    path = next((data / "ibsi" / "ibsi_validation" / "dicom" / "STS_002" / "CT" / "image").iterdir())
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    assert slice_of(dataset) is not None
    del dataset.ImageOrientationPatient
    assert slice_of(dataset) is None
