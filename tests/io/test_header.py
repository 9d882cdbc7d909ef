# SPDX-License-Identifier: Apache-2.0
"""Geometry and rescale of a file are what SimpleITK reads of it, and absent where the file does not state them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as everybody calls it
from numpy.typing import NDArray

from radiomicnet_md import io
from radiomicnet_md.errors import InputError
from radiomicnet_md.io.header import Header, difference, header
from tests.io import samples

pytestmark = pytest.mark.verifies("SRS-RAD-011", "SRS-INP-004")
SUFFIXES = pytest.mark.parametrize("suffix", ["nii", "nii.gz", "nrrd", "mha"])


def turn(count: int, seed: int) -> NDArray[np.float64]:
    """A rotation, or a reflection where the seed is odd; the identity for 0."""
    if seed == 0:
        return np.eye(count)
    axes = np.linalg.qr(np.random.default_rng(seed).normal(size=(count, count)))[0]
    if (np.linalg.det(axes) < 0) != (seed % 2 == 1):
        axes[:, 0] *= -1
    return axes


def placed(shape: tuple[int, ...], seed: int) -> sitk.Image:
    image = sitk.GetImageFromArray(np.arange(np.prod(shape), dtype=np.int16).reshape(shape))
    image.SetSpacing((0.1, 0.2, 1.5)[: len(shape)])
    image.SetOrigin((-11.0, 22.5, 3.0)[: len(shape)])
    image.SetDirection(turn(len(shape), seed).ravel().tolist())
    return image


def said(path: Path) -> Header:
    return header(path, io.read(path))


def assert_as_simpleitk(found: Header, path: Path) -> None:
    image = sitk.ReadImage(str(path))
    count = image.GetDimension()
    assert found.shape == image.GetSize()[::-1]
    assert found.spacing_mm == pytest.approx(image.GetSpacing()[::-1], rel=1e-6)
    assert found.origin_mm == pytest.approx(image.GetOrigin(), rel=1e-6)
    assert found.directions is not None
    assert np.allclose(found.directions, np.reshape(image.GetDirection(), (count, count)).T[::-1], atol=1e-6)


@SUFFIXES
@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5), (1, 4, 5)])
def test_files_of_simpleitk(shape: tuple[int, ...], seed: int, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"image.{suffix}"
    sitk.WriteImage(placed(shape, seed), str(path))
    assert_as_simpleitk(said(path), path)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("codes", [(0, 1), (1, 0), (2, 2)])
def test_files_of_nibabel(codes: tuple[int, int], order: str, kind: type[nibabel.Nifti1Image], tmp_path: Path) -> None:
    affine = np.eye(4)
    affine[:3, :3] = turn(3, 5) * (0.5, 0.75, 2.0)
    affine[:3, 3] = 10, -20, 30
    made = kind(np.zeros((5, 4, 3), np.int16), affine, kind.header_class(endianness=order))
    made.set_qform(affine, codes[0])
    made.set_sform(affine, codes[1])
    made.header.set_xyzt_units("mm")
    nibabel.save(made, tmp_path / "image.nii")
    found = said(tmp_path / "image.nii")
    assert found.rescale is None
    assert found.spacing_mm == pytest.approx((2.0, 0.75, 0.5))
    assert found.origin_mm == pytest.approx((-10, 20, 30), rel=1e-5)
    axes = np.array(found.directions)[::-1].T * found.spacing_mm[::-1]
    assert np.allclose(axes, affine[:3, :3] * [[-1], [-1], [1]], atol=1e-5)


@pytest.mark.parametrize("space", ["left-posterior-superior", "RAS", "left-anterior-superior"])
def test_spaces_of_nrrd(space: str, tmp_path: Path) -> None:
    extra = f"space: {space}\nspace directions: (0,0.5,0) (-2,0,0) (0,0,3)\nspace origin: (1,2,3)"
    path = samples.put(tmp_path, samples.nrrd(np.zeros((3, 4, 5), np.uint8), extra), "image.nrrd")
    assert_as_simpleitk(said(path), path)


@pytest.mark.parametrize(
    ("data", "spacing"),
    [
        (samples.nifti(np.zeros((3, 70, 80), np.uint8), units=0), None),
        (samples.nrrd(np.zeros((3, 4, 5), np.uint8), "spacings: 0.1 0.2 nan"), None),
        (samples.nrrd(np.zeros((3, 4, 5), np.uint8), "spacings: 0.1 0.2 0.3"), (0.3, 0.2, 0.1)),
        (samples.nrrd(np.zeros((3, 4, 5), np.uint8), "# nothing"), None),
        (samples.nrrd(extra="space dimension: 2\nspace directions: (0.1,0) (0.1,0.2)"), (np.hypot(0.1, 0.2), 0.1)),
        (samples.mha(np.zeros((3, 4, 5), np.uint8), "ElementSpacing = 0.1 0.2 0.3"), (0.3, 0.2, 0.1)),
        (samples.mha(np.zeros((3, 4, 5), np.uint8), "Offset = 1 2 3"), None),
        (samples.picture(), None),
        (samples.ultrasound(), (0.08, 0.08)),
    ],
)
def test_what_is_not_stated_is_not_known(data: bytes, spacing: tuple[float, ...] | None, tmp_path: Path) -> None:
    found = said(samples.put(tmp_path, data))
    assert found.spacing_mm == pytest.approx(spacing)
    assert found.origin_mm is None
    assert found.directions is None


def slice_of_a_scanner(dataset: Any) -> None:  # noqa: ANN401
    del dataset.SequenceOfUltrasoundRegions
    dataset.PixelSpacing = ["0.5", "0.7"]
    dataset.ImagePositionPatient = ["-10", "20.5", "30"]
    dataset.ImageOrientationPatient = ["0", "1", "0", "0", "0", "-1"]
    dataset.SliceThickness = "3"
    dataset.RescaleSlope, dataset.RescaleIntercept = "2", "-1024"


def test_a_dicom_slice_lies_where_it_says(tmp_path: Path) -> None:
    path = samples.put(tmp_path, samples.ultrasound(slice_of_a_scanner), "slice.dcm")
    found = said(path)
    theirs = sitk.ReadImage(str(path))
    assert found.shape == theirs.GetSize()[::-1]
    assert found.spacing_mm == (3.0, 0.5, 0.7)
    assert found.origin_mm == theirs.GetOrigin()
    assert found.directions is not None
    assert np.allclose(np.array(found.directions)[::-1].T.ravel(), theirs.GetDirection())
    assert found.rescale == (2.0, -1024.0)
    stored = io.read(path).image.pixels[0, :, :, 0]
    assert np.array_equal(found.measured(stored), stored * 2.0 - 1024)


def test_a_scaled_nifti_is_measured_as_others_read_it(tmp_path: Path) -> None:
    stored = np.arange(20, dtype=np.int16).reshape(4, 5)
    made = nibabel.Nifti1Image(stored.T, np.eye(4))
    made.header.set_slope_inter(0.5, -3)
    data = bytearray(made.to_bytes())
    data[352:] = stored.tobytes()
    data[112:120] = np.array([0.5, -3], "<f4").tobytes()
    path = samples.put(tmp_path, bytes(data), "scaled.nii")
    found = said(path)
    assert found.rescale == (0.5, -3.0)
    assert np.array_equal(found.measured(stored), nibabel.load(path).get_fdata().T)


@pytest.mark.verifies("SRS-RAD-012")
def test_more_than_a_volume_is_refused(tmp_path: Path) -> None:
    for name, data in (
        ("four.nii", samples.nifti(np.zeros((2, 3, 9, 9), np.uint8))),
        ("four.nrrd", samples.nrrd(np.zeros((2, 3, 9, 9), np.uint8), "spacings: 1 1 1 1")),
        ("four.mha", samples.mha(np.zeros((2, 3, 9, 9), np.uint8), "ElementSpacing = 1 1 1 1")),
        ("time.nii", samples.nifti(np.zeros((2, 1, 9, 9), np.uint8))),
    ):
        with pytest.raises(InputError) as raised:
            said(samples.put(tmp_path, data, name))
        assert raised.value.code == "E-INPUT-DIMENSIONS"
    one = samples.put(tmp_path, samples.nifti(np.zeros((1, 3, 9, 9), np.uint8)), "one.nii")
    assert said(one).shape == (3, 9, 9)


@pytest.mark.verifies("SRS-RAD-012")
def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    path = samples.put(tmp_path, samples.nrrd())
    reading = io.read(path)
    samples.put(tmp_path, samples.nrrd(extra="spacings: 0.3 0.2"))
    with pytest.raises(InputError) as raised:
        header(path, reading)
    assert raised.value.code == "E-INPUT-CHANGED"


@pytest.mark.verifies("SRS-RAD-012")
@pytest.mark.parametrize("suffixes", [("nrrd", "nii"), ("mha", "nrrd")])
def test_the_same_place_in_two_formats_is_no_difference_and_another_is(
    suffixes: tuple[str, str], tmp_path: Path
) -> None:
    image = placed((3, 4, 5), 6)
    for suffix in suffixes:
        sitk.WriteImage(image, str(tmp_path / f"one.{suffix}"))
    one, other = (said(tmp_path / f"one.{suffix}") for suffix in suffixes)
    assert difference(one, other) is None
    changes = {
        "size of a pixel": lambda image: image.SetSpacing((0.1, 0.2, 1.6)),
        "place of the first pixel": lambda image: image.SetOrigin((-11.0, 22.5, 3.01)),
        "direction of an axis": lambda image: image.SetDirection(turn(3, 2).ravel().tolist()),
    }
    for what, change in changes.items():
        moved = placed((3, 4, 5), 6)
        change(moved)
        sitk.WriteImage(moved, str(tmp_path / "other.nrrd"))
        assert difference(one, said(tmp_path / "other.nrrd")) == f"the {what}"
    plain = Header((4, 5))
    assert difference(plain, one) is None
    assert difference(Header((4, 5), (0.2, 0.1)), one) is None
    assert difference(Header((4, 5), (0.2, 0.3)), one) == "the size of a pixel"
