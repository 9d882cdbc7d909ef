# SPDX-License-Identifier: Apache-2.0
"""What the exact network and its contributions take on a GPU, beside preset ``paper`` and a U-Net on the same GPU.

``python -P benchmarks/gpu.py --record FILE`` measures on a machine with a GPU and keeps the figures;
``make bench-gpu`` prints the page of the kept ones, with ``BENCH_FLAGS=--write`` it goes to
``docs/reference/benchmarks-gpu.md``. Ends with 3 where a limit is broken.

Rules of this module:

- All rows in turn, round after round in one process, each called once unmeasured before its measured calls. A call
  ends when the GPU is idle.
- Inputs and outputs lie on the GPU, except in the row that says so.
- The float rows run as torch runs them by default: TensorFloat-32 in convolutions, cuDNN free to choose, nothing
  deterministic. Everything is measured called operation by operation and, where it says so, as one recorded graph.
- No row is timed before the exact ones gave the compiled engine's integers for every image; and again afterwards.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.networks import BASELINES
from radiomicnet_md.engine import contributions, program, release, segment
from radiomicnet_md.engine.gpu_engine import GpuEngine, GpuHead
from radiomicnet_md.engine.program import Conv, Gate, Up
from radiomicnet_md_validation import recorded

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "benchmarks-gpu.md"
KEPT = ROOT / "benchmarks" / "recorded" / "gpu.json"
SIDE = 192
BATCHES = {1: (60, 5), 64: (12, 3)}  # images: rounds, measured calls of a row a round

GRAPH, EAGER, HOST = "exact, as one graph", "exact, operation by operation", "exact, from the host to the host"
PAPER, PAPER_GRAPH = "`paper`", "`paper`, as one graph"
UNET, UNET_GRAPH = "U-Net", "U-Net, as one graph"
EMPTY = "as many empty kernels, as one graph"
BANDWIDTH = 4.3e12  # bytes a second, read and written, of an H200 as a copy was measured
LIMITS = ((GRAPH, PAPER, 0.1), (GRAPH, None, 0.885))  # ratio to a row; milliseconds

Call = Callable[[], object]


# ----------------------------------------------------------------------------------------------- the rows


class Exact:
    """The release's network and contributions for some images, held on the GPU."""

    def __init__(self, images: int) -> None:
        """Draw images, values and codes of maps; no time depends on what they show."""
        self.engine = segment.Engine.load(release.open_release(release.default_folder()))
        random, head = np.random.default_rng(0), self.engine.head
        levels = random.integers(0, 256, (images, SIDE, SIDE), dtype=np.uint8)
        self.values = random.normal(size=(images, 13))
        self.canvases = np.stack([self.engine.preprocessing.views(one) for one in levels])  # (images, views, 2, …)
        self.codes = random.integers(
            0, head.phi.shape[1], (images, len(head.phi), SIDE // 2, SIDE // 2), dtype=np.uint8
        )
        self._network = GpuEngine(self.engine.program, self.engine.tensors, self.engine.spatial)
        self._head = GpuHead(head)
        self._held = [tensor.cuda() for tensor in self._given()]
        self.graph = captured(self.call)
        self._sent = [tensor.pin_memory() for tensor in self._given()]
        self._back = [torch.empty(part.shape, dtype=part.dtype, pin_memory=True) for part in self.graph.result]

    def _given(self) -> list[Tensor]:
        """Canvases, codes, and the factors of each gate for each view."""
        views = self.canvases.shape[1]
        many = [self.engine.factors(values) for values in self.values]
        factors = [np.repeat(np.stack(one), views, 0) for one in zip(*many, strict=True)]
        return [torch.from_numpy(np.ascontiguousarray(array)) for array in (self.canvases, self.codes, *factors)]

    def call(self) -> tuple[Tensor, Tensor, Tensor]:
        """Logit, contributions and rest of every image."""
        canvases, codes, *factors = self._held
        (found,) = self._network.evaluate(canvases.flatten(0, 1).float(), [factors])
        outputs = found["output"].unflatten(0, canvases.shape[:2])
        turned = torch.cat((outputs[:, :1], outputs[:, 1:].flip(-1)), 1)  # the mirror image's answer, turned back
        return self._head.sums(turned, codes.long())

    def from_host(self) -> None:
        """The gates from the thirteen values, everything to the GPU, the graph, and its three answers back."""
        for sent, fresh in zip(self._sent, self._given(), strict=True):
            sent.copy_(fresh)
        for held, sent in zip(self._held, self._sent, strict=True):
            held.copy_(sent, non_blocking=True)
        self.graph.replay()
        for back, part in zip(self._back, self.graph.result, strict=True):
            back.copy_(part, non_blocking=True)

    def wrong(self) -> int:
        """How many images the graph does not answer as the compiled engine and its loop do."""
        self.graph.replay()
        answers, wrong = [part.cpu().numpy() for part in self.graph.result], 0
        for i, canvases in enumerate(self.canvases):
            raw = self.engine.network.run(canvases, self.engine.factors(self.values[i]))["output"].copy()
            raw[1:] = raw[1:, ..., ::-1].copy()
            evidence = contributions.attribute(self.engine.head, raw, self.codes[i])
            parts = evidence.logit, evidence.contributions, evidence.rest
            wrong += any(not np.array_equal(ours[i], part) for ours, part in zip(answers, parts, strict=True))
        return wrong


@dataclass(frozen=True, slots=True)
class Graph:
    """A call as the GPU keeps it, and where its answers stand."""

    replay: Call
    result: Any


def captured(call: Call) -> Graph:
    """Record what a call asks of the GPU."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = call()
    return Graph(graph.replay, result)


def kernels(call: Call) -> int:
    """How many kernels a call starts."""
    call()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as seen:
        call()
        torch.cuda.synchronize()
    return sum(event.device_type == torch.autograd.DeviceType.CUDA for event in seen.events())


def empty(count: int) -> Graph:
    """A graph of so many kernels, one after the other, that do nothing worth naming."""
    one = torch.zeros(1, device="cuda")

    def call() -> None:
        for _ in range(count):
            one.add_(1)

    return captured(call)


def network(build: Callable[[], nn.Module], images: int) -> Call:
    """A float network of the comparison on made-up images."""
    torch.manual_seed(0)
    made = build().eval().cuda().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.rand(images, 2, SIDE, SIDE, device="cuda").to(memory_format=torch.channels_last)
    values = torch.randn(images, 13, device="cuda")
    codes = torch.randint(0, 64, (images, 32, SIDE // 2, SIDE // 2), dtype=torch.uint8, device="cuda")
    return partial(made, image, values, codes)


def paper() -> nn.Module:
    """The network of the paper."""
    from radiomicnet_md.model.paper.gate import GateKind
    from radiomicnet_md.model.paper.network import RadiomicNet

    return RadiomicNet(gates=GateKind.FULL)


@contextmanager
def usual() -> Iterator[None]:
    """Torch as the float networks run on it: its defaults, and cuDNN may try its algorithms."""
    matmul, before = torch.backends.cuda.matmul, torch.backends.cuda.matmul.fp32_precision
    torch.use_deterministic_algorithms(mode=False)
    torch.backends.cudnn.benchmark, matmul.fp32_precision = True, "none"
    yield
    torch.backends.cudnn.benchmark, matmul.fp32_precision = False, before
    torch.use_deterministic_algorithms(mode=True)


# ------------------------------------------------------------------------------------------ measurements


def measure(images: int) -> dict[str, Any]:
    """Milliseconds of every row, and what else is worth knowing of a batch."""
    exact = Exact(images)
    count, before = kernels(exact.call), exact.wrong()
    plain = {PAPER: network(paper, images), UNET: network(BASELINES["unet"].build, images)}
    with usual():
        graphs = {PAPER_GRAPH: captured(plain[PAPER]), UNET_GRAPH: captured(plain[UNET])}
    ours = {GRAPH: exact.graph.replay, EAGER: exact.call, HOST: exact.from_host, EMPTY: empty(count).replay}
    rounds, calls = BATCHES[images]
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, call in ours.items():
            times.setdefault(name, []).extend(timed(call, calls))
        with usual():
            for name, call in {**plain, **{name: graph.replay for name, graph in graphs.items()}}.items():
                times.setdefault(name, []).extend(timed(call, calls))
    return {"times": times, "kernels": count, "wrong": before + exact.wrong(), "bytes": moved(exact)}


def timed(call: Call, calls: int) -> Iterator[float]:
    """Milliseconds of each call until the GPU is idle, after one that is not measured."""
    call()
    for _ in range(calls):
        torch.cuda.synchronize()
        started = time.perf_counter()
        call()
        torch.cuda.synchronize()
        yield 1e3 * (time.perf_counter() - started)


def moved(exact: Exact) -> int:
    """Bytes that operations read and write as float32: each input once, each output once, a convolution's sums too."""
    sizes, total = {"image": (exact.canvases.shape[2], SIDE)}, 0
    for operation in exact.engine.program:
        read = [sizes[name] for name in program.inputs(operation)]
        channels, side = read[0]
        match operation:
            case Conv(target=target, stride=stride):
                channels, side = len(exact.engine.tensors[f"{target}.bias"]), side // stride
                read += [(channels, side)] * 2  # the sums, written and read again
            case Up():
                side *= 2
            case Gate(source=source):
                channels, side = sizes[source]
        sizes[operation.target] = channels, side
        total += sum(c * s * s for c, s in (*read, (channels, side)))
    return 4 * total * exact.canvases.shape[0] * exact.canvases.shape[1]


def record(path: Path) -> None:
    """Measure here and keep the figures."""
    found: dict[str, Any] = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "machine": recorded.machine()}
    with torch.inference_mode():
        for images in BATCHES:
            one = measure(images)
            one["rows"] = {name: figures(times) for name, times in one.pop("times").items()}
            found[str(images)] = one
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def figures(times: list[float]) -> dict[str, float]:
    """What is kept of a row's times, milliseconds."""
    return {
        "median": round(statistics.median(times), 4),
        "p95": round(statistics.quantiles(times, n=20)[-1], 4),
        "least": round(min(times), 4),
        "calls": len(times),
    }


# ----------------------------------------------------------------------------------------------- the page


def limits(rows: dict[str, dict[str, float]]) -> Iterator[tuple[str, float, float]]:
    """Each promise for one image: what, measured, limit."""
    for row, beside, limit in LIMITS:
        value = rows[row]["median"] / (rows[beside]["median"] if beside else 1)
        yield f"{row} : {beside}" if beside else f"{row}, ms", value, limit


def table(one: dict[str, Any], images: int) -> Iterator[str]:
    """The rows of a batch."""
    yield f"| {images} image{'s' * (images > 1)} | median ms | p95 | least | images a second |"
    yield "|---|---:|---:|---:|---:|"
    for name, row in one["rows"].items():
        rate = "" if name == EMPTY else f"{1e3 * images / row['median']:,.0f}"
        yield f"| {name} | {row['median']:.3f} | {row['p95']:.3f} | {row['least']:.3f} | {rate} |"


def page(kept: dict[str, Any]) -> str:
    """The page of kept figures with its conditions."""
    single, (first, last) = kept["1"], sorted(map(int, BATCHES))
    promised = [
        f"| {what} | {value:.3f} | {limit:g} | {'BROKEN' if value > limit else ''} |"
        for what, value, limit in limits(single["rows"])
    ]
    count, empty_ms = single["kernels"], single["rows"][EMPTY]["median"]
    megabytes, moving_ms = single["bytes"] / 1e6, 1e3 * single["bytes"] / BANDWIDTH
    rows = ["\n".join(table(kept[str(images)], images)) for images in (first, last)]
    promises = "\n".join(["| promise | measured | limit | |", "|---|---:|---:|---|", *promised])
    wrong = sum(kept[str(images)]["wrong"] for images in BATCHES)
    return f"""# The exact network on a GPU

Recorded on {kept["date"]} by `python -P benchmarks/gpu.py --record`, not on the machine that the other pages are from:
{recorded.described(kept["machine"])}.

- Images on the grid of {SIDE} × {SIDE}; no row's time depends on what they show. The exact rows compute every view that
  the release asks for (the image and its mirror image), and each name's contribution to each pixel as 64-bit integers,
  as a record holds them. `paper` and the U-Net: float32 as torch runs it by default (TensorFloat-32 in convolutions),
  cuDNN's algorithms tried first, one view, random weights.
- All rows in turn in one process; wall clock until the GPU is idle. *As one graph*: recorded once, then replayed.
  *From the host to the host*: gates from the thirteen values on the processor, inputs to the GPU, all three arrays of
  answers back. All other rows have inputs and outputs on the GPU.
- Before and after the measurements every image's logit, contributions and rest were compared with the compiled
  engine's: {wrong} of {2 * sum(BATCHES)} comparisons differed.
- The floor of one image: {count} kernels, one after the other; as many that do nothing take {empty_ms:.2f} ms.
  141 of them (as torch's profiler counts) only fill memory that is written next: torch's deterministic mode asks for
  it. {megabytes:.0f} MB read and written take {moving_ms:.2f} ms at {BANDWIDTH / 1e12:g} TB/s, less out of the cache.

{promises}

{rows[0]}

{rows[1]}
"""


def main() -> int:
    """Measure and keep, or print what was kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--write", action="store_true", help="write the page")
    kind.add_argument("--record", type=Path, metavar="FILE", help="measure on this machine and keep the figures")
    given = parser.parse_args()
    if given.record:
        record(given.record)
        return 0
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    text = page(kept)
    print(text)
    if given.write:
        PAGE.write_text(text, encoding="utf-8")
    return 3 if any(value > limit for _, value, limit in limits(kept["1"]["rows"])) else 0


if __name__ == "__main__":
    raise SystemExit(main())
