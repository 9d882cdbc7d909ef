# SPDX-License-Identifier: Apache-2.0
"""Images that are no breast ultrasound, as a user might hand them over by mistake: eight bits, grey, declared as such.

Rules of this module:

- Every image is given as the grey levels alone, as an export to PNG would: no modality, no photometric
  interpretation, nothing that the checks of the file could refuse it by. The levels have to give it away.
- Slices of volumes are windowed between the 1st and 99th percentile of the volume and, where they are smaller than the
  gate admits, enlarged as a viewer would (linear interpolation).
- What is drawn comes from one seed. Only open splits are read; no image is chosen by its result.
- A part that this machine lacks is left out, and the page says how many images each kind has.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radiomicnet_md import io, phantom
from radiomicnet_md.errors import InputError

Levels = NDArray[np.uint8]  # (rows, columns)
Kinds = dict[str, list[Levels]]
SMALLEST_SIDE = 256  # a smaller slice is enlarged to this
SEED = 5
_VOLUMES = {
    "CT": (
        ("ibsi/ibsi_1_ct_radiomics_phantom/nifti/image", 12),
        ("ibsi/ibsi_validation/dicom/STS_002/CT/image", 16),
    ),
    "MR": (
        ("ibsi/ibsi_validation/nifti/STS_002/MR_T1_image.nii.gz", 16),
        ("pyradiomics/brain1_image.nrrd", 10),
        ("pyradiomics/breast1_image.nrrd", 10),
        ("pyradiomics/prostate_phantom_subvolume.nrrd", 4),
    ),
    "PET": (("ibsi/ibsi_validation/nifti/STS_002/PET_image.nii.gz", 12),),
}
WORDS = """This page is text. It was written, printed and scanned, and there is no tissue in it.
Whoever hands it over by mistake should be told so, and not be shown an outline of a lesion.
0123456789 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ
Patient name, date of birth, address, ward: all left empty on this form.
Findings: none. Impression: none. Recommendation: hand over the image instead.
The quick brown fox jumps over the lazy dog, and the five boxing wizards jump quickly.
Second paragraph. Lines follow lines, letters follow letters, and every letter has sharp edges.
Signature, place, date. Page 1 of 1. End of the text."""
_LUMA = np.array([299, 587, 114])


def kinds(data: Path) -> Kinds:
    """All images by kind."""
    random = np.random.Generator(np.random.PCG64(SEED))
    endoscopy = [kept for name in open_ids(data / "kvasir_seg_256")[::20] for kept in _endoscopy(data, name)]
    found = {
        "endoscopy": endoscopy,
        **{kind: [s for path, count in parts for s in _slices(data / path, count)] for kind, parts in _VOLUMES.items()},
        "MR, hippocampus": _hippocampus(data),
        "X-ray, CT, MR from DICOM": list(_dicom(data / "dicom", ("CT", "MR", "DX", "CR", "NM"))),
        "echocardiogram, other ultrasound": list(_ultrasound()),
        "photograph": list(_photographs()),
        "noise": list(_noise(random)),
        "gradient": list(_gradients(random)),
        "text": list(_text_pages()),
    }
    return {kind: images for kind, images in found.items() if images}


def inverted(data: Path, names: Sequence[str]) -> list[Levels]:
    """Breast ultrasound with dark and light exchanged."""
    return [255 - levels for levels in breast(data, names)]


def breast(data: Path, names: Sequence[str]) -> list[Levels]:
    """Images of the in-domain set by id, at the files' own size."""
    return [file(data / "busi_384" / "images" / f"{name}.png") for name in names]


def changed(levels: Levels) -> dict[str, Levels]:
    """Breast ultrasound that is still breast ultrasound, as another gain or a hasty export would give it."""
    rows, columns = levels.shape
    wide = levels.astype(np.int64)
    return {
        "20 grey levels brighter": np.asarray(np.minimum(wide + 20, 255), dtype=np.uint8),
        "20 grey levels darker": np.asarray(np.maximum(wide - 20, 0), dtype=np.uint8),
        "contrast × 1.25 about the mean": _stretched(levels, 1.25),
        "contrast × 0.8 about the mean": _stretched(levels, 0.8),
        "mirrored": np.ascontiguousarray(levels[:, ::-1]),
        "a tenth cropped on each side": np.ascontiguousarray(
            levels[rows // 10 : rows - rows // 10, columns // 10 : columns - columns // 10]
        ),
        "upside down": np.ascontiguousarray(levels[::-1]),
    }


def _stretched(levels: Levels, factor: float) -> Levels:
    middle = levels.mean()
    return np.asarray(np.clip(middle + factor * (levels - middle), 0, 255), dtype=np.uint8)


def phantoms(count: int) -> list[Levels]:
    """This program's own drawings: no kind that must be refused, and none that was fitted to."""
    return [phantom.make(seed).pixels for seed in range(1, count + 1)]


def open_ids(folder: Path) -> list[str]:
    """The ids of the splits train and val, in the order of the table."""
    with (folder / "splits.csv").open(newline="", encoding="utf-8") as table:
        return [row["id"] for row in csv.DictReader(table) if row["split"] in ("train", "val")]


def file(path: Path) -> Levels:
    """A picture file as grey levels; colour by ITU-R 601 weights in integers."""
    return grey(io.read(path).image.pixels[0])


def grey(samples: NDArray[np.generic]) -> Levels:
    """Samples (rows, columns, channels) as grey levels (rows, columns)."""
    if samples.shape[-1] == 1:
        return np.asarray(samples[..., 0], dtype=np.uint8)
    return np.asarray((samples[..., :3].astype(np.int64) @ _LUMA + 500) // 1000, dtype=np.uint8)


def _endoscopy(data: Path, name: str) -> Iterator[Levels]:
    for suffix in (".png", ".jpg"):
        path = data / "kvasir_seg_256" / "images" / f"{name}{suffix}"
        if path.is_file():
            yield file(path)


def windowed(volume: NDArray[np.generic]) -> Levels:
    """Grey levels of a volume between its 1st and 99th percentile."""
    low, high = np.percentile(volume, (1, 99))
    return np.asarray(np.clip((volume - low) / max(high - low, 1e-9) * 255, 0, 255), dtype=np.uint8)


def enlarged(levels: Levels) -> Levels:
    """An image whose shorter side has at least :data:`SMALLEST_SIDE` pixels."""
    zoom = SMALLEST_SIDE / min(levels.shape)
    return np.asarray(ndimage.zoom(levels, zoom, order=1), dtype=np.uint8) if zoom > 1 else levels


def _slices(path: Path, count: int) -> list[Levels]:
    """Slices evenly spread over the middle four fifths of a volume: a file, or all files of a folder."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        return []
    volume = windowed(np.concatenate([io.read(file).image.pixels[..., 0] for file in files]))
    places = np.linspace(0.1, 0.9, count) * (len(volume) - 1)
    return [enlarged(volume[round(place)]) for place in places]


def _hippocampus(data: Path) -> list[Levels]:
    """The middle slice of every sixth open volume."""
    folder = data / "msd_hippocampus"
    return [s for name in open_ids(folder)[::6] for s in _slices(folder / "images" / f"{name}.nii.gz", 3)[1:2]]


def _dicom(folder: Path, modalities: tuple[str, ...]) -> Iterator[Levels]:
    """One frame of every readable DICOM file of these modalities that is at least 64 pixels a side."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table) if row["modality"] in modalities]
    seen: set[bytes] = set()
    for row in rows:
        if min(int(row["rows"] or 0), int(row["columns"] or 0)) < 64:  # noqa: PLR2004 - the gate's own limit
            continue
        try:
            frame = windowed(io.read(folder / row["path"]).image.pixels[0, ..., 0].astype(np.float64))
        except InputError:
            continue
        if frame.tobytes() not in seen:  # the same picture lies there in many encodings
            seen.add(frame.tobytes())
            yield enlarged(frame)


def _ultrasound() -> Iterator[Levels]:
    """Ultrasound that is not of a breast, from the files that pydicom ships: every third frame, as grey levels."""
    from pydicom.data import get_testdata_file

    for name in ("examples_ybr_color.dcm", "examples_rgb_color.dcm", "examples_jpeg2k.dcm", "examples_palette.dcm"):
        path = get_testdata_file(name)
        if path is None:
            continue
        try:
            pixels = io.read(Path(path)).image.pixels
        except InputError:
            continue
        for frame in pixels[::3]:
            yield grey(frame)


def _photographs() -> Iterator[Levels]:
    try:
        from skimage import data as pictures
    except ImportError:
        return
    names = ("astronaut", "brick", "camera", "cat", "coffee", "coins", "grass", "gravel", "horse", "rocket", "retina")
    for name in (*names, "hubble_deep_field", "immunohistochemistry", "moon", "microaneurysms", "colorwheel"):
        picture = np.asarray(getattr(pictures, name)())
        scaled = picture.astype(np.uint8) * np.uint8(255) if picture.dtype == np.bool_ else picture
        yield enlarged(grey(scaled if scaled.ndim == 3 else scaled[..., None]))  # noqa: PLR2004 - colour


def _noise(random: np.random.Generator) -> Iterator[Levels]:
    """Uniform, normal, Rayleigh and smoothed normal noise of several strengths."""
    for spread in (20, 30, 40, 50, 60, 70):
        shape = (random.integers(240, 400), random.integers(300, 500))
        yield random.integers(0, 4 * spread, shape).clip(0, 255).astype(np.uint8)
        yield random.normal(110, spread, shape).clip(0, 255).astype(np.uint8)
        yield random.rayleigh(spread, shape).clip(0, 255).astype(np.uint8)
        smooth = ndimage.gaussian_filter(random.normal(0, 1, shape), spread / 15)
        yield (100 + spread * smooth / smooth.std()).clip(0, 255).astype(np.uint8)


def _gradients(random: np.random.Generator) -> Iterator[Levels]:
    """Ramps in any direction, and rings."""
    for _ in range(10):
        down, across = np.mgrid[0:320, 0:400]
        angle = random.uniform(0, 2 * np.pi)
        ramp = down * np.sin(angle) + across * np.cos(angle)
        yield (255 * (ramp - ramp.min()) / np.ptp(ramp)).astype(np.uint8)
        radius = np.hypot(down - random.uniform(0, 320), across - random.uniform(0, 400))
        yield (255 * radius / radius.max()).astype(np.uint8)


def _text_pages() -> Iterator[Levels]:
    """Twenty pages of words, dark on light and light on dark, in letters of several sizes; two scanned pages."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    for number in range(20):
        ink, paper = ("black", "white") if number % 2 else ("white", "black")
        figure = Figure(figsize=(4.8, 3.6), dpi=100, facecolor=paper)
        figure.text(0.03, 0.97, WORDS, va="top", color=ink, size=5 + number // 2, wrap=True)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        yield grey(np.asarray(canvas.buffer_rgba()))
    try:
        from skimage import data as pictures
    except ImportError:
        return
    yield enlarged(np.asarray(pictures.page()))
    yield enlarged(np.asarray(pictures.text()))
