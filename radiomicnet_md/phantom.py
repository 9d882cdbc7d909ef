# SPDX-License-Identifier: Apache-2.0
"""A breast-ultrasound phantom with a lesion whose true outline is known, because it was drawn first.

Rules of this module:

- One seed, one phantom: every random number comes from one ``Generator(PCG64(seed))``.
- The truth is the analytic outline on the pixel grid; the picture is made from it, never the reverse.
- The patient is invented and says so; every UID follows from the pixels.

The picture follows the physics as far as the eye asks: scatterers of random phase weighted by the
echogenicity of each layer, blurred by a point spread that widens with depth, envelope, averaging of
a few looks (spatial compounding), attenuation that the gain does not quite undo, log compression.
It demonstrates and tests; it proves nothing about patients.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]

SPACING_MM = (0.08, 0.08)  # between rows, between columns
_LOOKS = 4
_AXIAL_PX = 1.0  # axial spread of the point spread function
_RANGE_DB = 54.0
_WHITE_DB = 14.0  # the level that becomes 255


@dataclass(frozen=True, slots=True)
class Phantom:
    """A picture (rows, columns), its truth (rows, columns; 0 or 1) and the outline (points, row and column)."""

    pixels: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    outline: Field
    seed: int
    spacing_mm: tuple[float, float] = SPACING_MM


@dataclass(frozen=True, slots=True)
class _Lesion:
    """A star-shaped outline: radius over angle, in pixels, in a frame stretched along the columns."""

    row: float
    column: float
    radius: float
    stretch: float
    waves: Field  # (orders, 2): amplitude and phase of cos(k angle), k = 2, 3, …

    def edge(self, angle: Field) -> Field:
        """Return the radius at each angle."""
        orders = np.arange(2, 2 + len(self.waves))
        waves = self.waves[:, 0] * np.cos(orders * angle[..., None] + self.waves[:, 1])
        return np.asarray(self.radius * (1.0 + waves.sum(axis=-1)), dtype=np.float64)

    def depth_inside(self, rows: Field, columns: Field) -> Field:
        """Return how far inside the outline each point lies, in pixels; negative outside."""
        down, across = rows - self.row, (columns - self.column) / self.stretch
        return self.edge(np.arctan2(down, across)) - np.hypot(down, across)

    def outline(self) -> Field:
        """Return 360 points (row, column) of the outline."""
        angle = np.linspace(0.0, 2.0 * np.pi, 360, endpoint=False)
        radius = self.edge(angle)
        rows = self.row + radius * np.sin(angle)
        return np.stack([rows, self.column + self.stretch * radius * np.cos(angle)], axis=1)


def make(seed: int, rows: int = 448, columns: int = 560, *, lesion: bool = True, speckle: int | None = None) -> Phantom:
    """Draw a phantom; with ``lesion=False`` a normal breast with empty truth.

    With ``speckle`` the scatterers alone come from that seed: the same breast, looked at again.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    down, across = np.mgrid[0:rows, 0:columns].astype(np.float64)
    tissue = _tissue(random, down, rows, columns)
    spot = _draw_lesion(random, rows, columns)  # drawn also when absent, so that the tissue stays the same
    if lesion:
        truth = (spot.depth_inside(down, across) > 0).astype(np.uint8)
        tissue = _insert(random, tissue, spot, down, across)
        outline = spot.outline()
    else:
        truth = np.zeros((rows, columns), dtype=np.uint8)
        outline = np.zeros((0, 2))
    decibel = tissue + _beam(random, rows, columns)
    scatterers = random if speckle is None else np.random.Generator(np.random.PCG64(speckle))
    levels = 255.0 * (_speckle(scatterers, decibel) - (_WHITE_DB - _RANGE_DB)) / _RANGE_DB
    return Phantom(np.clip(np.rint(levels), 0, 255).astype(np.uint8), truth, outline, seed)


def _smooth(random: np.random.Generator, shape: tuple[int, ...], sigma: tuple[float, ...]) -> Field:
    """Return Gaussian noise of unit spread, correlated over ``sigma`` pixels."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(random.standard_normal(shape), sigma, mode="reflect")
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float64)


def _tissue(random: np.random.Generator, down: Field, rows: int, columns: int) -> Field:
    """Return the mean echo of skin, fat, gland, retromammary fat and muscle, in dB."""
    unit = rows / 448.0

    def boundary(share: float, swing: float) -> Field:
        wave = _smooth(random, (columns,), (columns / 7,)) + 0.35 * _smooth(random, (columns,), (columns / 25,))
        return np.asarray(rows * share + swing * unit * wave, dtype=np.float64)

    skin, fat, gland, retro = boundary(0.03, 0.7), boundary(0.2, 9.0), boundary(0.6, 10.0), boundary(0.68, 7.0)
    # Strands: ridges of a field stretched along the columns and bent by a slow one.
    bend = 13.0 * unit * _smooth(random, (rows, columns), (28 * unit, 48 * unit))
    thin = _strands(random, down, bend, (1.6 * unit, 16 * unit))
    coarse = _smooth(random, (rows, columns), (9 * unit, 22 * unit))
    fat_echo = -20.0 + 2.5 * coarse + 13.0 * thin
    gland_echo = -10.0 + 4.0 * coarse + 10.0 * thin
    muscle_echo = -24.0 + 3.0 * coarse + 15.0 * _strands(random, down, 0.7 * bend, (1.4 * unit, 34 * unit))
    layers = [
        (np.zeros(columns), np.full((rows, columns), -4.0)),
        (skin, fat_echo),
        (fat, gland_echo),
        (gland, fat_echo - 1.0),
        (retro, muscle_echo),
    ]
    echo = layers[0][1]
    for top, value in layers[1:]:
        weight = 1.0 / (1.0 + np.exp(np.clip(-(down - top) / (2.0 * unit), -40.0, 40.0)))
        echo = echo * (1.0 - weight) + value * weight
    fascia = np.exp(-(((down - retro) / (1.6 * unit)) ** 2))
    return np.asarray(echo + 9.0 * fascia, dtype=np.float64)


def _strands(random: np.random.Generator, down: Field, bend: Field, sigma: tuple[float, float]) -> Field:
    """Return bright curved lines, 0 … 1, from the ridges of a stretched field."""
    from scipy.ndimage import map_coordinates

    field = _smooth(random, (down.shape[0], down.shape[1]), sigma)
    across = np.broadcast_to(np.arange(down.shape[1], dtype=np.float64), down.shape)
    bent = map_coordinates(field, [down + bend, across], order=1, mode="reflect")
    return np.asarray(np.clip((bent - 0.9) / 1.4, 0.0, 1.0), dtype=np.float64)


def _draw_lesion(random: np.random.Generator, rows: int, columns: int) -> _Lesion:
    waves = np.stack(
        [random.uniform(0.02, 0.09, 5) / np.sqrt(np.arange(1, 6)), random.uniform(0, 2 * np.pi, 5)], axis=1
    )
    return _Lesion(
        row=rows * random.uniform(0.36, 0.46),
        column=columns * random.uniform(0.35, 0.65),
        radius=rows * random.uniform(0.10, 0.14),
        stretch=random.uniform(1.25, 1.6),
        waves=waves,
    )


def _insert(random: np.random.Generator, tissue: Field, spot: _Lesion, down: Field, across: Field) -> Field:
    """Return the tissue with the lesion, its edge shadows and the enhancement or shadow behind it."""
    inside = spot.depth_inside(down, across)
    weight = 1.0 / (1.0 + np.exp(np.clip(-inside / 0.9, -40.0, 40.0)))
    texture = 2.2 * _smooth(random, (tissue.shape[0], tissue.shape[1]), (7.0, 10.0))
    echo = tissue * (1.0 - weight) + (random.uniform(-37.0, -30.0) + texture) * weight
    rim = np.exp(-(((inside + 3.0) / 2.5) ** 2))
    half = spot.radius * spot.stretch
    offset = np.abs(across - spot.column) / half
    behind = 1.0 / (1.0 + np.exp(np.clip(-(down - spot.row - 0.9 * spot.radius) / (0.25 * spot.radius), -40.0, 40.0)))
    fade = np.exp(-np.clip(down - spot.row - spot.radius, 0.0, None) / (3.0 * spot.radius))
    through = behind * fade / (1.0 + np.exp(np.clip((offset - 0.75) / 0.12, -40.0, 40.0)))
    edges = behind * fade * np.exp(-(((offset - 0.92) / 0.13) ** 2))
    gain = random.choice(np.array([6.0, -11.0]))
    return np.asarray(echo + 2.5 * rim + gain * through - 4.0 * edges, dtype=np.float64)


def _beam(random: np.random.Generator, rows: int, columns: int) -> Field:
    """Return the gain over the picture in dB: focus, attenuation left over, poor contact at the sides."""
    depth = np.linspace(0.0, 1.0, rows)[:, None]
    side = np.abs(np.linspace(-1.0, 1.0, columns))[None, :]
    lines = 1.1 * _smooth(random, (1, columns), (0.0, columns / 60)) * np.clip(2.0 * depth, 0.0, 1.0)
    attenuation = 3.0 * np.exp(-(((depth - 0.35) / 0.3) ** 2)) - 15.0 * np.clip(depth - 0.5, 0.0, None) ** 1.2 / 0.4
    return np.asarray(attenuation - 6.0 * side**6 + lines, dtype=np.float64)


def _speckle(random: np.random.Generator, decibel: Field) -> Field:
    """Return the compounded envelope in dB of scatterers with the given mean echo."""
    from scipy.ndimage import gaussian_filter

    rows, columns = decibel.shape
    amplitude = 10.0 ** (decibel / 20.0)
    depth = np.linspace(0.0, 1.0, rows)[:, None]
    power = np.zeros((rows, columns))
    widths = (1.3, 2.1, 3.4)  # lateral spread in pixels at the top, middle and bottom
    for _ in range(_LOOKS):
        real, imaginary = (amplitude * random.standard_normal((rows, columns)) for _ in range(2))
        for index, width in enumerate(widths):
            weight = np.clip(1.0 - np.abs(depth * (len(widths) - 1) - index), 0.0, 1.0)
            gain = 2.0 * np.sqrt(np.pi * _AXIAL_PX * width)  # keeps the mean power through the blur
            for part in (real, imaginary):
                power += weight * (gain * gaussian_filter(part, (_AXIAL_PX, width), mode="reflect")) ** 2
    return np.asarray(10.0 * np.log10(power / (2 * _LOOKS) + 1e-6), dtype=np.float64)


def write_dicom(phantom: Phantom, path: Path) -> None:
    """Write the phantom as a valid Ultrasound Image (PS3.3, A.6) of an invented patient."""
    from radiomicnet_md.io import new_images
    from radiomicnet_md.io.files import place

    name = f"phantom {phantom.seed} {phantom.pixels.shape}\n".encode()
    digest = hashlib.sha256(name + phantom.pixels.tobytes()).hexdigest()
    place(path, new_images.encode(new_images.ultrasound(phantom.pixels, phantom.spacing_mm, digest)))
