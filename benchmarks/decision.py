# SPDX-License-Identifier: Apache-2.0
"""What one decision costs, bare, recorded and delivered, beside a plain U-Net's forward pass; and where its time goes.

``python -P benchmarks/decision.py [--rounds N]``; the machine should be idle. Ends with 3 where a limit is broken.

Rules of this module:

- A decision is a whole one: its intent is put on the disk, an image of 256 × 256 in memory is admitted, measured,
  decided and screened, its record described, signed, put into the log and made durable, and the intent taken away.
  Reading the file and writing pictures are not part of it. Without a record it is what lies between those.
- A delivered case is what ``segment`` does with a file: read, decided, kept for a replay, recorded, and its files
  written: mask and pictures as PNG, or these and the DICOM objects.
- Logging is all of that but the deciding itself; its share is of the same calls.
- The U-Net (31 million parameters, float32, channels last) only runs its forward pass, on the same number of pixels.
- All rows in turn, round after round in one process, each called once unmeasured before its measured calls.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from unittest import mock

import torch

from benchmarks.networks import BASELINES
from radiomicnet_md import config, desk, io, phantom, shelf
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Desk
from radiomicnet_md.engine import decide, measure, record, resample, segment
from radiomicnet_md.engine.record import Case, Outcome
from radiomicnet_md.engine.release import default_folder, open_release
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.image import Image
from radiomicnet_md.intent import Intent
from radiomicnet_md.opening import open_desk
from radiomicnet_md.radiomics import per_lesion, region
from radiomicnet_md.radiomics.definitions import NAMED

SIDE = 256
CALLS = 3  # measured calls of a row a round, after one that is not
ROUNDS = 12
BROKEN = 3
UNET = "U-Net, 31 million parameters: forward pass alone"
BARE, CONTRIBUTED = "deciding alone, without record", "the same with Shapley values of the groups"
PLAIN, GROUPS, WHOLE = "decision", "and Shapley values of the groups", "and PyRadiomics' values of the lesion"
PICTURES, OBJECTS = "all that, from the file to delivered PNG", "and to delivered PNG and DICOM objects"
LIMITS = {PLAIN: 0.1, GROUPS: 0.2, WHOLE: 0.5}  # of the U-Net's time

LOGGING: list[float] = []  # of each decision: what logging took, as a share of the deciding

Calls = dict[str, Callable[[], object]]
Times = dict[str, list[float]]


@contextmanager
def opened() -> Iterator[tuple[Desk, Image, Path]]:
    """A desk in a home of its own, and an image with a lesion as a reader hands it over, with its file."""
    with tempfile.TemporaryDirectory() as folder:
        home, file = Path(folder) / "home", Path(folder) / "phantom.dcm"
        made = [sys.executable, "-m", "radiomicnet_md", "--quiet", "--home", str(home), "init"]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
        phantom.write_dicom(phantom.make(1, SIDE, SIDE), file)
        with open_desk(config.load({"home": home})) as ready:
            yield ready, io.read(file).image, file


def deciding(ready: Desk, image: Image, intent: Intent) -> Case:
    """The case with its decision, which found a lesion."""
    if not isinstance(ready.engine, Engine):
        raise SystemExit(str(ready.engine))
    case, stopped = desk.judged(Case(intent.record_id, intent.request_id, Outcome.RESULT), image, ready.engine)
    if stopped is not None or case.decision is None or not case.decision.chosen:
        raise SystemExit(f"the benchmark's image is not decided, or has no lesion: {stopped}")
    return case


def decision(ready: Desk, image: Image) -> None:
    """One case from its samples to its durable record."""
    began = time.perf_counter()
    intent = Intent.new(ready.maker)
    staged = shelf.stage(ready.home.folder, intent.record_id, intent.to_bytes())
    begun = time.perf_counter()
    case = deciding(ready, image, intent)
    decided = time.perf_counter()
    ready.ledger.append(record.statement(record.describe(case, ready.maker)))
    staged.publish()
    LOGGING.append((begun - began + time.perf_counter() - decided) / (decided - begun))


def delivered(ready: Desk, file: Path, form: str) -> Callable[[], object]:
    """One case from its file to its files, each time into a folder of its own."""
    numbers = count()

    def call() -> None:
        target = Target(file.parent / form, str(next(numbers)), form)
        answer = desk.segment_file(file, ready, target)
        if answer.status != "accepted" or not answer.outputs:
            raise SystemExit(f"the benchmark's file is not delivered: {answer.reason}")

    return call


def without(work: Callable[[], object], *, groups: bool) -> Callable[[], object]:
    """The same without PyRadiomics' values and, unless ``groups``, without Shapley values."""

    def call() -> None:
        with ExitStack() as patches:
            patches.enter_context(mock.patch.object(segment, "_lesion", return_value={}))
            if not groups:
                patches.enter_context(mock.patch.object(Engine, "shares", return_value={}))
            work()

    return call


def unet() -> Callable[[], object]:
    """The U-Net on as many pixels."""
    torch.manual_seed(0)
    network = BASELINES["unet"].build().eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.rand(1, 2, SIDE, SIDE).to(memory_format=torch.channels_last)
    values, codes = torch.randn(1, 13), torch.randint(0, 64, (1, 32, SIDE // 2, SIDE // 2), dtype=torch.uint8)

    def call() -> object:
        with torch.inference_mode():
            return network(image, values, codes)

    return call


def interleaved(rows: Calls, rounds: int) -> Times:
    """Milliseconds of every call of every row."""
    times: Times = {name: [] for name in rows}
    for _ in range(rounds):
        for name, call in rows.items():
            call()
            for _ in range(CALLS):
                started = time.perf_counter()
                call()
                times[name].append(1e3 * (time.perf_counter() - started))
    return times


def stages(engine: Engine) -> Calls:
    """The parts of a decision, each alone."""
    source = phantom.make(1, SIDE, SIDE).pixels
    proposal = engine.propose(source)
    levels, codes = proposal.measured.levels, proposal.codes[: len(NAMED)]
    chosen = engine.decide(source, (0.1, 0.1)).chosen[0].pixels
    mask = resample.enlarge_mask(chosen, *source.shape)
    views, factors = engine.preprocessing.views(levels), engine.factors(proposal.measured.paper)
    evidence = decide.upsample(proposal.evidence.logit, *levels.shape)
    found = decide.candidates(evidence)
    places = {"lesion": proposal.evidence.logit > 0}
    return {
        "measure: working grid, 13 values, 32 maps": lambda: measure.measure(source, engine.preprocessing),
        "network in exact integers": lambda: engine.network.run(views, factors),
        "candidate regions": lambda: decide.candidates(evidence),
        f"named values and terms of {len(found.tree)} candidates": lambda: engine.regions.read(
            region.measure(found.tree, levels, codes)
        ),
        "Shapley values of the groups: eight decoders": lambda: engine.shares(proposal, places),
        "PyRadiomics' 102 values of the lesion": lambda: per_lesion.measure(source, mask, (0.1, 0.1)),
        "known-answer test (4 inputs)": engine.known_answer_test,
    }


def tables(whole: Times, parts: Times) -> list[str]:
    """Both tables."""
    beside = statistics.median(whole[UNET])
    lines = ["| 256 × 256 pixels, 2 threads | median ms | of the U-Net's | limit | |", "|---|---:|---:|---:|---|"]
    for name, times in whole.items():
        ratio, limit = statistics.median(times) / beside, LIMITS.get(name)
        said = "" if limit is None else f"{limit:g}"
        broken = "BROKEN" if limit is not None and ratio > limit else ""
        lines.append(f"| {name} | {statistics.median(times):.1f} | {ratio:.3f} | {said} | {broken} |")
    lines += ["", "| Stage of one decision | median ms |", "|---|---:|"]
    lines += [f"| {name} | {statistics.median(times):.1f} |" for name, times in parts.items()]
    share = statistics.median(LOGGING)
    return [*lines, "", f"Logging takes {share:.1%} of the time of deciding (median over {len(LOGGING)} decisions)."]


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    with opened() as (ready, image, file):
        alone, recorded = partial(deciding, ready, image, Intent.new(ready.maker)), partial(decision, ready, image)
        rows = {
            UNET: unet(),
            BARE: without(alone, groups=False),
            CONTRIBUTED: without(alone, groups=True),
            PLAIN: without(recorded, groups=False),
            GROUPS: without(recorded, groups=True),
            WHOLE: recorded,
            PICTURES: delivered(ready, file, "png"),
            OBJECTS: delivered(ready, file, "dicom"),
        }
        whole = interleaved(rows, rounds)
    parts = interleaved(stages(Engine.load(open_release(default_folder()))), rounds)
    print("\n".join(tables(whole, parts)))
    beside = statistics.median(whole[UNET])
    return BROKEN if any(statistics.median(whole[name]) > limit * beside for name, limit in LIMITS.items()) else 0


if __name__ == "__main__":
    sys.exit(main())
