# SPDX-License-Identifier: Apache-2.0
"""NIfTI, NRRD and MetaImage agree with two independent readers where these are right, and not where they guess."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as everybody calls it
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiomicnet_md import io
from radiomicnet_md.errors import InputError
from tests.io import samples

TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]


@pytest.mark.verifies("SRS-INP-007")
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("suffix", "compressed"), [("nii", 0), ("nii.gz", 0), ("nrrd", 0), ("nrrd", 1), ("mha", 0), ("mha", 1)]
)
@pytest.mark.parametrize("shape", [(7, 5), (3, 7, 5)])
def test_files_of_simpleitk(dtype: str, suffix: str, compressed: int, shape: tuple[int, ...], tmp_path: Path) -> None:
    pixels = (np.arange(math.prod(shape)).reshape(shape) * 3 % 120).astype(dtype)
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing((0.2, 0.1, 0.5)[: len(shape)])
    path = tmp_path / f"volume.{suffix}"
    sitk.WriteImage(image, str(path), useCompression=bool(compressed))
    found = io.read(path).image
    assert found.pixels.dtype == pixels.dtype
    assert found.pixels.shape == (1 if len(shape) == 2 else 3, 7, 5, 1)
    assert (found.pixels.reshape(shape) == pixels).all()
    assert found.spacing_mm == pytest.approx((0.1, 0.2))


@pytest.mark.verifies("SRS-INP-005")
@pytest.mark.parametrize("suffix", ["nii", "nrrd", "mha"])
def test_colour_files_of_simpleitk(suffix: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (7, 5, 3), dtype=np.uint8)
    path = tmp_path / f"colour.{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(pixels, isVector=True), str(path))
    if suffix == "nii":  # a vector image in SimpleITK's hands: three "frames" along the fifth dimension
        assert io.read(path).image.pixels.size == pixels.size
    else:
        assert (io.read(path).image.pixels[0] == pixels).all()


@pytest.mark.verifies("SRS-INP-007")
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_files_of_nibabel(order: str, kind: type[nibabel.Nifti1Image], tmp_path: Path) -> None:
    stored = np.arange(35, dtype=np.int16).reshape(7, 5)  # rows, columns
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.int16)
    image = kind(stored.T, np.diag([0.2, 0.1, 1, 1]), header)
    image.header.set_xyzt_units("mm")
    path = tmp_path / "volume.nii"
    nibabel.save(image, path)
    found = io.read(path).image
    assert (found.pixels[0, :, :, 0] == stored).all()
    assert found.pixels.dtype == np.int16
    assert found.spacing_mm == pytest.approx((0.1, 0.2))


@pytest.mark.verifies("SRS-INP-003")
def test_values_that_are_not_finite_arrive_as_they_are(tmp_path: Path) -> None:
    pixels = np.zeros((70, 70), dtype=np.float32)
    pixels[3, 4], pixels[5, 6] = np.nan, np.inf
    found = io.read(samples.put(tmp_path, samples.nifti(pixels))).image
    assert np.isnan(found.pixels[0, 3, 4, 0])
    assert np.isinf(found.pixels[0, 5, 6, 0])


@pytest.mark.verifies("SRS-INP-004")
@settings(max_examples=200, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(across=st.floats(width=32), down=st.floats(width=32), units=st.integers(0, 7))
def test_law_spacing_is_stated_positive_and_finite_or_absent(
    across: float, down: float, units: int, tmp_path: Path
) -> None:
    path = samples.put(tmp_path, samples.nifti(steps=(across, down), units=units))
    found = io.read(path).image.spacing_mm
    scale = {1: 1000.0, 2: 1.0, 3: 0.001}.get(units)
    good = scale is not None and all(math.isfinite(step) and step > 0 for step in (across, down))
    expected = (down * scale, across * scale) if good and scale else None
    if expected and 0 in expected:  # underflow of a micrometre
        expected = None
    assert found == expected


@pytest.mark.verifies("SRS-INP-004")
@pytest.mark.parametrize(
    ("data", "spacing"),
    [
        (samples.nrrd(), (0.2, 0.1)),
        (samples.nrrd(extra="space dimension: 2\nspace directions: (0.1,0) (0,0.2)"), (0.2, 0.1)),
        (samples.nrrd(extra="space directions: (0.06,0.08) (-0.16,0.12)"), (0.2, 0.1)),
        (samples.nrrd(extra='spacings: 0.1 0.2\nunits: "mm" "mm"'), (0.2, 0.1)),
        (samples.nrrd(extra='spacings: 0.1 0.2\nunits: "cm" "cm"'), None),
        (samples.nrrd(extra="spacings: nan 0.2"), None),
        (samples.nrrd(extra="spacings: 0 0"), None),
        (samples.nrrd(extra="# nothing of spacing"), None),
        (samples.mha(), (0.2, 0.1)),
        (samples.mha(extra="ElementSize = 0.1 0.2"), (0.2, 0.1)),
        (samples.mha(extra="ElementSpacing = -0.1 0.2"), None),
        (samples.mha(extra="Comment = nothing of spacing"), None),
    ],
)
@pytest.mark.verifies("SRS-INP-004", rc=("RC-012",))
def test_spacing_of_text_headers(data: bytes, spacing: tuple[float, float] | None, tmp_path: Path) -> None:
    assert io.read(samples.put(tmp_path, data)).image.spacing_mm == pytest.approx(spacing)


@pytest.mark.verifies("SRS-INP-001")
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (samples.nifti(magic=b"ni1\0"), "E-INPUT-DETACHED"),
        (samples.nrrd(extra="data file: /etc/hostname"), "E-INPUT-DETACHED"),
        (samples.mha(where="/etc/hostname"), "E-INPUT-DETACHED"),
        (samples.nrrd().replace(b"encoding: raw", b"encoding: hex"), "E-INPUT-UNSUPPORTED"),
        (samples.nrrd().replace(b"type: uchar", b"type: block"), "E-INPUT-UNSUPPORTED"),
        (samples.nrrd().replace(b"type: uchar", b"type: short"), "E-INPUT-BROKEN"),
        (samples.nrrd().replace(b"dimension: 2", b"dimension: 3"), "E-INPUT-BROKEN"),
        (samples.nrrd().replace(b"sizes: 128 96", b"sizes: many 96"), "E-INPUT-BROKEN"),
        (samples.nrrd(extra="byte skip: 3"), "E-INPUT-UNSUPPORTED"),
        (samples.mha(extra="HeaderSize = -1"), "E-INPUT-UNSUPPORTED"),
        (samples.mha().replace(b"MET_UCHAR", b"MET_OTHER"), "E-INPUT-UNSUPPORTED"),
        (samples.mha().replace(b"NDims = 2", b"NDims = 1"), "E-INPUT-BROKEN"),
        (samples.mha(extra="CompressedData = True"), "E-INPUT-BROKEN"),
        (samples.nifti(extents=(12_288,)), "E-INPUT-BROKEN"),
    ],
)
def test_headers_that_are_refused(data: bytes, code: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        io.read(samples.put(tmp_path, data))
    assert caught.value.code == code


@pytest.mark.verifies("SRS-INP-003")
def test_a_signalling_nan_is_hashed_without_a_word(tmp_path: Path) -> None:
    signalling = np.full((8, 8), 0x7FA00001, dtype=np.uint32).view(np.float32)
    image = io.read(samples.put(tmp_path, samples.nifti(signalling))).image
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert image.pixels_sha256
