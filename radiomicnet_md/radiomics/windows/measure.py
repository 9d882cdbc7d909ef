# SPDX-License-Identifier: Apache-2.0
"""From levels to maps: checks what is asked, lays out the line, and gives stretches of it to threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numba
import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.errors import InputError, UsageError
from radiomicnet_md.radiomics import lesion_definitions
from radiomicnet_md.radiomics.windows import cooccurrence, families, geometry, intensity, items, matches, tone

MOST_LEVELS = 256
LARGEST_RADIUS = 4
LARGEST_DISTANCE = 3
_STRETCHES = 4  # a thread and class of features, so that the last one to finish is not waited for long
_LONGEST = 256  # chunks of a stretch, so that progress shows on large volumes

NAMES = tuple(lesion_definitions.TEXTURE)
_ORDER = {
    "firstorder": intensity.NAMES,
    "glcm": cooccurrence.NAMES,
    "glrlm": items.RUNS,
    "glszm": items.ZONES,
    "gldm": items.DEPENDENCES,
    "ngtdm": tone.NAMES,
}

Work = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What every class of features needs."""

    line: geometry.Line
    window: geometry.Window
    logs: tuple[NDArray[np.int64], ...]


def measure(
    levels: NDArray[np.integer],
    features: Sequence[str] | None = None,
    *,
    image: NDArray[np.generic] | None = None,
    radius: int = 1,
    distances: Sequence[int] = (1,),
    voxel_size: float = 1.0,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> NDArray[np.float64]:
    """See :func:`radiomicnet_md.radiomics.dense`, which documents this call."""
    names = NAMES if features is None else tuple(features)
    _check_settings(names, radius, distances)
    _check_levels(levels, radius)
    _check_image(names, levels, image)
    line = geometry.lay_out(levels, radius)
    flat = levels.ndim == len("yx") or levels.shape[0] == 1
    window = geometry.window(radius, len("yx") if flat else len("zyx"), line.strides, tuple(distances))
    most = 2 * window.offsets.size
    plan = _Plan(line, window, (matches.rise(most), matches.rises(most), matches.n_log_n(most)))
    out = np.empty((len(names), levels.size))
    out[:, levels.ravel() < 0] = np.nan
    works = [
        work
        for kind in _ORDER
        if (rows := _rows(kind, names)).max() >= 0
        for work in [_work(kind, plan, rows, out, image, voxel_size)]
    ]
    _run(works, line, threads or numba.get_num_threads(), progress)
    return out.reshape(len(names), *levels.shape)


def _rows(kind: str, names: Sequence[str]) -> NDArray[np.int64]:
    """The row of the result of each feature of a class; −1 where nobody asked for it."""
    place = {name: row for row, name in enumerate(names)}
    return np.array([place.get(f"{kind}_{name}", -1) for name in _ORDER[kind]], dtype=np.int64)


def _work(
    kind: str,
    plan: _Plan,
    rows: NDArray[np.int64],
    out: NDArray[np.float64],
    image: NDArray[np.generic] | None,
    voxel_size: float,
) -> Work:
    line, window = plan.line, plan.window
    ways = _ways(window.near)

    def over(kernel: Callable[..., None], *rest: object) -> Work:
        def run(begin: int, end: int) -> None:
            kernel(line.levels, line.missing, line.place, begin, end, window.offsets, *rest, rows, out)

        return run

    match kind:
        case "glcm":
            return over(families.glcm, *_glcm_arguments(plan))
        case "glrlm":
            return over(families.glrlm, _lines(window), plan.logs)
        case "ngtdm":
            return over(families.ngtdm, ways)
        case "firstorder":
            wanted = any(rows[i] >= 0 for i, name in enumerate(intensity.NAMES) if name not in intensity.FROM_LEVELS)
            values = geometry.lay_out_values(image, line) if wanted and image is not None else np.empty(0)
            network = intensity.network(window.offsets.size)
            return over(families.firstorder, values, network, float(voxel_size), plan.logs)
        case _:
            return over(families.one_matrix, ways, int(kind == "glszm"), plan.logs)


def _glcm_arguments(plan: _Plan) -> tuple[object, ...]:
    line, moves = plan.line, plan.window.moves
    planes = np.full((moves.steps.size, 2, line.levels.size), line.missing, dtype=line.levels.dtype)
    for (sums, differences), step in zip(planes, moves.steps.tolist(), strict=True):
        cooccurrence.planes(line.levels, line.missing, step, sums, differences)
    packed = (
        moves.steps, moves.pairs, moves.ends, moves.first, moves.rows, moves.row, moves.left, moves.width
    )  # fmt: skip
    table = cooccurrence.weights(line.number, line.missing)
    return packed, planes, table, line.number, plan.logs, cooccurrence.EXPONENTIAL


def _ways(near: geometry.Moves) -> NDArray[np.int64]:
    """All pairs of neighbours in the window, (pairs, 2) indices, in raster order."""
    parts = [near.ends[m, :, :count].T for m, count in enumerate(near.pairs.tolist())]
    every = np.concatenate(parts)
    return np.ascontiguousarray(every[np.lexsort((every[:, 1], every[:, 0]))])


def _lines(window: geometry.Window) -> NDArray[np.int64]:
    """For each near move the indices of the voxels one step back and one step ahead, −1 outside: (moves, 2, voxels)."""
    near = window.near
    lines = np.full((near.steps.size, 2, window.offsets.size), -1, dtype=np.int64)
    for m, count in enumerate(near.pairs.tolist()):
        first, second = near.ends[m, :, :count]
        lines[m, 0, second] = first
        lines[m, 1, first] = second
    return lines


def _run(works: list[Work], line: geometry.Line, threads: int, progress: Callable[[float], None] | None) -> None:
    chunks = -(-(line.end - line.begin) // geometry.LANES)
    length = min(-(-chunks // (_STRETCHES * threads)), _LONGEST) * geometry.LANES
    stretches = [(b, min(b + length, line.end)) for b in range(line.begin, line.end, length)]
    waiting = deque(partial(work, *stretch) for work in works for stretch in stretches)
    every = len(waiting)
    finished: list[Work] = []  # appending is atomic

    def drain(tell: Callable[[float], None] | None = None) -> None:
        while waiting:
            try:
                task = waiting.popleft()
            except IndexError:  # another thread was faster
                return
            task()
            finished.append(task)
            if tell is not None and len(finished) < every:
                tell(len(finished) / every)

    with ThreadPoolExecutor(max(threads - 1, 1)) as pool:  # this thread works too
        others = [pool.submit(drain) for _ in range(threads - 1)]
        try:
            drain(progress)
        finally:
            waiting.clear()
        for other in others:
            other.result()
    if progress is not None:
        progress(1.0)


def _check_settings(names: Sequence[str], radius: int, distances: Sequence[int]) -> None:
    unknown = [name for name in names if name not in lesion_definitions.TEXTURE]
    if unknown or not names or len(set(names)) < len(names):
        raise UsageError(
            "E-MAPS-FEATURE",
            f"There is no map {unknown[0]!r}." if unknown else "No map, or one map twice, is asked for.",
            remedy="Names are <class>_<Feature>, each once, as in docs/reference/radiomics.md.",
        )
    if not 1 <= radius <= LARGEST_RADIUS:
        raise UsageError(
            "E-MAPS-RADIUS",
            f"A window radius of these maps lies between 1 and {LARGEST_RADIUS} voxels, not {radius}.",
            remedy="Choose a radius in that range.",
        )
    if not distances or len(set(distances)) < len(distances) or not all(1 <= d <= LARGEST_DISTANCE for d in distances):
        raise UsageError(
            "E-MAPS-DISTANCE",
            f"Distances of pairs are different whole numbers from 1 to {LARGEST_DISTANCE}.",
            remedy="Choose distances in that range.",
        )


def _check_levels(levels: NDArray[np.integer], radius: int) -> None:
    whole = levels.dtype.kind in "iu" and levels.ndim in {len("yx"), len("zyx")} and levels.size > 0
    if not whole or levels.min() < -1 or not 0 <= levels.max() < MOST_LEVELS:
        raise InputError(
            "E-MAPS-LEVELS",
            f"Levels are whole numbers 0 to {MOST_LEVELS - 1}, or -1 for none, in two or three dimensions.",
            remedy="Make them with radiomics.levels.discretise.",
        )
    if 2 * radius + 1 > min(levels.shape[-2:]):
        raise InputError(
            "E-MAPS-WINDOW",
            f"A window of {2 * radius + 1} voxels is larger than the image {levels.shape}.",
            remedy="Choose a smaller radius.",
        )


def _check_image(names: Sequence[str], levels: NDArray[np.integer], image: NDArray[np.generic] | None) -> None:
    valued = [f"firstorder_{name}" for name in intensity.NAMES if name not in intensity.FROM_LEVELS]
    if image is None:
        needing = [name for name in names if name in valued]
        if needing:
            raise UsageError(
                "E-MAPS-IMAGE",
                f"{needing[0]} is measured on grey values, and no image is given.",
                remedy="Give the image as well as its levels.",
            )
        return
    if image.shape != levels.shape or image.dtype.kind not in "biuf":
        raise InputError(
            "E-MAPS-GEOMETRY",
            f"The image has the shape {image.shape}, its levels {levels.shape}.",
            remedy="Give real grey values on the grid of the levels.",
        )
    if not np.isfinite(image[levels >= 0]).all():
        raise InputError(
            "E-LEVELS-NOT-FINITE",
            "The image holds NaN or infinite values.",
            remedy="Replace them before measuring; a level cannot be made from them.",
        )
