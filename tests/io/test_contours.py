# SPDX-License-Identifier: Apache-2.0
"""Contours give their mask again when they are filled, and NRRD masks lie where their source lies."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - as everybody calls it
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from skimage.measure import points_in_poly

from radiomicnet_md import delivery, io
from radiomicnet_md.errors import InputError
from radiomicnet_md.io.contours import outlines
from tests import desks
from tests.io import samples
from tests.io.sources import SOURCES

RING = np.zeros((96, 128), dtype=np.uint8)
RING[20:60, 30:90] = 1
RING[30:40, 50:70] = 0  # a hole
RING[34, 60] = 1  # an island in it
RING[60, 90] = 1  # touches at a corner
MASKS = {"hollow": RING, "whole": np.pad(np.ones((10, 20), np.uint8), ((5, 81), (7, 101))), "none": RING * 0}


def filled(polygons: list[Any], size: tuple[int, ...]) -> NDArray[np.bool_]:
    """The centres of pixels that lie within an odd number of polygons of corners."""
    centres = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1).reshape(-1, 2) + 0.5
    count = sum(
        (points_in_poly(centres, np.array(polygon)).astype(int) for polygon in polygons), np.zeros(len(centres))
    )
    return np.asarray(count % 2 == 1).reshape(size)


@pytest.mark.verifies("SRS-OUT-026")
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 1)))
def test_law_filled_outlines_are_the_mask(mask: NDArray[np.uint8]) -> None:
    polygons = outlines(mask)
    assert (filled(polygons, mask.shape) == (mask == 1)).all()
    for polygon in polygons:
        steps = np.diff([*polygon, polygon[0]], axis=0)
        assert (np.count_nonzero(steps, axis=1) == 1).all()  # along the edges of pixels
        assert (np.sign(steps) != np.roll(np.sign(steps), 1, axis=0)).any(axis=1).all()  # no corner without a turn


@pytest.mark.verifies("SRS-OUT-026", "SRS-OUT-025", "SRS-OUT-024")
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("name", ["plain", "bare", "multi-frame", "axial", "oblique"])
def test_a_structure_set_is_valid_and_gives_the_mask(
    name: str, mask: NDArray[np.uint8], tmp_path: Path, require: Callable[[str], Path]
) -> None:
    source = io.read(samples.put(tmp_path, samples.ultrasound(SOURCES[name])))
    path = tmp_path / "contours.dcm"
    io.write_contours(path, source, mask, samples.RECEIPT, samples.ALGORITHM)
    done = subprocess.run([require("dciodvfy"), "-new", path], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if line.startswith("Error")] == []
    made = pydicom.dcmread(path)
    (roi,) = made.ROIContourSequence
    down, across = source.image.spacing_mm or (0.0, 0.0)
    first, along, below = np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    if name in ("axial", "oblique"):
        first = np.array(source.dataset.ImagePositionPatient, dtype=float)
        along, below = np.reshape(np.array(source.dataset.ImageOrientationPatient, dtype=float), (2, 3))
        assert made.FrameOfReferenceUID == source.dataset.FrameOfReferenceUID
    else:
        assert "invented" in made.StructureSetDescription
    polygons = []
    for contour in roi.get("ContourSequence", ()):
        points = np.reshape(np.array(contour.ContourData, dtype=float), (-1, 3)) - first
        assert contour.NumberOfContourPoints == len(points)
        polygons.append(np.stack([points @ below / down + 0.5, points @ along / across + 0.5], axis=-1))
        assert contour.ContourImageSequence[0].ReferencedSOPInstanceUID == source.dataset.SOPInstanceUID
        assert contour.ContourGeometricType == "CLOSED_PLANAR"
    assert (filled(polygons, mask.shape) == (mask == 1)).all()
    before = path.read_bytes()
    io.write_contours(path, source, mask, samples.RECEIPT, samples.ALGORITHM)
    assert path.read_bytes() == before


@pytest.mark.verifies("SRS-OUT-026")
def test_contours_without_a_size_of_a_pixel_are_a_typed_error(tmp_path: Path) -> None:
    source = io.read(samples.put(tmp_path, samples.picture()))
    target = delivery.Target(tmp_path / "out", "case", "rtstruct")
    target.out.mkdir()
    with pytest.raises(InputError) as caught:
        delivery.deliver(
            source, desks.decision(io.grey(source.image), 60), samples.RECEIPT, target, delivery.Marks(("a", "1"), "x")
        )
    assert caught.value.code == "E-OUTPUT-SPACING"
    assert list(target.out.iterdir()) == []


@pytest.mark.verifies("SRS-OUT-026", "SRS-OUT-025")
@pytest.mark.parametrize("name", ["plain", "unscaled", "axial", "coronal", "sagittal", "oblique", "skewed"])
def test_nrrd_masks_lie_where_their_source_lies(name: str, tmp_path: Path) -> None:
    source = io.read(samples.put(tmp_path, samples.ultrasound(SOURCES[name])))
    path = tmp_path / "mask.nrrd"
    io.write_mask_nrrd(path, RING, io.of_picture(source), samples.RECEIPT)
    made = sitk.ReadImage(str(path))
    assert (sitk.GetArrayFromImage(made).reshape(RING.shape) == RING).all()
    placed = name in ("axial", "coronal", "sagittal", "oblique")
    assert (b"space origin" in path.read_bytes()[:400]) == placed
    if placed:
        given_ = sitk.ReadImage(str(tmp_path / "input"), imageIO="GDCMImageIO")
        for corner in ((0, 0, 0), (127, 0, 0), (0, 95, 0), (127, 95, 0)):
            there = given_.TransformIndexToPhysicalPoint(corner)
            assert made.TransformIndexToPhysicalPoint(corner) == pytest.approx(there, abs=1e-6)
    assert (b"spac" in path.read_bytes()[:200]) == (name != "unscaled")


@pytest.mark.verifies("SRS-OUT-026")
@pytest.mark.parametrize(("form", "file"), [("nrrd", "mask.nrrd"), ("rtstruct", "contours.dcm")])
def test_a_form_is_one_file_beside_the_pictures(form: str, file: str, tmp_path: Path) -> None:
    source = io.read(samples.put(tmp_path, samples.ultrasound()))
    target = delivery.Target(tmp_path / "out", "case", form)
    target.out.mkdir()
    decision = desks.decision(io.grey(source.image), 60)
    names = delivery.deliver(source, decision, samples.RECEIPT, target, delivery.Marks(("a", "1"), "x"))
    assert {Path(name).name for name in names} == {"mask.png", "overlay.png", "why.png", "record.json", file}
