# SPDX-License-Identifier: Apache-2.0
"""What each network of the results costs for one image: parameters, multiplications, time, memory, energy.

``python -P benchmarks/networks_cost.py`` prints the page; ``--write`` also puts it into
``docs/reference/benchmarks-networks.md``; ``--quick`` only tries the script, in one round. The machine should be idle.

Rules of this module:

- All networks in turn, round after round in one process, each called once unmeasured before its measured calls:
  a machine that slows down slows all, and no row starts with another's weights in the cache.
- Memory is the peak of a process of its own that builds and runs one row alone.
- Energy is an estimate, time × an assumed power, unless the processor's own counter can be read.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import networks_monai
from benchmarks.networks import BASELINES

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "benchmarks-networks.md"
SIDE = 192
THREADS = 2
ROUNDS = 12
CALLS = 3  # measured calls of a row a round, after one that is not
WATTS = 15.0  # assumed: the rated power of a laptop's processor
COUNTERS = Path("/sys/class/powercap")
SHIPPED = "shipped"


@dataclass(frozen=True, slots=True)
class Row:
    """A network: what the table says of it, and how it is made ready."""

    title: str
    origin: str
    published: str  # parameters, millions; empty where nobody published them
    make: Callable[[], Subject]


@dataclass(frozen=True, slots=True)
class Subject:
    """A network ready to be called with the one image of this benchmark."""

    call: Callable[[], object]
    parameters: int
    counted: Callable[[], object] | None = None  # the same by torch, where what is called is not


@dataclass(slots=True)
class Cost:
    """What was measured of one row."""

    parameters: int
    macs: int
    peak: int  # bytes
    seconds: list[float] = field(default_factory=list)
    joules: list[float] = field(default_factory=list)  # of the whole package, a call; empty where nothing counts them

    @property
    def median(self) -> float:
        """Seconds of one image."""
        return statistics.median(self.seconds)


# ----------------------------------------------------------------------------------------------- the rows


def module(build: Callable[[], nn.Module]) -> Subject:
    """A torch network in float32 with channels last, on one made-up image."""
    torch.manual_seed(0)
    network = build().eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.rand(1, 2, SIDE, SIDE).to(memory_format=torch.channels_last)
    values = torch.randn(1, 13)
    codes = torch.randint(0, 64, (1, 32, SIDE // 2, SIDE // 2), dtype=torch.uint8)
    return Subject(lambda: network(image, values, codes), sum(p.numel() for p in network.parameters()))


def locked() -> nn.Module:
    """The pixel layer of preset ``locked``, as it is trained."""
    from radiomicnet_md.model.network import PixelNetwork
    from radiomicnet_md.radiomics.definitions import NAMED, PAPER

    return PixelNetwork(len(PAPER), len(NAMED), 2)


def paper(gates: str) -> nn.Module:
    """The network of the paper."""
    from radiomicnet_md.model.paper.gate import GateKind
    from radiomicnet_md.model.paper.network import RadiomicNet

    return RadiomicNet(gates=GateKind(gates))


def shipped() -> Subject:
    """The release's network in exact integers, from the image on its grid to the evidence of each pixel."""
    import json

    import numpy as np

    from radiomicnet_md.engine import contributions, release, runners, segment
    from radiomicnet_md.engine.runner import Runner

    opened = release.open_release(release.default_folder())
    engine = segment.Engine.load(opened)
    by_torch = runners.made(runners.TORCH, engine.program, engine.tensors, engine.spatial)
    numbers = np.random.default_rng(0)
    levels = numbers.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    codes = numbers.integers(0, 64, (len(engine.head.phi), SIDE // 2, SIDE // 2), dtype=np.uint8)
    values = numbers.normal(size=13)

    def call(network: Runner) -> object:
        raw = network.run(engine.preprocessing.views(levels), engine.factors(values))
        return contributions.attribute(engine.head, raw["output"], codes)

    return Subject(
        partial(call, engine.network),
        json.loads(opened.files["model_card.json"])["parameters"]["pixel_layer"],
        partial(call, by_torch),
    )


ROWS: dict[str, Row] = {
    SHIPPED: Row("`locked`, as shipped", "this project, exact integers, normalisation folded", "", shipped),
    "locked": Row("`locked`, as trained", "this project", "", partial(module, locked)),
    "paper": Row("`paper`", "arXiv 2607.02185", "3.27", partial(module, partial(paper, "full"))),
    "paper-plain": Row("`paper` without gates", "MobileNetV2-U-Net", "", partial(module, partial(paper, "none"))),
    **{
        name: Row(one.title, one.origin, f"{one.published:.2f}", partial(module, one.build))
        for name, one in BASELINES.items()
    },
}


# ------------------------------------------------------------------------------------------ measurements


def multiplications(call: Callable[[], object]) -> int:
    """Multiply–accumulates of every convolution and product of matrices in a call, whatever module asks for them.

    Elementwise work (normalisation, activations, splines, table look-ups) is not counted.
    """
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        call()
    return int(counter.get_total_flops()) // 2


def microjoules(counters: Path = COUNTERS) -> int | None:
    """What all packages have used since some time ago; None where no counter can be read."""
    try:
        return sum(int((package / "energy_uj").read_text()) for package in counters.glob("intel-rapl:?")) or None
    except OSError:
        return None


def turn(cost: Cost, call: Callable[[], object], calls: int) -> None:
    """One row's measured calls of one round."""
    with torch.inference_mode():
        call()
        before = microjoules()
        for _ in range(calls):
            started = time.perf_counter()
            call()
            cost.seconds.append(time.perf_counter() - started)
        after = microjoules()
    if before is not None and after is not None and after > before:  # a counter starts again at its largest value
        cost.joules.append((after - before) / 1e6 / calls)


def peak(name: str) -> int:
    """Peak resident bytes of a process that runs one row, or none, alone."""
    done = subprocess.run(
        [sys.executable, "-P", __file__, f"--alone={name}"], check=True, stdout=subprocess.PIPE, text=True
    )
    return int(done.stdout)


def alone(name: str) -> int:
    """In a process of its own, run one row; the peak of memory since the program began, which ``ru_maxrss`` is not."""
    if name:
        subject = ROWS[name].make()
        with torch.inference_mode():
            for _ in range(CALLS):
                subject.call()
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def measure(rounds: int) -> dict[str, Cost]:
    """Every row: memory first, then rounds of time."""
    peaks = {name: peak(name) for name in ROWS}
    subjects = {name: row.make() for name, row in ROWS.items()}
    costs = {
        name: Cost(subject.parameters, multiplications(subject.counted or subject.call), peaks[name])
        for name, subject in subjects.items()
    }
    for _ in range(rounds):
        for name, subject in subjects.items():
            turn(costs[name], subject.call, CALLS)
    return costs


# ----------------------------------------------------------------------------------------------- the page


def figures(value: float) -> str:
    """Three of them, more before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three figures


def table(costs: Mapping[str, Cost]) -> list[str]:
    """One line a network; times and energy beside the shipped network's."""
    counted = any(cost.joules for cost in costs.values())
    energy = "mJ, counted" if counted else "mJ, estimate"
    heads = f"parameters | published, M | GMAC | ms, median | ms, least | times the shipped | peak, MB | {energy}"
    lines = [f"| Network | Origin | {heads} |", "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for name, cost in costs.items():
        row, ratio = ROWS[name], cost.median / costs[SHIPPED].median
        joules = statistics.median(cost.joules) if cost.joules else cost.median * WATTS
        cells = [row.title, row.origin, f"{cost.parameters:,}", row.published, f"{cost.macs / 1e9:.3g}"]
        cells += [figures(1e3 * seconds) for seconds in (cost.median, min(cost.seconds))]
        cells += [figures(ratio), f"{cost.peak / 1e6:.0f}", figures(1e3 * joules)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def page(costs: Mapping[str, Cost], monai: str, empty: int, rounds: int, load: float) -> str:
    """The page of figures with its conditions."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "processor")
    machine = f"{model}, {os.cpu_count()} cores, {platform.machine()}"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    rows = "\n".join(table(costs))
    return f"""# What each network costs

Written by `python -P benchmarks/networks_cost.py --write` on {machine}; {versions}, no GPU used; load of the machine
before the run {load:.2f}.

- One made-up image of {SIDE} × {SIDE} pixels (no network's cost depends on what it shows), batch 1, {THREADS} threads,
  {rounds} rounds of {CALLS} calls of each network in turn, in one process. The trained networks with random weights in
  float32, channels last; the shipped one in exact integers, with every view of the image that its release asks for.
- GMAC: multiply–accumulates of convolutions and products of matrices, not of normalisation, activations, splines and
  table look-ups. Colour networks get grey three times, and are counted so.
- The network alone, with its named head where it has one; what measuring the image and choosing the region take is in
  [the page of the whole decision](benchmarks.md).
- Peak: of a process that runs this network alone; one that only imports torch has {empty / 1e6:.0f} MB.
- Energy: the median time × {WATTS:g} W, an assumption (the rated power of a laptop's processor): a scale, not a
  measurement, unless its column says "counted", which is by the processor's own counter.

{rows}

## MONAI around a network

What it takes to have a network called by MONAI's bundle runner or an inferer, and not by oneself: the smallest bundle,
one image in memory, all ways in turn in one process with {networks_monai.THREADS} threads; "on top" is the median of
the calls' differences, with the least and the largest. Transforms, reading and saving would come on top of that. MONAI
is installed beside the product and is no part of it.

{monai}
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--write", action="store_true", help="write the page")
    kind.add_argument("--quick", action="store_true", help="one round: does the script work?")
    kind.add_argument("--alone", metavar="NETWORK", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(THREADS)
    if given.alone is not None:
        print(alone(given.alone))
        return 0
    load, rounds = os.getloadavg()[0], 1 if given.quick else ROUNDS
    text = page(measure(rounds), networks_monai.section(rounds), peak(""), rounds, load)
    print(text)
    if given.write:
        PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
