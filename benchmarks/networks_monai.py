# SPDX-License-Identifier: Apache-2.0
"""What MONAI's bundle runner and its inferers take beside calling the same network on the same image.

Part of ``benchmarks/networks_cost.py``; ``python -P benchmarks/networks_monai.py ROUNDS`` is the process that it asks.

Rules of this module:

- MONAI never enters the product's environment: it lies in the folder of the peers, which only this process searches.
- The bundle is the smallest that its specification allows: a network, one image in memory, a loader, an inferer, an
  evaluator and the expression that runs it. Reading, transforms, post-processing and saving are what an application
  adds, and are not counted; nor is the first run.
- All ways in turn, round after round, each called once unmeasured before its measured calls.
- What a program takes from nothing is measured apart: ``python -m monai.bundle run`` beside one that builds the network
  and calls it.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.networks import BASELINES

FOLDER = Path(sys.prefix) / "peers"  # filled by `make bench-networks`
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(FOLDER), "PYTHONWARNINGS": "ignore"}
Times = Mapping[str, Sequence[float]]  # seconds of each way; the first is what the others are held against

SIDE, THREADS, CALLS, STARTS = 192, 2, 3, 3
NETWORKS = ("cmunext", "unet")  # a small one and the large one
PLAIN_PROGRAM = """
import torch
from benchmarks import networks_monai as ours
torch.set_num_threads(ours.THREADS)
with torch.inference_mode():
    ours.network({name!r})(ours.image())
"""


class OneImage(nn.Module):
    """A baseline as MONAI calls a network: one tensor in, one out."""

    def __init__(self, name: str) -> None:
        """Build it with random weights."""
        super().__init__()
        self.inner = BASELINES[name].build()

    def forward(self, image: Tensor) -> Tensor:
        """(B, 2, H, W) to (B, 1, H, W); baselines read neither values nor codes."""
        evidence: Tensor = self.inner(image, image, image).evidence
        return evidence


def network(name: str) -> nn.Module:
    """As it is costed elsewhere: float32, channels last."""
    torch.manual_seed(0)
    return OneImage(name).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def image() -> Tensor:
    """A made-up one; no network's cost depends on what it shows."""
    return torch.rand(1, 2, SIDE, SIDE).to(memory_format=torch.channels_last)


def bundle(folder: Path, name: str) -> Path:
    """Write a bundle's configuration for one network and one image; return its path."""
    parts: dict[str, Any] = {
        "imports": ["$import torch", "$import benchmarks.networks_monai as ours"],
        "network": f"$ours.network({name!r})",
        "dataset": {"_target_": "Dataset", "data": "$[{'image': ours.image()[0]}]"},
        "loader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": {"_target_": "SimpleInferer"},
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "$torch.device('cpu')",
            "val_data_loader": "@loader",
            "network": "@network",
            "inferer": "@inferer",
        },
        "initialize": ["$torch.set_num_threads(ours.THREADS)"],
        "run": ["$@evaluator.run()"],
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(parts), encoding="utf-8")
    (folder / "metadata.json").write_text(json.dumps({"version": "0", "monai_version": "1.6.1"}), encoding="utf-8")
    return path


# ----------------------------------------------------------------------------------------------- the page


def section(rounds: int) -> str:
    """The table, or why there is none."""
    command = [sys.executable, "-P", __file__, str(rounds)]
    done = subprocess.run(command, env=ENVIRONMENT, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{Path(__file__).name} ended with {done.returncode}")
    said = json.loads(done.stdout)
    return str(said["problem"]) if "problem" in said else table(said["versions"], said["calls"], said["programs"])


def table(versions: str, calls: Mapping[str, Times], programs: Times) -> str:
    """A row for each way: milliseconds, and what comes on top of the first way; whole programs of the first network."""
    heads = [f"{BASELINES[name].title}, ms | on top, ms" for name in calls]
    lines = [f"| {versions} | {' | '.join(heads)} |", f"|---|{'---:|' * 2 * len(heads)}"]
    lines += [
        f"| {way} | {' | '.join(_cells(times, way) for times in calls.values())} |"
        for way in next(iter(calls.values()))
    ]
    rest = " |  |  |" * (len(calls) - 1)
    lines += [f"| {way} | {_cells(programs, way)} |{rest.removeprefix(' |')}" for way in programs]
    return "\n".join(lines)


def _cells(times: Times, way: str) -> str:
    plain = next(iter(times))
    median = f"{1e3 * statistics.median(times[way]):.1f}"
    if way == plain:
        return f"{median} | "
    added = [1e3 * (one - other) for one, other in zip(times[way], times[plain], strict=True)]
    return f"{median} | {statistics.median(added):.2f} ({min(added):.2f} to {max(added):.2f})"


# ------------------------------------------------------------------------------------- MONAI's process


def ways(folder: Path, name: str) -> dict[str, Callable[[], object]]:
    """The same network called alone and by what is measured; the bundle's runs are counted, so that none is skipped."""
    from monai.bundle import ConfigWorkflow  # type: ignore[import-not-found]
    from monai.inferers import SimpleInferer, SlidingWindowInferer  # type: ignore[import-not-found]

    workflow = ConfigWorkflow(config_file=str(bundle(folder, name)), workflow_type="infer")
    workflow.initialize()
    subject, given = workflow.parser.get_parsed_content("network"), image()
    simple, sliding = SimpleInferer(), SlidingWindowInferer((SIDE, SIDE))
    seen: list[object] = []
    subject.register_forward_hook(lambda *_: seen.append(1))

    def run() -> None:
        before = len(seen)
        workflow.run()
        if len(seen) != before + 1:
            raise RuntimeError(len(seen) - before)

    return {
        "the network called": lambda: subject(given),
        "`SimpleInferer`": lambda: simple(given, subject),
        "`SlidingWindowInferer`, one window": lambda: sliding(given, subject),
        "`ConfigWorkflow.run`, initialised before": run,
    }


def timed(call: Callable[[], object], calls: int) -> list[float]:
    """Seconds of each call."""
    times = []
    with torch.inference_mode():
        for _ in range(calls):
            started = time.perf_counter()
            call()
            times.append(time.perf_counter() - started)
    return times


def programs(config: Path, name: str) -> dict[str, list[float]]:
    """Seconds of whole programs, in turn."""
    commands = {
        "a program that calls it, from nothing": ["-c", PLAIN_PROGRAM.format(name=name)],
        "`python -m monai.bundle run`, from nothing": ["-m", "monai.bundle", "run", "--config_file", str(config)],
    }
    times: dict[str, list[float]] = {way: [] for way in commands}
    for _ in range(STARTS):
        for way, words in commands.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-P", *words], check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
            times[way].append(time.perf_counter() - started)
    return times


def measure(rounds: int) -> dict[str, object]:
    """Seconds of calls by network and way, and of whole programs."""
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as place:
        subjects = {name: ways(Path(place), name) for name in NETWORKS}
        seconds: dict[str, dict[str, list[float]]] = {
            name: {way: [] for way in calls} for name, calls in subjects.items()
        }
        for _ in range(rounds):
            for name, calls in subjects.items():
                for way, call in calls.items():
                    seconds[name][way] += timed(call, 1 + CALLS)[1:]
        return {"calls": seconds, "programs": programs(Path(place, f"{NETWORKS[0]}.json"), NETWORKS[0])}


def main() -> None:
    """Say as JSON what was measured, or that MONAI is not there."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what MONAI prints is no answer
    try:
        names = ("monai", "pytorch-ignite")
        versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    except importlib.metadata.PackageNotFoundError as problem:
        said: dict[str, object] = {"problem": f"{problem.name} is not installed."}
    else:
        said = {"versions": versions, **measure(int(sys.argv[1]))}
    print(json.dumps(said), file=answers, flush=True)


if __name__ == "__main__":
    main()
