# SPDX-License-Identifier: Apache-2.0
"""Pictures keep their samples, and say what they are: grey, colour, palette, bits, pages; never millimetres."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from radiomicnet_md import io
from radiomicnet_md.errors import InputError
from radiomicnet_md.image import Image
from radiomicnet_md.io import source
from tests.io import samples

LEVELS = samples.frame()
COLOUR = np.stack([LEVELS, LEVELS, LEVELS // 2], axis=-1)


def image_of(folder: Path, data: bytes) -> Image:
    reading = io.read(samples.put(folder, data))
    assert reading.identity.values == {}
    assert reading.dataset is None
    assert reading.image.origin.decoder == "pillow"
    assert reading.image.spacing_mm is None
    return reading.image


@pytest.mark.verifies("SRS-INP-002", "SRS-INP-005", "SRS-INP-004")
@pytest.mark.parametrize(
    ("data", "photometric", "bits", "samples_per_pixel"),
    [
        (samples.picture(dpi=(300, 300)), "MONOCHROME2", 8, 1),
        (samples.picture(mode="1"), "MONOCHROME2", 1, 1),
        (samples.picture(mode="P"), "PALETTE COLOR", 8, 1),
        (samples.picture(mode="LA"), "MONOCHROME2", 8, 2),
        (samples.picture(mode="RGBA"), "RGB", 8, 4),
        (samples.picture(COLOUR), "RGB", 8, 3),
        (samples.picture(LEVELS.astype(np.uint16) * 257), "MONOCHROME2", 16, 1),
        (samples.picture(kind="TIFF", dpi=(72, 72)), "MONOCHROME2", 8, 1),
        (samples.picture(kind="TIFF", mode="1"), "MONOCHROME2", 1, 1),
        (samples.picture(kind="TIFF", mode="P"), "PALETTE COLOR", 8, 1),
        (samples.picture(LEVELS.astype(np.float32), kind="TIFF"), "MONOCHROME2", 32, 1),
        (samples.picture(kind="TIFF", tiffinfo={262: 0}), "MONOCHROME1", 8, 1),
        (samples.picture(COLOUR, kind="JPEG"), "RGB", 8, 3),
        (samples.picture(kind="JPEG", mode="CMYK"), "CMYK", 8, 4),
    ],
)
def test_what_a_picture_says(data: bytes, photometric: str, bits: int, samples_per_pixel: int, tmp_path: Path) -> None:
    image = image_of(tmp_path, data)
    assert image.origin.photometric == photometric
    assert image.origin.bits_stored == bits
    assert image.pixels.shape == (1, 96, 128, samples_per_pixel)
    assert image.origin.lossy is (True if data[:2] == b"\xff\xd8" else None)


@pytest.mark.verifies("SRS-INP-007")
def test_samples_are_kept(tmp_path: Path) -> None:
    assert (image_of(tmp_path, samples.picture(COLOUR)).pixels[0] == COLOUR).all()
    deep = LEVELS.astype(np.uint16) * 257
    assert (image_of(tmp_path, samples.picture(deep)).pixels[0, :, :, 0] == deep).all()


@pytest.mark.verifies("SRS-INP-005")
def test_pages_are_frames(tmp_path: Path) -> None:
    pages = [Pillow.fromarray(LEVELS), Pillow.fromarray(LEVELS.T[:96, :].copy())]
    pages[1] = pages[1].resize(pages[0].size)
    path = tmp_path / "pages"
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:])
    assert io.read(path).image.pixels.shape == (2, 96, 128, 1)
    pages[0].save(path, "TIFF", save_all=True, append_images=[pages[1].resize((64, 64))])
    with pytest.raises(InputError) as caught:
        io.read(path)
    assert caught.value.code == "E-INPUT-UNSUPPORTED"


@pytest.mark.verifies("SRS-INP-001")
def test_a_changed_byte_in_a_png_is_found(tmp_path: Path) -> None:
    data = bytearray(samples.picture())
    data[len(data) // 2] ^= 1
    with pytest.raises(InputError) as caught:
        io.read(samples.put(tmp_path, bytes(data)))
    assert caught.value.code in {"E-INPUT-BROKEN", "E-INPUT-TRUNCATED"}


@pytest.mark.verifies("SRS-INP-006")
def test_the_bound_counts_all_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [Pillow.fromarray(LEVELS)] * 3
    path = tmp_path / "pages"
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:])
    for bound, fits in ((3 * LEVELS.size, True), (3 * LEVELS.size - 1, False)):
        monkeypatch.setattr(source, "MAX_SAMPLES", bound)
        if fits:
            assert len(io.read(path).image.pixels) == 3
        else:
            with pytest.raises(InputError) as caught:
                io.read(path)
            assert caught.value.code == "E-INPUT-TOO-LARGE"
