# SPDX-License-Identifier: Apache-2.0
"""The inputs of the demonstration, each with its origin and, where there is one, the truth to compare with.

Rules of this module:

- An echocardiogram in colour that pydicom ships: real, valid DICOM, and outside the intended use.
- A phantom of one fixed seed, whose outline is known because it was drawn.
- Where ``RADIOMICNET_MD_DATA`` names a folder with ``busi_384``: of the split ``val``, in the order of the
  ids, the first two images with a lesion and the first normal one. No result was looked at to choose them. A release
  They are training images of the release, and the page says so.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md import io, phantom
from radiomicnet_md.errors import ConfigurationError

DATA = "RADIOMICNET_MD_DATA"
PHANTOM_SEED = 1
_LESIONS, _NORMALS = 2, 1


@dataclass(frozen=True, slots=True)
class Given:
    """One input, and what is known about it beforehand."""

    name: str
    title: str
    source: str
    path: Path
    expected: str | None = None  # "accepted" or "refused" where the demonstration depends on it
    truth: NDArray[np.uint8] | None = field(default=None, repr=False)  # (rows, columns), not 0 is lesion
    truth_note: str = ""


def bring(folder: Path, environ: Mapping[str, str] = os.environ) -> tuple[Given, ...]:
    """All inputs; those that are made or copied lie in ``folder``.

    Raises :class:`ConfigurationError` when the variable names a folder without the data set.
    """
    named = environ.get(DATA)
    return (_echocardiogram(folder), _phantom(folder), *(_validation_cases(Path(named)) if named else ()))


def _echocardiogram(folder: Path) -> Given:
    path = folder / "echocardiogram.dcm"
    # The file alone is taken from the installed package; reading DICOM is the business of ``io``.
    shipped = resources.files("pydicom") / "data" / "test_files" / "examples_rgb_color.dcm"
    with resources.as_file(shipped) as file:
        shutil.copyfile(file, path)
    return Given(
        name=path.stem,
        title="Echocardiogram in colour",
        source="A real ultrasound DICOM file that ships with pydicom: not a breast, not grey, so not for this device.",
        path=path,
        expected="refused",
    )


def _phantom(folder: Path) -> Given:
    made = phantom.make(PHANTOM_SEED)
    path = folder / "phantom.dcm"
    phantom.write_dicom(made, path)
    return Given(
        name=path.stem,
        title="Breast phantom",
        source=f"A DICOM file drawn and written by this program (seed {PHANTOM_SEED}): layers, speckle, one lesion.",
        path=path,
        expected="accepted",
        truth=made.truth,
        truth_note="against the outline it was drawn from",
    )


def _validation_cases(data: Path) -> tuple[Given, ...]:
    folder = data / "busi_384"
    try:
        with (folder / "splits.csv").open(encoding="utf-8", newline="") as table:
            rows = sorted((row for row in csv.DictReader(table) if row["split"] == "val"), key=lambda row: row["id"])
    except (OSError, KeyError, UnicodeDecodeError, csv.Error):
        raise ConfigurationError(
            "E-DEMO-DATA",
            f"{DATA} names a folder in which there is no readable busi_384/splits.csv.",
            remedy=f"Let {DATA} name the folder that holds busi_384, or unset it: the demonstration runs without.",
        ) from None
    normal = [row["id"] for row in rows if row["class_label"] == "normal"]
    lesion = [row["id"] for row in rows if row["class_label"] != "normal"]
    return tuple(_public_image(folder, name) for name in (*lesion[:_LESIONS], *normal[:_NORMALS]))


def _public_image(folder: Path, name: str) -> Given:
    truth = io.read(folder / "masks" / f"{name}.png").image.pixels[0, :, :, 0]
    return Given(
        name=name,
        title=f"BUSI {name}",
        source="Breast ultrasound of the public data set BUSI, split val, first of its kind by id. The release was "
        "trained on it: the Dice shows agreement with what it knows, not how well it does on what it does not.",
        path=folder / "images" / f"{name}.png",
        truth=(truth != 0).astype(np.uint8),
        truth_note=f"against the {'' if truth.any() else 'empty '}mask that it was trained with",
    )
