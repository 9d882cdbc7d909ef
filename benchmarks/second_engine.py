# SPDX-License-Identifier: Apache-2.0
"""What exact integers cost: one network in float32 and in integers, by our loops, by torch and by OpenVINO.

``make bench-engine`` or ``python -P benchmarks/second_engine.py`` prints the page; ``--write`` also puts it into
``docs/reference/benchmarks-engine.md``; ``--quick`` only tries the script. The machine should be idle. Ends with 3
where a limit is broken.

Rules of this module:

- All rows in turn, round after round in one process, each called once unmeasured before its measured calls.
- One set of weights: the integers are locked from the very network that the float rows run.
- Every row goes from canvases and thirteen values to the decoder's seventeen channels, channel factors included.
- No row is timed before the exact ones have given the same integers.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from radiomicnet_md.engine import gating, openvino_engine, tables
from radiomicnet_md.engine.compiled_engine import CompiledEngine
from radiomicnet_md.engine.lock import lock
from radiomicnet_md.engine.program import Gate
from radiomicnet_md.engine.runner import Codes, Runner
from radiomicnet_md.engine.torch_engine import TorchEngine
from radiomicnet_md.model.blocks import ConvNorm
from radiomicnet_md.model.network import PixelNetwork
from radiomicnet_md.radiomics.definitions import NAMED, PAPER

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "benchmarks-engine.md"
SIDE = 192
THREADS = 2
ROUNDS = 40
CALLS = 3  # measured calls of a row a round, after one that is not
VIEWS = (1, 2)  # the image; and its mirror image too, as a release may ask

TRAINED = "torch, float32, as trained"
FOLDED = "torch, float32, normalisation folded"
COMPILED = "compiled loops, exact integers"
EXACT = "torch, exact integers"
OTHER = "OpenVINO, float32"
SECOND = "OpenVINO, exact integers"
LIMITS = ((COMPILED, TRAINED, 0.75), (SECOND, TRAINED, 0.35), (SECOND, OTHER, 1.3))  # row, beside, largest ratio

Calls = dict[str, Callable[[], object]]
Times = dict[str, list[float]]


class Decoder(nn.Module):
    """The part of the pixel layer that an engine runs: canvases and values to the head's codes, before its tables."""

    def __init__(self, network: PixelNetwork) -> None:
        """Take over the parts of a network."""
        super().__init__()
        self.stream, self.trunk, self.gate = network.stream, network.trunk, network.head.gate

    def forward(self, image: Tensor, values: Tensor) -> Tensor:
        """(B, 2, H, W) and (1, 13) to (B, 17, H/2, W/2)."""
        result: Tensor = self.gate(self.trunk(image, self.stream(values)))
        return result


@dataclass(frozen=True, slots=True)
class Ratio:
    """One promise: a row's time beside another's."""

    row: str
    beside: str
    views: int
    medians: float
    least: float
    limit: float


# ----------------------------------------------------------------------------------------------- the rows


def network() -> PixelNetwork:
    """Random weights, and normalisation statistics as of some training."""
    torch.manual_seed(0)
    made = PixelNetwork(len(PAPER), len(NAMED), 2)
    with torch.no_grad():
        for _ in range(4):
            made.trunk(torch.rand(2, 2, SIDE, SIDE), made.stream(torch.randn(2, len(PAPER))))
    return made.eval()


def folded(module: nn.Module) -> nn.Module:
    """The same network with each normalisation inside its convolution."""
    for part in module.modules():
        if isinstance(part, ConvNorm):
            part[0], part[1] = fuse_conv_bn_eval(part[0], part[1]), nn.Identity()
    return module


def calls(views: int) -> Calls:
    """Every row, ready to be called."""
    openvino = openvino_engine.library()
    made, random = network(), np.random.default_rng(0)
    canvases = random.integers(0, 256, (views, 2, SIDE, SIDE), dtype=np.uint8)
    numbers = random.normal(size=len(PAPER))
    image = torch.from_numpy(canvases).float() / 255
    values = torch.from_numpy(numbers[None]).float()
    locked = lock(made, [(image, values)])
    count = sum(isinstance(operation, Gate) for operation in locked.operations)
    channels = gating.Gating(
        np.zeros(len(PAPER)), np.ones(len(PAPER)), locked.tensors, tables.channel(gating.SIGMOID_BITS), count
    )
    parts = locked.operations, locked.tensors, tables.spatial()
    ours, first = CompiledEngine(*parts), TorchEngine(*parts)
    second = openvino_engine.OpenVinoEngine(*parts, threads=THREADS)

    def exact(engine: Runner) -> Codes:
        return engine.run(canvases, channels.factors(channels.vector(numbers)))

    wanted = exact(ours)
    if any(not np.array_equal(wanted[name], exact(engine)[name]) for engine in (first, second) for name in wanted):
        raise SystemExit("the exact engines differ; their times mean nothing")
    converted = openvino.convert_model(Decoder(made).eval(), example_input=(image, values))
    settings = {**openvino_engine.SETTINGS, "INFERENCE_NUM_THREADS": THREADS}
    converted.reshape({converted.inputs[0]: list(image.shape), converted.inputs[1]: list(values.shape)})
    compiled = openvino.Core().compile_model(converted, "CPU", settings)
    given = [image.numpy(), values.numpy()]
    wide = image.to(memory_format=torch.channels_last)
    trained = Decoder(made).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    merged = folded(Decoder(network())).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return {
        TRAINED: lambda: trained(wide, values),
        FOLDED: lambda: merged(wide, values),
        COMPILED: lambda: exact(ours),
        EXACT: lambda: exact(first),
        OTHER: lambda: compiled.infer_new_request(given),
        SECOND: lambda: exact(second),
    }


# ------------------------------------------------------------------------------------------ measurements


def measure(rounds: int) -> dict[int, Times]:
    """Milliseconds of every row, for each number of views."""
    subjects = {views: calls(views) for views in VIEWS}
    times: dict[int, Times] = {views: {name: [] for name in rows} for views, rows in subjects.items()}
    with torch.inference_mode():
        for _ in range(rounds):
            for views, rows in subjects.items():
                for name, call in rows.items():
                    call()
                    for _ in range(CALLS):
                        started = time.perf_counter()
                        call()
                        times[views][name].append(1e3 * (time.perf_counter() - started))
    return times


def ratios(times: dict[int, Times]) -> Iterator[Ratio]:
    """Each promise for each number of views."""
    for row, beside, limit in LIMITS:
        for views, rows in times.items():
            medians = statistics.median(rows[row]) / statistics.median(rows[beside])
            yield Ratio(row, beside, views, medians, min(rows[row]) / min(rows[beside]), limit)


# ----------------------------------------------------------------------------------------------- the page


def table(times: dict[int, Times]) -> list[str]:
    """One line a row, then one a promise."""
    heads = [f"{views} view{'s' * (views > 1)}, ms, {what}" for views in times for what in ("median", "least")]
    lines = [f"| Network | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for name in next(iter(times.values())):
        cells = [f"{pick(rows[name]):.2f}" for rows in times.values() for pick in (statistics.median, min)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| Ratio | views | of medians | of least | limit | |", "|---|---:|---:|---:|---:|---|"]
    for one in ratios(times):
        broken = "BROKEN" if one.medians > one.limit else ""
        figures = f"{one.medians:.2f} | {one.least:.2f} | {one.limit:g}"
        lines.append(f"| {one.row} : {one.beside} | {one.views} | {figures} | {broken} |")
    return lines


def page(times: dict[int, Times], rounds: int, load: float) -> str:
    """The page of figures with its conditions."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "processor")
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, OpenVINO "
    versions += openvino_engine.library().__version__.partition("-")[0]
    rows = "\n".join(table(times))
    return f"""# What exact integers cost

Written by `python -P benchmarks/second_engine.py --write` on {model}, {os.cpu_count()} cores, {platform.machine()};
{versions}; no GPU used; load of the machine before the run {load:.2f}.

- One made-up image on the grid of {SIDE} × {SIDE} (no row's time depends on what it shows), {THREADS} threads,
  {rounds} rounds of {CALLS} calls of each row in turn, in one process. One set of random weights; the integers are
  locked from the network that the float rows run. Two views: the image and its mirror image, as one batch.
- From canvases and thirteen values to the decoder's seventeen channels on the half grid; no measuring, no head.
- *As trained*: with its normalisation layers, channels last. *Folded*: each normalisation inside its convolution, as
  an optimised float network would run. OpenVINO's float32 row is its own conversion of the same module, its default
  of bfloat16 overruled.
- The exact rows give the same integers; that is checked before the first measurement. A limit is a promise, on the
  ratio of the medians.

{rows}
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--write", action="store_true", help="write the page")
    kind.add_argument("--quick", action="store_true", help="two rounds: does the script work?")
    given = parser.parse_args()
    torch.set_num_threads(THREADS)
    load, rounds = os.getloadavg()[0], 2 if given.quick else ROUNDS
    times = measure(rounds)
    text = page(times, rounds, load)
    print(text)
    if given.write:
        PAGE.write_text(text, encoding="utf-8")
    return 3 if not given.quick and any(one.medians > one.limit for one in ratios(times)) else 0


if __name__ == "__main__":
    raise SystemExit(main())
