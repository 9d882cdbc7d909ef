# SPDX-License-Identifier: Apache-2.0
"""The page that ``benchmarks/radiomics.py`` prints: tables and verdicts from measured times, nothing measured here.

A part of the page is its text and whether everything promised in it holds.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from radiomics_cases import ALL, BIN_COUNT, CLASSES, ITEMS, NO_MCC, THREADS, Batches, Case
from radiomics_peers import BATCH, DEFAULT_BATCH, FLASH, NOT_INSTALLED, PYRADIOMICS, PYTORCH, Answer
from radiomics_process import BYTES_A_VOXEL, Cost

TOGETHER = "together"
NAMED_LIMIT = 30.0  # ms, two threads
MEMORY_LIMIT = 2.0  # times the result
TITLES = {
    "firstorder": "first order 18", "glcm": "GLCM 24", NO_MCC: "GLCM without MCC 23", "glrlm": "GLRLM 16",
    "glszm": "GLSZM 16", "gldm": "GLDM 14", "ngtdm": "NGTDM 5",
}  # fmt: skip


class Part(NamedTuple):
    """A section of the page."""

    text: str
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Head:
    """What was measured on what."""

    source: str
    machine: str
    peers: Mapping[str, str]  # version, or why there is none
    load: float  # of the machine before the run
    quick: bool


class Ratio(NamedTuple):
    """How many times faster: median of the turns, and the extremes that their times allow."""

    middle: float
    least: float
    largest: float

    def __str__(self) -> str:
        """``1500 (1400 … 1600)``."""
        return f"{_short(self.middle)} ({_short(self.least)} … {_short(self.largest)})"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three figures


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _milliseconds(times: Iterable[float]) -> str:
    values = [value * 1e3 for value in times]
    return f"{statistics.median(values):.3g} ({min(values):.3g} … {max(values):.3g})"


def _pooled(case: Case, item: str, threads: int) -> list[float]:
    return [value for turn in case.ours[item, threads] for value in turn]


def _kept(holds: bool) -> str:  # noqa: FBT001 - it is what the function is about
    return "kept" if holds else "BROKEN"


def _title(item: str) -> str:
    return TITLES.get(item, item)


def ratio(case: Case, peer: str, item: str, threads: int) -> Ratio | None:
    """The peer's time over ours of the same turn; None where the peer has no time."""
    pairs = list(zip(case.theirs.get((peer, item), []), case.ours[item, threads], strict=False))
    if not pairs or any(answer.problem for answer, _ in pairs):
        return None
    return Ratio(
        statistics.median(answer.wall / statistics.median(own) for answer, own in pairs),
        min(answer.wall / max(own) for answer, own in pairs),
        max(answer.wall / min(own) for answer, own in pairs),
    )


def _seconds(answers: Sequence[Answer], *, processor: bool = False) -> str:
    if not answers:
        return "not asked"
    problem = next((answer.problem for answer in answers if answer.problem), "")
    return problem or ", ".join(f"{answer.processor if processor else answer.wall:.3g}" for answer in answers)


def beside(case: Case, targets: Mapping[tuple[str, str], int]) -> Part:
    """One case: every item beside PyRadiomics, then beside the peers."""
    rows, others, holds = [], [], True
    for item in ITEMS:
        one, two = (ratio(case, PYRADIOMICS, item, threads) for threads in THREADS)
        target = targets.get((case.name, item))
        verdict = ""
        if target is not None:
            reached = two is not None and two.middle >= target
            verdict, holds = ("reached" if reached else "MISSED"), holds and reached
        theirs = case.theirs.get((PYRADIOMICS, item), [])
        own = [_milliseconds(_pooled(case, item, threads)) for threads in THREADS]
        times = [*own, _seconds(theirs), _seconds(theirs, processor=True)]
        rows.append([_title(item), *times, str(one or ""), str(two or ""), f"≥ {target}" if target else "", verdict])
        if item != NO_MCC:
            cells = ((_seconds(case.theirs[p, item]), str(ratio(case, p, item, 2) or "")) for p in (FLASH, PYTORCH))
            others.append([_title(item), own[1], *(cell for pair in cells for cell in pair)])
    heads = ["Maps", "ours, 1 thread, ms", "ours, 2 threads, ms", "PyRadiomics, s", "its processor time, s",
             "ratio, 1 thread", "ratio, 2 threads", "target", ""]  # fmt: skip
    peers = ["Maps", "ours, 2 threads, ms", f"{FLASH}, s", "ratio", f"{PYTORCH}, s", "ratio"]
    shape = " × ".join(map(str, case.levels.shape))
    return Part(f"## {case.name}, {shape} voxels\n\n{_table(heads, rows)}\n\n{_table(peers, others)}\n", holds)


def agreement(cases: Sequence[Case]) -> Part:
    """Whether the three measured the same thing."""
    rows = [
        [f"{case.name}, {_title(prefix)}", *(case.agreement[peer, prefix] for peer in (PYRADIOMICS, FLASH, PYTORCH))]
        for case in cases
        for prefix in CLASSES
    ]
    text = (
        "Maps within the limit (1e-9 relative, MCC 1e-8 absolute), and the largest difference with its feature; inf"
        " where one side alone has a value. What a peer defines otherwise is timed all the same: flash-radiomics'"
        " kurtosis is 3 less, its MCC counts an angle with one level as 1, and its NGTDM contrast of a flat window has"
        " no value."
    )
    return Part(f"## Agreement with ours\n\n{text}\n\n{_table(['Maps', PYRADIOMICS, FLASH, PYTORCH], rows)}\n")


def default_batch(small: Batches) -> Part:
    """PyRadiomics as it is when nobody sets anything."""
    case = small.case
    own = statistics.median(_pooled(case, ALL, THREADS[-1]))
    rows = []
    for batch, (answer, idle) in small.answers.items():
        name = {DEFAULT_BATCH: f"{DEFAULT_BATCH}, the default", BATCH: str(BATCH)}[batch]
        peaks = [f"{peak / 1e6:.0f}" for peak in (answer.peak, idle)]
        rows.append([name, _seconds([answer]), _seconds([answer], processor=True), *peaks, _short(answer.wall / own)])
    heads = ["voxelBatch", "wall, s", "processor, s", "peak memory, MB", "of the idle process", "ratio, 2 threads"]
    shape = " × ".join(map(str, case.levels.shape))
    text = (
        f"All 93 maps, 3 × 3, of {shape} voxels only: the default holds the matrices of all voxels at once, and what"
        f" it takes grows with the image. Ours on 2 threads: {own * 1e3:.3g} ms."
    )
    return Part(f"## PyRadiomics' default voxelBatch\n\n{text}\n\n{_table(heads, rows)}\n")


def named(parts: Mapping[str, Mapping[int, Sequence[float]]], shape: Sequence[int]) -> Part:
    """The sixteen maps of the network."""
    rows = [[name, *(_milliseconds(times[threads]) for threads in THREADS)] for name, times in parts.items()]
    total = statistics.median(parts[TOGETHER][THREADS[-1]]) * 1e3
    holds = total <= NAMED_LIMIT
    verdict = f"Limit for all of it on 2 threads: {NAMED_LIMIT:g} ms, {_kept(holds)}."
    heads = [" × ".join(map(str, shape)), "1 thread, ms", "2 threads, ms"]
    return Part(f"## The 16 named maps at the network's two scales\n\n{_table(heads, rows)}\n\n{verdict}\n", holds)


def memory(costs: Mapping[str, Cost]) -> Part:
    """Peak memory and first calls."""
    rows, calls = [], []
    for shape, cost in costs.items():
        verdict = _kept(cost.multiple <= MEMORY_LIMIT)
        sizes = [f"{value / 1e6:.1f}" for value in (cost.output, cost.extra)]
        rows.append([shape, *sizes, f"{cost.multiple:.2f}", f"≤ {MEMORY_LIMIT:g}", verdict])
        calls.append([shape, f"{cost.compiled:.1f}", f"{cost.loaded:.2f}"])
    text = (
        "All 93 maps, window radius 1, two threads. The peak is that of a process (VmHWM) minus that of one which does"
        " everything but the call; the result is part of it."
    )
    first = (
        "Seconds of the first call in a new process, of a single window; the kernels of the second row find on disk"
        " what the first has compiled."
    )
    heads = ["Voxels", "result, MB", "peak of the call, MB", "times the result", "limit", ""]
    compiled = _table(["Voxels", "nothing compiled, s", "compiled before, s"], calls)
    return Part(
        f"## Memory\n\n{text}\n\n{_table(heads, rows)}\n\n## First call\n\n{first}\n\n{compiled}\n",
        all(cost.multiple <= MEMORY_LIMIT for cost in costs.values()),
    )


def floor(cases: Sequence[Case], bandwidths: Mapping[int, float]) -> Part:
    """How far the machine's memory would allow to go."""
    rows = []
    for case in cases:
        for threads, bandwidth in bandwidths.items():
            least = BYTES_A_VOXEL / bandwidth * 1e9
            ours = statistics.median(_pooled(case, ALL, threads)) / case.levels.size * 1e9
            rows.append([f"{case.name}, {threads} thread{'s' if threads > 1 else ''}", f"{bandwidth / 1e9:.1f}",
                         f"{least:.0f}", f"{ours:.0f}", _short(ours / least)])  # fmt: skip
    text = (
        f"A voxel moves at least {BYTES_A_VOXEL} bytes: its level in, 93 double-precision values out. Bandwidth is that"
        " of a copy between large arrays, read plus written, on as many threads. What separates us from the floor is"
        " computation:"
    )
    heads = ["All 93 maps", "bandwidth, GB/s", "floor, ns a voxel", "ours, ns a voxel", "distance"]
    shares = "\n".join(f"- {_shares(case)}" for case in cases)
    return Part(f"## Distance to the memory-bandwidth floor\n\n{text}\n\n{shares}\n\n{_table(heads, rows)}\n")


def _shares(case: Case) -> str:
    """Where the time of all 93 maps goes."""
    own = {item: statistics.median(_pooled(case, item, 1)) for item in ITEMS}
    total = sum(own[prefix] for prefix in CLASSES)
    rest = ", ".join(
        f"{_title(p).rpartition(' ')[0]} {own[p] / total:.0%}" for p in sorted(CLASSES, key=lambda p: -own[p])
    )
    return (
        f"{case.name}: {rest} of the classes' time on 1 thread; MCC alone {1 - own[NO_MCC] / own['glcm']:.0%} of GLCM."
    )


def whole(head: Head, parts: Sequence[Part], seconds: float) -> tuple[str, bool]:
    """The page, and whether all that is promised holds."""
    peers = "; ".join(f"{name} {version}" for name, version in head.peers.items())
    quick = ["", "**A trial of the script on tiny crops: no figure below means anything.**"] if head.quick else []
    absent = f" One that is absent has “{NOT_INSTALLED}” in its column." if NOT_INSTALLED in head.peers.values() else ""
    notes = {
        "Image": f"{head.source}. {BIN_COUNT} levels by bin count, distance 1, every voxel, unmasked.",
        "Beside": f"{peers}, on the CPU with their own number of threads. But for PyRadiomics they lie in a folder that"
        " only their own process searches: no part of the product, so no SOUP item is due." + absent,
        "Times": "wall-clock, from the prepared image to the maps, both sides in one run, ours right before and after"
        " each call of a peer. Ours: median (least … largest) of all calls. PyRadiomics with voxelBatch"
        f" {BATCH}, each repetition; its 93 maps are the sum of its six classes, as are those of pytorchradiomics.",
        "Ratio": "a peer's time over the median of ours around it, median of the repetitions, then (its least over our"
        " largest … its largest over our least).",
    }
    opening = (
        f"Written by `python benchmarks/radiomics.py --write` in {seconds / 60:.0f} minutes on {head.machine}, no GPU"
        f" used; load of the machine before the run {head.load:.2f}."
    )
    listed = [f"- {name}: {note}" for name, note in notes.items()]
    lines = ["# Speed of the dense maps", *quick, "", opening, "", *listed, "", *(part.text for part in parts)]
    return "\n".join(lines), all(part.holds for part in parts)
