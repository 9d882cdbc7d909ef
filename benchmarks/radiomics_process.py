# SPDX-License-Identifier: Apache-2.0
"""What a call of ``radiomics.dense`` costs a process: memory, compilation, and the least time its bytes need.

``python benchmarks/radiomics_process.py LEVELS.npy IMAGE.npy RADIUS [call]`` measures all 93 maps of one window's
worth of voxels, then with ``call`` of all of them, and prints seconds of the first and the peak of memory. The
process without ``call`` is the one to subtract: same imports, same arrays, same kernels loaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from radiomics_peers import peak_bytes

FEATURES = 93
COPIED = 1 << 28  # bytes, far beyond any cache
COPIES = 7
BYTES_A_VOXEL = 1 + 8 * FEATURES  # a level in, every map out


@dataclass(frozen=True, slots=True)
class Cost:
    """Memory and first calls of one image."""

    compiled: float  # seconds of the first call with nothing on disk
    loaded: float  # seconds of the first call with the kernels on disk
    output: int  # bytes of the result
    extra: int  # bytes that the call added to the process's peak, result included

    @property
    def multiple(self) -> float:
        """Peak memory as a multiple of the result."""
        return self.extra / self.output


def cost(image: NDArray[np.float64], levels: NDArray[np.int16], radius: int, folder: Path) -> Cost:
    """Three processes that share the kernel cache in ``folder``: compiling, loading, and calling."""
    files = folder / "levels.npy", folder / "image.npy"
    np.save(files[0], levels)
    np.save(files[1], image)

    def process(*words: str) -> dict[str, float]:
        done = subprocess.run(
            [sys.executable, __file__, *map(str, files), str(radius), *words],
            env={**os.environ, "NUMBA_CACHE_DIR": str(folder / "kernels")},
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        result: dict[str, float] = json.loads(done.stdout)
        return result

    compiled, idle, busy = process(), process(), process("call")
    if len(list((folder / "kernels").iterdir())) > 1:  # one folder a state of the sources
        raise SystemExit("the sources of the kernels changed during the benchmark")
    output = FEATURES * 8 * levels.size
    return Cost(compiled["first"], idle["first"], output, int(busy["peak"] - idle["peak"]))


def bandwidth(threads: int) -> float:
    """Bytes a second, read plus written, of the fastest of several copies between two large arrays."""
    source = np.ones(COPIED // 8)
    target = np.zeros(COPIED // 8)
    halves = np.array_split(target, threads), np.array_split(source, threads)
    times = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(COPIES):
            started = time.perf_counter()
            list(pool.map(np.copyto, *halves))
            times.append(time.perf_counter() - started)
    return 2 * COPIED / min(times)


def main() -> None:
    """Measure in this process."""
    from radiomicnet_md import radiomics

    levels, image = np.load(sys.argv[1]), np.load(sys.argv[2])
    radius = int(sys.argv[3])
    corner = (slice(0, 2 * radius + 1),) * levels.ndim
    started = time.perf_counter()
    radiomics.dense(levels[corner], image=image[corner], radius=radius, threads=2)
    first = time.perf_counter() - started
    if "call" in sys.argv:
        radiomics.dense(levels, image=image, radius=radius, threads=2)
    print(json.dumps({"first": first, "peak": peak_bytes()}))


if __name__ == "__main__":
    main()
