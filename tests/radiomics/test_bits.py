# SPDX-License-Identifier: Apache-2.0
"""The maps have one byte form, whatever the threads, the memory layout or the processor."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from radiomicnet_md.radiomics import lbp, named_maps, paper

pytestmark = pytest.mark.verifies("SRS-RAD-002", "SRS-ENG-001")

IMAGE = (np.random.default_rng(11).normal(110, 45, (61, 83)).clip(0, 255)).astype(np.uint8)
SCALES = ((1, 0), (7, 1), (13, 3))


def digest(image: NDArray[np.uint8]) -> str:
    codes = lbp.codes(image)
    grey = image >> np.uint8(2)
    parts = [named_maps.named(image, grey, codes, radius, smoothing, step=2) for radius, smoothing in SCALES]
    parts.append(paper.values(image, grey, codes))
    return hashlib.sha256(b"".join(part.astype("<f8").tobytes() for part in parts)).hexdigest()


EXPECTED = digest(IMAGE)

ALONE = """
import sys
import numba
from tests.radiomics import test_bits
numba.set_num_threads(int(sys.argv[1]))
print(test_bits.digest(test_bits.IMAGE))
"""


@pytest.mark.parametrize(
    ("threads", "surroundings"),
    [
        (1, {"NUMBA_NUM_THREADS": "1"}),
        (1, {"NUMBA_NUM_THREADS": "3"}),
        (2, {"NUMBA_NUM_THREADS": "3"}),
        (3, {"NUMBA_NUM_THREADS": "3"}),
        (2, {"NUMBA_NUM_THREADS": "2", "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}),
        (1, {"NUMBA_NUM_THREADS": "1", "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3"}),
    ],
    ids=["one", "one of three", "two", "three", "a generic processor", "numpy without vectors"],
)
def test_another_process(threads: int, surroundings: dict[str, str], root: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", ALONE, str(threads)],
        env=os.environ | surroundings | {"PYTHONPATH": str(root)},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == EXPECTED


@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        lambda image: np.repeat(np.repeat(image, 2, axis=0), 3, axis=1)[::2, ::3],
        lambda image: np.ascontiguousarray(image[::-1, ::-1])[::-1, ::-1],
        lambda image: np.pad(image, 5)[5:-5, 5:-5],
    ],
    ids=["Fortran", "strided", "negative strides", "a view"],
)
def test_memory_layout(layout: object) -> None:
    assert callable(layout)
    image = layout(IMAGE)
    assert np.array_equal(image, IMAGE)
    assert digest(image) == EXPECTED


def test_again() -> None:
    assert digest(IMAGE) == EXPECTED


def test_wider_integers() -> None:
    assert digest(IMAGE.astype(np.int64).astype(np.uint8)) == EXPECTED
    codes = lbp.codes(IMAGE.astype(np.int32))
    wide = named_maps.named(IMAGE.astype(np.int32), IMAGE.astype(np.int32) >> 2, codes, 7, 1)
    assert np.array_equal(wide, named_maps.named(IMAGE, IMAGE >> 2, lbp.codes(IMAGE), 7, 1))
