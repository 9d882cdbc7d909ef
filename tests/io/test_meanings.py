# SPDX-License-Identifier: Apache-2.0
"""Samples are taken as stored, as two other readers see them; what would turn their meaning round is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK

from radiomicnet_md import io
from radiomicnet_md.engine.acceptance import Admitted, Limits, Refused, admit
from tests.io import samples


def _plain(dataset: Any) -> None:  # noqa: ANN401
    del dataset


def _inverted(dataset: Any) -> None:  # noqa: ANN401
    dataset.PhotometricInterpretation = "MONOCHROME1"


def _rescaled(dataset: Any) -> None:  # noqa: ANN401
    dataset.RescaleSlope, dataset.RescaleIntercept = "2.5", "-100"


def _oblong(dataset: Any) -> None:  # noqa: ANN401
    del dataset.SequenceOfUltrasoundRegions
    dataset.add_new(0x00280030, "DS", ["0.08", "0.25"])


def _palette(dataset: Any) -> None:  # noqa: ANN401
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    for colour in ("Red", "Green", "Blue"):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 8])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", bytes(range(255, -1, -1)))


def stored(path: Path) -> np.ndarray[Any, Any]:
    """What SimpleITK reads, with a stated rescale taken back."""
    image = SimpleITK.ReadImage(str(path), imageIO="GDCMImageIO")
    values = SimpleITK.GetArrayFromImage(image)[0].astype(np.float64)
    dataset = pydicom.dcmread(path)
    return (values - float(dataset.get("RescaleIntercept", 0))) / float(dataset.get("RescaleSlope", 1))


@pytest.mark.verifies("SRS-INP-018")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_plain, None),
        (_rescaled, None),
        (_oblong, None),
        (_inverted, "E-GATE-MONOCHROME1"),
        (_palette, "E-GATE-PALETTE"),
    ],
)
def test_three_readers_see_the_same_samples(
    change: Callable[[Any], None],
    code: str | None,
    tmp_path: Path,
) -> None:
    path = samples.put(tmp_path, samples.ultrasound(change), "image.dcm")
    image = io.read(path).image
    mine = image.pixels[0, :, :, 0]
    assert (mine == samples.frame()).all()
    assert (mine == pydicom.dcmread(path).pixel_array).all()
    if change is not _palette:  # for which SimpleITK gives the colours of the table
        seen = stored(path)
        # MONOCHROME1 is turned round by SimpleITK itself: just what a device must not guess about.
        assert (mine == (255 - seen if change is _inverted else seen)).all()
    judged = admit(image, Limits())
    if code is None:
        assert isinstance(judged, Admitted)
        assert (judged.levels_source == samples.frame()).all()
    else:
        assert isinstance(judged, Refused)
        assert judged.code == code


@pytest.mark.verifies("SRS-INP-018", "SRS-INP-004")
def test_pixels_that_are_not_square_keep_their_sides(tmp_path: Path) -> None:
    path = samples.put(tmp_path, samples.ultrasound(_oblong), "image.dcm")
    across, down = SimpleITK.ReadImage(str(path), imageIO="GDCMImageIO").GetSpacing()[:2]
    assert io.read(path).image.spacing_mm == (0.08, 0.25) == pytest.approx((down, across))
