# SPDX-License-Identifier: Apache-2.0
"""All 93 dense maps beside PyRadiomics and two faster peers, on the same voxels in one run, with the targets.

``make bench-radiomics`` installs the peers beside the product and runs ``python benchmarks/radiomics.py``; ``--write``
also puts the page into ``docs/reference/benchmarks-radiomics.md``; ``--quick`` only tries the script, on tiny crops.
Ends with 3 where a target is missed. The machine should be idle.

Rules of this module:

- Both sides in turn: ours right before and right after each call of a peer, so that a machine that slows down
  slows both. Every time is kept; a ratio is shown with the least and the largest that they allow.
- A peer that is not installed, or fails, has that in its column; nothing else changes.
- Crops are real data where ``RADIOMICNET_MD_DATA`` names them, else generated; the page says which.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numba
import numpy as np
import radiomics_page as page
from maps import SCALES, STEP
from numpy.typing import NDArray
from radiomics_cases import (
    ALL,
    BIN_COUNT,
    CLASSES,
    FULL,
    ITEMS,
    NO_MCC,
    QUICK,
    TARGETS,
    THREADS,
    TURNS,
    Batches,
    Case,
    Sizes,
    make_case,
    middle,
    mr_or_speckle,
    seconds,
)
from radiomics_peers import BATCH, DEFAULT_BATCH, FLASH, PYRADIOMICS, PYTORCH, Answer, Worker
from radiomics_process import Cost, bandwidth, cost

from radiomicnet_md.radiomics import lbp, named_maps
from radiomicnet_md_validation import peers

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "benchmarks-radiomics.md"
SETTLE = 0.2  # seconds until a peer's idle threads no longer spin
CALLS = 4  # of ours before a peer's call, and again after it


def measure(case: Case, workers: Sequence[Worker], folder: Path) -> None:
    """Every item, ours around each peer's; the time of all 93 of ours is spread over the whole turn."""
    file = folder / "case.npy"
    np.save(file, case.image)
    for turn in range(max(TURNS.values())):
        asked = [worker for worker in workers if turn < TURNS[worker.peer]]
        for item, names in ITEMS.items():
            own = [worker for worker in asked if asks_for(worker, item)]
            _ours(case, item, turn)
            for worker in own:
                answer = worker.ask(file, names, radius=case.radius, bin_count=BIN_COUNT)
                case.theirs.setdefault((worker.peer, item), []).append(answer)
                _ours(case, item, turn)
            if not own:
                _ours(case, item, turn)
    for worker in workers:
        if not asks_for(worker, ALL):
            case.theirs[worker.peer, ALL] = _summed(case, worker.peer)
        for prefix in CLASSES:
            case.agreement[worker.peer, prefix] = agree(case, prefix, case.theirs[worker.peer, prefix][0])


def asks_for(worker: Worker, item: str) -> bool:
    """Whether the peer is asked for this item: flash-radiomics shares work between classes, the others do not."""
    return {ALL: worker.peer == FLASH, NO_MCC: worker.peer == PYRADIOMICS}.get(item, True)


def _ours(case: Case, item: str, turn: int) -> None:
    time.sleep(SETTLE)
    for threads in THREADS:
        case.time_ours(item, threads, turn, CALLS)
        if item != ALL:
            case.time_ours(ALL, threads, turn, 1)


def _summed(case: Case, peer: str) -> list[Answer]:
    turns = zip(*(case.theirs[peer, prefix] for prefix in CLASSES), strict=True)
    return [
        Answer(
            sum(part.wall for part in parts),
            sum(part.processor for part in parts),
            problem=next((part.problem for part in parts if part.problem), ""),
        )
        for parts in turns
    ]


def agree(case: Case, prefix: str, answer: Answer) -> str:
    """How far a peer's maps of one class are from ours: the largest difference, and how many are within the limit."""
    if answer.maps is None:
        return answer.problem
    ours = dict(zip(CLASSES[prefix], case.run(prefix, 2), strict=True))
    with np.load(answer.maps) as stored:
        theirs = {name: stored[name] for name in stored.files if name in ours}
    apart = {
        name: float(peers.difference(name, ours[name], theirs[name], BIN_COUNT).max())
        for name in ours.keys() & theirs.keys()
    }
    fine = sum(value <= peers.limit(name) for name, value in apart.items())
    worst = max(sorted(apart), key=lambda name: apart[name] / peers.limit(name))
    return f"{fine} of {len(ours)}; {apart[worst]:.1e} ({worst.partition('_')[2]})"


def batches(image: NDArray[np.float64], folder: Path) -> Batches:
    """All 93 maps, 3 × 3."""
    case = make_case("default batch", image, 1)
    file = folder / "batch.npy"
    np.save(file, image)
    answers = {}
    for batch in (DEFAULT_BATCH, BATCH):
        worker = Worker(PYRADIOMICS, folder)
        _ours(case, ALL, 0)
        answer = worker.ask(file, ITEMS[ALL], radius=1, bin_count=BIN_COUNT, batch=batch)
        _ours(case, ALL, 0)
        answers[batch] = (answer, worker.idle_peak)
        worker.stop()
    return Batches(case, answers)


def sixteen(image: NDArray[np.uint8], repeat: int) -> dict[str, dict[int, list[float]]]:
    """Seconds of the device's measurements of one image by part and threads: codes, each scale, and together."""
    parts = _parts_of_sixteen(image)
    parts[page.TOGETHER] = partial(_each, list(parts.values()))
    found: dict[str, dict[int, list[float]]] = {}
    for threads in THREADS:
        numba.set_num_threads(threads)
        for name, work in parts.items():
            work()
            found.setdefault(name, {})[threads] = [seconds(work) for _ in range(repeat)]
    return found


def _parts_of_sixteen(image: NDArray[np.uint8]) -> dict[str, Callable[[], object]]:
    grey, codes = image >> np.uint8(2), lbp.codes(image)
    parts: dict[str, Callable[[], object]] = {"LBP codes": partial(lbp.codes, image)}
    for radius, smoothing in SCALES:
        parts[f"16 maps, radius {radius}, smoothing {smoothing}, step {STEP}"] = partial(
            named_maps.named, image, grey, codes, radius, smoothing, step=STEP
        )
    return parts


def _each(works: Sequence[Callable[[], object]]) -> None:
    for work in works:
        work()


def processes(volume: NDArray[np.float64], sizes: Sizes, folder: Path, *, quick: bool) -> Mapping[str, Cost]:
    """Memory and first calls; the 3-D one finds on disk what 2-D has compiled."""
    plane = volume[volume.shape[0] // 2]
    images = [middle(volume, (64, 64)) if quick else plane, middle(volume, sizes.memory_block)]
    return {
        " × ".join(map(str, image.shape)): cost(image, make_case("", image, 1).levels, 1, folder) for image in images
    }


def machine() -> str:
    """The processor, its cores and the versions."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "processor")
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, numba {numba.__version__}"
    return f"{model}, {os.cpu_count()} cores, {platform.machine()}; {versions}"


def main() -> int:
    """Measure, print, and say by the exit code whether the targets are reached."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--write", action="store_true", help="write the page")
    kind.add_argument("--quick", action="store_true", help="tiny crops: does the script work?")
    given = parser.parse_args()
    started, load = time.perf_counter(), os.getloadavg()[0]
    sizes = QUICK if given.quick else FULL
    volume, source = mr_or_speckle()
    plane, block = middle(volume, sizes.plane), middle(volume, sizes.block)
    cases = [make_case(f"2-D {2 * r + 1} × {2 * r + 1}", plane, r) for r in (1, 2)]
    cases += [make_case(f"3-D {' × '.join([str(2 * r + 1)] * 3)}", block, r) for r in (1, 2)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        costs = processes(volume, sizes, folder, quick=given.quick)
        workers = [Worker(peer, folder) for peer in (PYRADIOMICS, FLASH, PYTORCH)]
        for case in cases:
            measure(case, workers, folder)
        for worker in workers:
            worker.stop()
        small = batches(middle(volume, sizes.default_batch), folder)
    whole = volume[volume.shape[0] // 2]
    maps = sixteen((whole * (255 / whole.max())).astype(np.uint8), 3 if given.quick else 15)
    floor = {threads: statistics.median(bandwidth(threads) for _ in range(3)) for threads in THREADS}
    head = page.Head(source, machine(), {w.peer: w.version or w.problem for w in workers}, load, given.quick)
    parts = [page.beside(case, TARGETS) for case in cases]
    parts += [page.agreement(cases), page.default_batch(small), page.named(maps, whole.shape), page.memory(costs)]
    parts += [page.floor(cases, floor)]
    text, reached = page.whole(head, parts, time.perf_counter() - started)
    print(text)
    if given.write:
        PAGE.write_text(text, encoding="utf-8")
    return 0 if reached or given.quick else 3


if __name__ == "__main__":
    raise SystemExit(main())
