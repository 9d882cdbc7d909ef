# SPDX-License-Identifier: Apache-2.0
"""The named maps at the device's two scales, and the five GLCM maps beside PyRadiomics, as a Markdown table.

``python -P benchmarks/maps.py [--repeat N]`` (``-P``: ``radiomics.py`` beside it is not PyRadiomics). Both sides run in
this process on a generated image; each time is the shortest of the repetitions after one call that compiles.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable

import numba
import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import glcm, lbp, levels, named_maps, paper

SIDE = 192  # the working grid
LARGE = 256
CROP = 64
STEP = 2
SCALES = ((7, 1), (13, 3))  # window radius, smoothing
BIN_COUNT = 32


def speckle(side: int) -> NDArray[np.uint8]:
    """Grey levels like those of ultrasound: smoothed exponential noise."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(1).exponential(1.0, (side, side))
    return np.asarray(np.clip(gaussian_filter(noise, 1.2) * 90, 0, 255), dtype=np.uint8)


def milliseconds(work: Callable[[], object], repeat: int) -> float:
    """Shortest wall time of ``repeat`` calls after a first one."""
    work()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


def pyradiomics_glcm(image: NDArray[np.uint8]) -> None:
    """The five GLCM maps of a 3 × 3 window, PyRadiomics at its best batch size."""
    import SimpleITK
    from radiomics import glcm as texture

    logging.getLogger("radiomics").setLevel(logging.CRITICAL)
    extractor = texture.RadiomicsGLCM(
        SimpleITK.GetImageFromArray(image[None].astype(np.float64)),
        SimpleITK.GetImageFromArray(np.ones((1, *image.shape), dtype=np.uint8)),
        voxelBased=True,
        maskedKernel=False,
        kernelRadius=1,
        binCount=BIN_COUNT,
        force2D=True,
        voxelBatch=1000,
    )
    for name in glcm.FEATURES:
        extractor.enableFeatureByName(name.removeprefix("glcm_"))
    extractor.execute()


def both(image: NDArray[np.uint8]) -> None:
    """The codes, then the named maps at both scales."""
    grey, codes = image >> np.uint8(2), lbp.codes(image)
    for radius, smoothing in SCALES:
        named_maps.named(image, grey, codes, radius, smoothing, step=STEP)


def measure(threads: int, repeat: int) -> list[tuple[str, float]]:
    """Rows of the table for one number of threads."""
    numba.set_num_threads(threads)
    image = speckle(SIDE)
    crop = image[:CROP, :CROP]
    codes = lbp.codes(image)
    grey = image >> np.uint8(2)
    rows = [("LBP codes", milliseconds(lambda: lbp.codes(image), repeat))]
    rows.append(("13 values of the image", milliseconds(lambda: paper.values(image, grey, codes), repeat)))
    for radius, smoothing in SCALES:
        took = milliseconds(
            lambda r=radius, q=smoothing: named_maps.named(image, grey, codes, r, q, step=STEP),  # type: ignore[misc]
            repeat,
        )
        rows.append((f"16 maps, radius {radius}, smoothing {smoothing}, step {STEP}", took))
    large = speckle(LARGE)
    rows.append((f"LBP codes and 16 maps at both scales, {LARGE} × {LARGE}", milliseconds(lambda: both(large), repeat)))
    ours = milliseconds(lambda: glcm.dense(levels.discretise(crop, bin_count=BIN_COUNT).array, 1), repeat)
    rows.append((f"5 GLCM maps 3 × 3, {CROP} × {CROP}, {BIN_COUNT} levels", ours))
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    most = min(2, numba.get_num_threads())
    columns = [measure(threads, repeat) for threads in range(1, most + 1)]
    theirs = milliseconds(lambda: pyradiomics_glcm(speckle(SIDE)[:CROP, :CROP]), 1)
    heads = [f"{threads} thread{'s' if threads > 1 else ''}, ms" for threads in range(1, most + 1)]
    print(f"| {SIDE} × {SIDE} pixels | {' | '.join(heads)} |")
    print(f"|---|{'---:|' * most}")
    for lines in zip(*columns, strict=True):
        print(f"| {lines[0][0]} | {' | '.join(f'{took:.2f}' for _, took in lines)} |")
    print(f"| the same by PyRadiomics 3.0.1, voxelBatch 1000 | {' | '.join([f'{theirs:.0f}'] * most)} |")
    ratios = [f"{theirs / column[-1][1]:.0f}" for column in columns]
    print(f"| ratio | {' | '.join(ratios)} |")


if __name__ == "__main__":
    main()
