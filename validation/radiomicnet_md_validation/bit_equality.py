# SPDX-License-Identifier: Apache-2.0
"""One hash of all dense maps, whatever computes them: threads, processor, memory layout, a plane or a volume of it.

Rules of this module:

- The hash goes over every bit of every map, NaN and the sign of 0 included.
- Each configuration that concerns a process has a process of its own.
- The images are made from whole numbers here, so that any machine can make the same; no data folder is needed.

``python -m radiomicnet_md_validation.bit_equality`` shows the page, with ``--write`` it goes to
``docs/reference/bit-equality.md``. Exit code 3: two hashes differ.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PAGE = Path("docs/reference/bit-equality.md")
DIFFERENT = 3
Layout = Callable[[NDArray[np.generic]], NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Configuration:
    """How a process computes."""

    name: str
    threads: int
    surroundings: dict[str, str] = field(default_factory=dict)


def _processor(name: str) -> dict[str, str]:
    return {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": ""}


_ELSEWHERE = (
    (Configuration("processor x86-64-v3, 1 thread", 1, _processor("x86-64-v3")),)
    if platform.machine() == "x86_64"
    else ()
)
CONFIGURATIONS = (
    Configuration("this processor, 1 thread", 1),
    Configuration("the same again", 1),
    Configuration("this processor, 2 threads", 2),
    Configuration("this processor, 3 threads", 3),
    Configuration("processor generic, 1 thread", 1, _processor("generic")),
    Configuration("processor generic, 2 threads", 2, _processor("generic")),
    *_ELSEWHERE,
    Configuration("NumPy without vectors, 1 thread", 1, {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3"}),
)
LAYOUTS: dict[str, Layout] = {
    "Fortran order": np.asfortranarray,
    "strided": lambda array: np.repeat(np.repeat(array, 2, axis=-2), 3, axis=-1)[..., ::2, ::3],
    "negative strides": lambda array: np.ascontiguousarray(array[..., ::-1, ::-1])[..., ::-1, ::-1],
    "a part of a larger array": lambda array: np.pad(array, 5)[(slice(5, -5),) * array.ndim],
    "wider integers": lambda array: array.astype(np.int64) if array.dtype.kind == "i" else array,
}
DEPTH_ONE = "each plane as a volume of depth 1"
_SETTINGS: tuple[tuple[tuple[int, ...], int, int, tuple[int, ...], bool], ...] = (
    ((31, 29), 32, 1, (1,), False),
    ((23, 37), 64, 2, (1, 3), True),
    ((17, 19), 8, 4, (1,), True),
    ((6, 13, 11), 16, 1, (1,), False),
    ((5, 9, 10), 32, 2, (1, 2), True),
)


def images() -> Iterator[tuple[NDArray[np.int16], NDArray[np.float64], int, tuple[int, ...]]]:
    """Levels, grey values, radius and distances: noise, flat parts and gaps, by whole numbers alone."""
    for shape, count, radius, distances, gaps in _SETTINGS:
        state = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(count)
        for shift in (33, 29, 31):  # a mixing of bits; what it is matters less than that it is the same everywhere
            state = (state ^ (state >> np.uint64(shift))) * np.uint64(0x9E3779B97F4A7C15)
        noise = (state >> np.uint64(40)).astype(np.int64).reshape(shape)
        levels = (noise % count).astype(np.int16)
        levels[..., : shape[-1] // 3] //= 8
        if gaps:
            levels[noise % 7 == 0] = -1
        yield levels, (noise % 4001 - 1000) / 8, radius, distances


def digest(layout: Layout = np.asarray, *, depth_one: bool = False, threads: int | None = None) -> str:
    """SHA-256 over the maps of all images, as little-endian float64 in C order."""
    from radiomicnet_md import radiomics

    found = hashlib.sha256()
    for levels, image, radius, distances in images():
        planes = depth_one and levels.ndim == len("yx")
        given = [layout(array[None] if planes else array) for array in (levels, image)]
        maps = radiomics.dense(given[0], image=given[1], radius=radius, distances=distances, threads=threads)  # type: ignore[arg-type]
        found.update(np.ascontiguousarray(maps, dtype="<f8").tobytes())
    return found.hexdigest()


def elsewhere(configuration: Configuration) -> str:
    """The digest by a process of its own."""
    limit = {"NUMBA_NUM_THREADS": str(max(configuration.threads, os.cpu_count() or 1))}
    command = [sys.executable, "-m", "radiomicnet_md_validation.bit_equality", "--threads", str(configuration.threads)]
    found = subprocess.run(  # noqa: S603 - this module, by this interpreter
        command,
        env=os.environ | limit | configuration.surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        raise RuntimeError(found.stderr)
    return found.stdout.strip()


def rows() -> dict[str, str]:
    """Every configuration with its digest."""
    found = {}
    for configuration in CONFIGURATIONS:
        sys.stderr.write(f"{configuration.name}\n")
        found[configuration.name] = elsewhere(configuration)
    found |= {name: digest(layout) for name, layout in LAYOUTS.items()}
    found[DEPTH_ONE] = digest(depth_one=True)
    return found


def page(found: dict[str, str]) -> str:
    """The whole page."""
    count = len(set(found.values()))
    images_ = "; ".join(
        f"{' × '.join(map(str, shape))}, {levels} levels, radius {radius}, distances {', '.join(map(str, distances))}"
        + (", with gaps" if gaps else "")
        for shape, levels, radius, distances, gaps in _SETTINGS
    )
    lines = [
        "<!-- Made by `python -m radiomicnet_md_validation.bit_equality --write`. -->",
        "# One bit pattern of every map",
        "",
        f"SHA-256 over all 93 dense maps of {len(_SETTINGS)} drawn images, every bit of every value.",
        f"**{count} hash{'' if count == 1 else 'es'} in {len(found)} configurations**",
        f"({platform.machine()}, NumPy {np.__version__}; one computer).",
        "",
        "| Configuration | SHA-256 |",
        "|---|---|",
        *(f"| {name} | `{value}` |" for name, value in found.items()),
        "",
        f"Images: {images_}.",
        "",
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Show or write the page, or print the digest of this process alone; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m radiomicnet_md_validation.bit_equality")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE} below the current folder")
    parser.add_argument("--threads", type=int, help="print the digest of this process with so many threads")
    chosen = parser.parse_args(arguments)
    if chosen.threads is not None:
        sys.stdout.write(f"{digest(threads=chosen.threads)}\n")
        return 0
    found = rows()
    if chosen.write:
        PAGE.write_text(page(found), encoding="utf-8")
    else:
        sys.stdout.write(page(found))
    return DIFFERENT if len(set(found.values())) > 1 else 0


if __name__ == "__main__":
    sys.exit(main())
