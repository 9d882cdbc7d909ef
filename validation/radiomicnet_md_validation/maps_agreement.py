# SPDX-License-Identifier: Apache-2.0
"""All 93 dense maps beside PyRadiomics' own, voxel by voxel, on real MR, CT and ultrasound: the page of agreement.

Rules of this module:

- Every value of every voxel is compared. What differs by more than the limit is looked up in
  :mod:`radiomicnet_md_validation.known_cases` by its window; a voxel that is none of these fails the case.
- The page holds only what a run measured; ``--write`` writes it, and a failure ends with 3.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md import radiomics
from radiomicnet_md.radiomics import lesion_definitions, levels
from radiomicnet_md_validation import known_cases, peers

PAGE = Path("docs/reference/radiomics-agreement.md")
SOME_FAILED = 3
MCC = "glcm_MCC"
COLUMNS = ("firstorder", "glcm", "MCC", "glrlm", "glszm", "gldm", "ngtdm")


@dataclass(frozen=True, slots=True)
class Case:
    """A crop of a real image and how it is measured."""

    modality: str
    shape: tuple[int, ...]
    radius: int
    bin_count: int
    masked: bool = False

    def __str__(self) -> str:
        """As it stands in the page and in a test's name."""
        shape, kind = " × ".join(map(str, self.shape)), "masked" if self.masked else "whole"
        return f"{self.modality}, {shape}, radius {self.radius}, {self.bin_count} levels, {kind}"


@dataclass(slots=True)
class Comparison:
    """What was found: the largest difference of each column among values that agree, and all that do not."""

    voxels: int
    worst: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COLUMNS, 0.0))
    known: Counter[str] = field(default_factory=Counter)  # (voxel, feature) by case
    failed: dict[str, list[tuple[int, ...]]] = field(default_factory=lambda: defaultdict(list))  # places by feature


_FLAT, _DEEP, _MASKED_DEEP = (32, 32), (5, 9, 9), (6, 14, 14)  # PyRadiomics takes up to 25 ms a voxel
_SETTINGS = (  # radius, levels, masked
    (1, 16, False),
    (1, 32, False),
    (1, 64, False),
    (2, 16, False),
    (2, 32, False),
    (1, 32, True),
    (2, 16, True),
)
CASES = tuple(
    Case(modality, _MASKED_DEEP if masked and shape == _DEEP else shape, radius, bin_count, masked)
    for modality, shapes in (("MR", (_FLAT, _DEEP)), ("CT", (_FLAT, _DEEP)), ("ultrasound", (_FLAT,)))
    for shape in shapes
    for radius, bin_count, masked in _SETTINGS
)


def crop(case: Case, data: Path) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Image and mask of a case: a box across the upper left border of the lesion, in its largest slice for 2-D."""
    image, mask = _read(case.modality, data)
    if image.ndim > len(case.shape):
        largest = int(mask.sum(axis=(1, 2)).argmax())
        image, mask = image[largest], mask[largest]
    first = np.argwhere(mask)[0]
    starts = (
        min(max(int(at) - side // 3, 0), whole - side)
        for at, side, whole in zip(first, case.shape, image.shape, strict=True)
    )
    box = tuple(slice(start, start + side) for start, side in zip(starts, case.shape, strict=True))
    return np.ascontiguousarray(image[box]), np.ascontiguousarray(mask[box])


def _read(modality: str, data: Path) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    if modality == "ultrasound":
        from PIL import Image

        image, mask = (
            np.asarray(Image.open(data / "busi_384" / kind / "benign_003.png").convert("L"))
            for kind in ("images", "masks")
        )
        return image, mask > 0
    import SimpleITK

    phantom = data / "ibsi" / "ibsi_1_ct_radiomics_phantom" / "nifti"
    files = {
        "MR": (data / "pyradiomics" / "brain1_image.nrrd", data / "pyradiomics" / "brain1_label.nrrd"),
        "CT": (phantom / "image" / "phantom.nii.gz", phantom / "mask" / "mask.nii.gz"),
    }[modality]
    read: list[NDArray[Any]] = [SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(file))) for file in files]
    return read[0], read[1] > 0


def compare(image: NDArray[np.generic], mask: NDArray[np.bool_], case: Case) -> Comparison:
    """Both programs on one image."""
    region = mask if case.masked else np.ones(mask.shape, dtype=np.bool_)
    binned = levels.discretise(image, region, bin_count=case.bin_count).array
    ours = radiomics.dense(binned, image=image, radius=case.radius)
    theirs = peers.pyradiomics_maps(image, region, radius=case.radius, bin_count=case.bin_count, masked=case.masked)
    found = Comparison(int(region.sum()))
    for name, map_ in zip(lesion_definitions.TEXTURE, ours, strict=True):
        column = "MCC" if name == MCC else name.partition("_")[0]
        apart = peers.difference(name, map_, theirs[name], case.bin_count)
        over = region & (apart > peers.limit(name))
        found.worst[column] = max(found.worst[column], float(apart[region & ~over].max(initial=0.0)))
        for index in np.argwhere(over):
            place = tuple(index.tolist())
            known = known_cases.which(name, known_cases.Window(binned, image, place, case.radius))
            if known is None or known.right not in {None, float(map_[place])}:
                found.failed[name].append(place)
            else:
                found.known[known.name] += 1
    return found


def page(results: dict[Case, Comparison]) -> str:
    """The whole page."""
    voxels = sum(result.voxels for result in results.values())
    left_out = sum((result.known for result in results.values()), Counter[str]())
    failed = sum(len(places) for result in results.values() for places in result.failed.values())
    features = len(lesion_definitions.TEXTURE)
    rows = [
        f"| {case} | {result.voxels} | "
        + " | ".join(f"{result.worst[column]:.0e}" for column in COLUMNS)
        + f" | {result.known.total()} | {'fails' if result.failed else 'agrees'} |"
        for case, result in results.items()
    ]
    failures = [
        f"- {case}: {name} at {len(places)} voxels, first {places[0]}"
        for case, result in results.items()
        for name, places in result.failed.items()
    ]
    verdict = "All agree." if not failed else f"{failed} values disagree and meet no known case:"
    return "\n".join(
        [
            "<!-- Made by `python -m radiomicnet_md_validation.maps_agreement --write` from the real data. -->",
            "# Agreement of the dense maps with PyRadiomics",
            "",
            f"{len(results)} crops, {voxels:,} voxels, {features} features: {voxels * features:,} values,",
            f"borders included, beside PyRadiomics 3.0.1. {verdict}",
            f"{left_out.total()} values are left out because PyRadiomics is wrong there: the known cases below.",
            "",
            "A column holds the largest difference: relative, with a floor of 1e-3 (cluster shade: times levels³;",
            f"Imc2 by its square), limit {peers.LIMIT:.0e}; MCC absolute, limit {peers.MCC_LIMIT:.0e}.",
            "Demonstration on public data, not clinical evidence.",
            "",
            *failures,
            *([""] if failures else []),
            "| Crop | voxels | " + " | ".join(COLUMNS) + " | left out | |",
            "|---|" + "---:|" * (len(COLUMNS) + 2) + "---|",
            *rows,
            "",
            "## Known cases",
            "",
            "Each is decided from the window, never from PyRadiomics' result. Where the right value is one number,",
            "ours must be it; `tests/radiomics/test_maps_exact.py` compares all with an exact rational evaluation.",
            "",
            "| Case | features | values left out | what happens |",
            "|---|---|---:|---|",
            *(
                f"| {known.name} | {', '.join(sorted(known.features))} | {left_out[known.name]} | {known.sentence} |"
                for known in known_cases.KNOWN
            ),
            "",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Compare all cases and print or write the page."""
    parser = argparse.ArgumentParser(prog="python -m radiomicnet_md_validation.maps_agreement", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE} instead of printing it")
    write = parser.parse_args(arguments).write
    folder = os.environ.get("RADIOMICNET_MD_DATA")
    if not folder:
        parser.error("RADIOMICNET_MD_DATA must name the folder of public data")
    results = {}
    for case in CASES:
        sys.stderr.write(f"{case}\n")
        results[case] = compare(*crop(case, Path(folder)), case)
    if write:
        PAGE.write_text(page(results), encoding="utf-8")
    else:
        sys.stdout.write(page(results))
    return SOME_FAILED if any(result.failed for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
