# SPDX-License-Identifier: Apache-2.0
"""Another program's voxel-based maps, in a process of its own that says how long they took.

``python -P benchmarks/radiomics_peers.py NAME`` answers each line of JSON on its input by one on its output;
:class:`Worker` starts it and asks.

Rules of this module:

- A peer never enters the product's environment: it lies in :data:`FOLDER`, which only this process searches, and is
  optional. PyRadiomics is a dependency of the product and taken from there.
- The clock runs in the peer's process from the prepared image to its maps; reading, binning (where the peer does it
  apart) and sending are outside.
- ``-P`` keeps this folder out of the search: it holds a ``radiomics.py``, and PyRadiomics' package has that name.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(sys.prefix) / "peers"  # filled by `make bench-radiomics`
PYRADIOMICS, FLASH, PYTORCH = "pyradiomics", "flash-radiomics", "pytorchradiomics"
BATCH = 1000  # voxels at once: PyRadiomics' best setting
DEFAULT_BATCH = -1  # all at once: PyRadiomics' own default
NOT_INSTALLED = "not installed"

Maps = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request took; ``problem`` says why there is none."""

    wall: float = float("nan")  # seconds
    processor: float = float("nan")  # seconds of all its threads
    peak: int = 0  # bytes, largest resident set of the process so far
    maps: Path | None = None
    problem: str = ""


class Worker:
    """A peer's process, started at once and idle between requests."""

    def __init__(self, peer: str, folder: Path) -> None:
        """Start ``peer``; its maps go to ``folder``."""
        self.peer = peer
        self._folder = folder
        self._asked = 0
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, peer],
            env={**os.environ, "PYTHONPATH": str(FOLDER)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started = self._read()
        self.version = str(started.get("version", ""))
        self.idle_peak = int(started.get("peak", 0))
        self.problem = str(started.get("problem", ""))

    def ask(self, image: Path, names: Iterable[str], *, radius: int, bin_count: int, batch: int = BATCH) -> Answer:
        """The maps called ``names`` of the image in a file, unmasked, all voxels."""
        if self.problem:
            return Answer(problem=self.problem)
        self._asked += 1
        maps = self._folder / f"{self.peer}-{self._process.pid}-{self._asked}.npz"
        request = {
            "image": str(image), "names": list(names), "radius": radius, "bin_count": bin_count, "batch": batch,
            "maps": str(maps),
        }  # fmt: skip
        if self._process.stdin is None:
            raise SystemExit("a worker has an input")
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        got = self._read()
        if "problem" in got:
            return Answer(problem=str(got["problem"]))
        return Answer(got["wall"], got["processor"], got["peak"], maps)

    def stop(self) -> None:
        """End the process."""
        self._process.communicate()

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            self.problem = f"its process ended with {self._process.wait()}"
            return {"problem": self.problem}
        answer: dict[str, Any] = json.loads(line)
        return answer


def peak_bytes() -> int:
    """Largest resident set of this process since it began its program.

    Not ``ru_maxrss``: after ``exec`` Linux keeps in it what the parent had.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("/proc/self/status has no VmHWM")


# ------------------------------------------------------------------------------------- the peer's process


def _pair(image: NDArray[np.float64]) -> tuple[Any, Any]:
    import SimpleITK

    volume = image[(None,) * (3 - image.ndim)]
    return SimpleITK.GetImageFromArray(volume), SimpleITK.GetImageFromArray(np.ones(volume.shape, dtype=np.uint8))


def _settings(ask: Mapping[str, Any], image: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "maskedKernel": False,
        "kernelRadius": ask["radius"],
        "binCount": ask["bin_count"],
        "force2D": image.ndim == len("xy"),
        "force2Ddimension": 0,
        "distances": [1],
    }


def _grouped(names: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        prefix, _, feature = name.partition("_")
        groups.setdefault(prefix, []).append(feature)
    return groups


def _array(result: object, shape: tuple[int, ...]) -> NDArray[np.float64]:
    import SimpleITK

    return np.asarray(SimpleITK.GetArrayFromImage(result), dtype=np.float64).reshape(shape)


def _timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - processor


Peer = Callable[[Mapping[str, Any]], tuple[Maps, float, float]]


def _by_class(classes: Mapping[str, Any], **own: object) -> Peer:
    """PyRadiomics' way: one object a class of features; it bins when it is made, and measures when executed."""

    def measure(ask: Mapping[str, Any]) -> tuple[Maps, float, float]:
        image = np.load(ask["image"])
        pair, settings = _pair(image), _settings(ask, image) | {"voxelBased": True, "voxelBatch": ask["batch"]} | own
        found, wall, processor = {}, 0.0, 0.0
        for prefix, features in _grouped(ask["names"]).items():
            extractor = classes[prefix](*pair, **settings)
            for feature in features:
                extractor.enableFeatureByName(feature)
            result, took, worked = _timed(extractor.execute)
            wall, processor = wall + took, processor + worked
            found |= {f"{prefix}_{name}": _array(values, image.shape) for name, values in result.items()}
        return found, wall, processor

    return measure


def _pyradiomics() -> Peer:
    from radiomics import firstorder, glcm, gldm, glrlm, glszm, ngtdm

    return _by_class({
        "firstorder": firstorder.RadiomicsFirstOrder,
        "glcm": glcm.RadiomicsGLCM,
        "glrlm": glrlm.RadiomicsGLRLM,
        "glszm": glszm.RadiomicsGLSZM,
        "gldm": gldm.RadiomicsGLDM,
        "ngtdm": ngtdm.RadiomicsNGTDM,
    })  # fmt: skip


def _pytorchradiomics() -> Peer:
    import torch
    import torchradiomics

    parts = {"firstorder": "FirstOrder"} | {name: name.upper() for name in ("glcm", "glrlm", "glszm", "gldm", "ngtdm")}
    classes = {prefix: getattr(torchradiomics, f"TorchRadiomics{part}") for prefix, part in parts.items()}
    return _by_class(classes, device="cpu", dtype=torch.float64)


def _flash() -> Peer:
    import flash_radiomics

    flash_radiomics.setVerbosity(60)

    def measure(ask: Mapping[str, Any]) -> tuple[Maps, float, float]:
        image = np.load(ask["image"])
        pair = _pair(image)
        extractor = flash_radiomics.RadiomicsFeatureExtractor(
            backend="cpu", additionalInfo=False, **_settings(ask, image)
        )
        extractor.enabledFeatures = _grouped(ask["names"])
        # Not `execute`, which also writes every map into an HDF5 file.
        result, wall, processor = _timed(
            lambda: extractor.computeVoxelFeatures(*pair, "original", **extractor.settings)
        )
        maps = {name.removeprefix("original_"): _array(values, image.shape) for name, values in result.items()}
        return maps, wall, processor

    return measure


PEERS = {PYRADIOMICS: _pyradiomics, FLASH: _flash, PYTORCH: _pytorchradiomics}


def serve(peer: str) -> None:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a peer prints is no answer
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")

    def say(**answer: object) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    try:
        measure = PEERS[peer]()
    except ImportError:
        say(problem=NOT_INSTALLED)
        return
    logging.disable(logging.CRITICAL)
    say(version=importlib.metadata.version(peer), peak=peak_bytes())
    for line in sys.stdin:
        ask = json.loads(line)
        try:
            maps, wall, processor = measure(ask)
        except Exception as problem:  # noqa: BLE001 - whatever a peer raises stands in the table
            say(problem=f"{type(problem).__name__}: {problem}"[:80].replace("\n", " "))
            continue
        np.savez(ask["maps"], **maps)  # type: ignore[arg-type]
        say(wall=wall, processor=processor, peak=peak_bytes())


if __name__ == "__main__":
    serve(sys.argv[1])
