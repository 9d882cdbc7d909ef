# SPDX-License-Identifier: Apache-2.0
"""What ``benchmarks/radiomics.py`` measures: items, targets, crops, and a case that keeps every time taken."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from maps import speckle
from numpy.typing import NDArray
from radiomics_peers import FLASH, PYRADIOMICS, PYTORCH, Answer

from radiomicnet_md import radiomics
from radiomicnet_md.radiomics import levels
from radiomicnet_md.radiomics.lesion_definitions import TEXTURE

BIN_COUNT = 32
THREADS = (1, 2)
TURNS = {PYRADIOMICS: 2, FLASH: 1, PYTORCH: 1}  # how often each peer is asked

ALL = "all 93"
NO_MCC = "GLCM without MCC"
PREFIXES = ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
CLASSES = {prefix: [name for name in TEXTURE if name.startswith(f"{prefix}_")] for prefix in PREFIXES}
ITEMS = {
    ALL: list(TEXTURE),
    **CLASSES,
    NO_MCC: [name for name in CLASSES["glcm"] if name != "glcm_MCC"],
}
TARGETS = {
    ("2-D 3 × 3", ALL): 1500,
    ("2-D 5 × 5", ALL): 800,
    ("3-D 3 × 3 × 3", ALL): 1200,
    ("3-D 5 × 5 × 5", ALL): 300,
    ("2-D 3 × 3", "glcm"): 2000,
    ("2-D 3 × 3", NO_MCC): 4000,
}


class Sizes(NamedTuple):
    """Crops in voxels."""

    plane: tuple[int, ...]  # of the 2-D cases
    block: tuple[int, ...]  # of the 3-D cases
    default_batch: tuple[int, ...]  # small enough for PyRadiomics' default, which holds all matrices at once
    memory_block: tuple[int, ...]  # of the 3-D memory case; the 2-D one is the whole slice


FULL = Sizes((128, 128), (12, 24, 24), (64, 64), (24, 64, 64))
QUICK = Sizes((20, 20), (4, 8, 8), (12, 12), (6, 32, 32))


@dataclass
class Case:
    """One image and window, and all that was measured on it."""

    name: str
    image: NDArray[np.float64]
    levels: NDArray[np.int16]
    radius: int
    ours: dict[tuple[str, int], list[list[float]]] = field(default_factory=dict)  # (item, threads): seconds by turn
    theirs: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)  # (peer, item): by turn
    agreement: dict[tuple[str, str], str] = field(default_factory=dict)  # (peer, class): in words

    def run(self, item: str, threads: int) -> NDArray[np.float64]:
        """Our maps."""
        return radiomics.dense(self.levels, ITEMS[item], image=self.image, radius=self.radius, threads=threads)

    def time_ours(self, item: str, threads: int, turn: int, calls: int) -> None:
        """Some calls of ours after one that is not counted."""
        self.run(item, threads)
        times = self.ours.setdefault((item, threads), [])
        times.extend([] for _ in range(turn + 1 - len(times)))
        times[turn] += [seconds(lambda: self.run(item, threads)) for _ in range(calls)]


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def mr_or_speckle() -> tuple[NDArray[np.float64], str]:
    """A volume (slices, rows, columns) and what it is."""
    folder = os.environ.get("RADIOMICNET_MD_DATA")
    if not folder:
        volume = np.stack([np.roll(speckle(256), 3 * k, axis=0) for k in range(25)])
        return volume.astype(np.float64), "generated speckle (RADIOMICNET_MD_DATA was not set)"
    import SimpleITK

    image = SimpleITK.ReadImage(str(Path(folder) / "pyradiomics" / "brain1_image.nrrd"))
    found = np.asarray(SimpleITK.GetArrayFromImage(image), dtype=np.float64)
    return found, "brain1 MR of PyRadiomics' test data: demonstration on public data, not clinical evidence"


def middle(volume: NDArray[np.float64], shape: Sequence[int]) -> NDArray[np.float64]:
    """The central crop, a plane where two numbers are given."""
    source = volume if len(shape) == volume.ndim else volume[volume.shape[0] // 2]
    begins = [(have - want) // 2 for have, want in zip(source.shape, shape, strict=True)]
    return np.ascontiguousarray(source[tuple(slice(b, b + want) for b, want in zip(begins, shape, strict=True))])


def make_case(name: str, image: NDArray[np.float64], radius: int) -> Case:
    """A case with nothing measured yet."""
    return Case(name, image, levels.discretise(image, bin_count=BIN_COUNT).array, radius)


@dataclass
class Batches:
    """PyRadiomics' two batch sizes on a crop that both can hold, each in a process of its own, and ours."""

    case: Case
    answers: dict[int, tuple[Answer, int]]  # by batch size; with the peak of the idle process, bytes
