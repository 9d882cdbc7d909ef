# SPDX-License-Identifier: Apache-2.0
"""What training leaves for a release, in one folder, read whole or refused; nothing in it can run.

Rules of this module:

- Arrays are safetensors or .npy, the rest JSON; nothing is unpickled. Every file of the table below is there, and no
  other but golden inputs.
- Weights and measurements are finite, and of the sizes that the network and the preprocessing ask for.
- A candidate is not signed and decides nothing: its maker answers for it by signing the release.

| file | holds |
|---|---|
| ``candidate.json`` | ``format`` 1, ``id``, ``version``, ``rho`` (bound of the unnamed rest) |
| ``network.safetensors`` | the float network's parameters and buffers |
| ``measured.safetensors`` | ``thresholds`` (maps, 63), ``mean`` (13,) and ``deviation`` (13,) of the training part |
| ``calibration.safetensors`` | ``images`` uint8 (N, 2, GRID, GRID), standardised ``values`` (N, 13): set the scales |
| ``calibration.json`` | which cases those are, and the rule |
| ``region.json`` | intercept and terms of the region layer |
| ``preprocessing.json``, ``acceptance.json`` | as in the release |
| ``model_card.json``, ``training_record.json`` | as in the release |
| ``lock.txt`` | the dependency lock that the release binds |
| ``golden/<name>.npy`` | uint8 (rows, columns): inputs of the known-answer test, one or more |
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from radiomicnet_md.decision import GRID
from radiomicnet_md.engine import installation, measure
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.radiomics.definitions import NAMED, PAPER

FORMAT = 1
ABOUT, NETWORK, MEASURED, CALIBRATION, REGION = (
    "candidate.json",
    "network.safetensors",
    "measured.safetensors",
    "calibration.safetensors",
    "region.json",
)
PASSED_ON = (  # into the release as they are
    "acceptance.json",
    "calibration.json",
    "model_card.json",
    "preprocessing.json",
    "training_record.json",
    installation.LOCK,
)
GOLDEN = "golden"
_FILES = frozenset((ABOUT, NETWORK, MEASURED, CALIBRATION, REGION, *PASSED_ON))
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """The content of a candidate folder."""

    id: str
    version: str
    rho: float
    network: Arrays
    measured: Arrays
    calibration: Arrays
    region: Mapping[str, Any]
    passed_on: Mapping[str, bytes] = field(repr=False)
    golden: Mapping[str, NDArray[np.uint8]] = field(repr=False)

    @property
    def preprocessing(self) -> measure.Preprocessing:
        """What the release locks about measuring."""
        return measure.Preprocessing.from_json(json.loads(self.passed_on["preprocessing.json"]))


def write(folder: Path, candidate: Candidate) -> None:
    """Write a new candidate folder; ``FileExistsError`` where there is one."""
    folder.mkdir(parents=True)
    (folder / GOLDEN).mkdir()
    about = {"format": FORMAT, "id": candidate.id, "version": candidate.version, "rho": candidate.rho}
    files = {
        ABOUT: as_json(about),
        NETWORK: _saved(candidate.network),
        MEASURED: _saved(candidate.measured),
        CALIBRATION: _saved(candidate.calibration),
        REGION: as_json(candidate.region),
        **candidate.passed_on,
        **{f"{GOLDEN}/{name}.npy": npy(array) for name, array in candidate.golden.items()},
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)


def read(folder: Path) -> Candidate:
    """The candidate in ``folder``; :class:`ConfigurationError` for the first thing that is not as the table says."""
    files = _files(folder)
    try:
        about, region = json.loads(files[ABOUT]), json.loads(files[REGION])
        for name in PASSED_ON:
            if name.endswith(".json"):
                json.loads(files[name])
        if about["format"] != FORMAT:
            raise _wrong(f"has format {about['format']!r}; this version knows format {FORMAT}")
        candidate = Candidate(
            str(about["id"]),
            str(about["version"]),
            float(about["rho"]),
            load(files[NETWORK]),
            load(files[MEASURED]),
            load(files[CALIBRATION]),
            region,
            {name: files[name] for name in PASSED_ON},
            {Path(name).stem: _golden(name, data) for name, data in files.items() if name.startswith(f"{GOLDEN}/")},
        )
        card = json.loads(files["model_card.json"])
        _check(candidate, (card["name"], card["version"]))
    except (AttributeError, KeyError, SafetensorError, TypeError, ValueError) as error:
        raise _wrong(f"holds something that cannot be read ({type(error).__name__}: {error})") from error
    return candidate


def _files(folder: Path) -> dict[str, bytes]:
    """The bytes of every file, when the right ones are there and no link is among them."""
    if not folder.is_dir():
        raise _wrong("is not there, or is no folder")
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file()}
    golden = {name for name in present if name.startswith(f"{GOLDEN}/") and name.endswith(".npy")}
    if absent := sorted(_FILES - present):
        raise _wrong(f"lacks {absent[0]}")
    if more := sorted(present - _FILES - golden):
        raise _wrong(f"holds a file that has no place in it: {more[0]}")
    if not golden:
        raise _wrong("has no golden input, so nothing could ever tell that a platform computes it rightly")
    files: dict[str, bytes] = {}
    for name in sorted(present):
        try:
            handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(handle, "rb") as stream:
                files[name] = stream.read()
        except OSError as error:
            raise _wrong(f"has a file that cannot be opened, {name}: {error.strerror}") from error
    return files


def _golden(name: str, data: bytes) -> NDArray[np.uint8]:
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype != np.uint8 or array.ndim != 2:  # noqa: PLR2004 - rows and columns
        raise _wrong(f"has a golden input that is no grey image of bytes: {name}")
    return np.asarray(array)


def _check(candidate: Candidate, card: tuple[str, str]) -> None:
    """Sizes, finite numbers, and one name and version throughout."""
    if card != (candidate.id, candidate.version):
        raise _wrong("is of another name or version than its model card")
    installation.locked_versions(candidate.passed_on[installation.LOCK])
    maps, count = len(candidate.preprocessing.scales) * len(NAMED), len(candidate.calibration["images"])
    wanted: dict[str, tuple[NDArray[Any], tuple[int, ...]]] = {
        "thresholds": (candidate.measured["thresholds"], (maps, measure.OUTSIDE - 1)),
        "mean": (candidate.measured["mean"], (len(PAPER),)),
        "deviation": (candidate.measured["deviation"], (len(PAPER),)),
        "images": (candidate.calibration["images"], (max(1, count), 2, GRID, GRID)),
        "values": (candidate.calibration["values"], (max(1, count), len(PAPER))),
    }
    for name, (array, shape) in wanted.items():
        if array.shape != shape:
            raise _wrong(f"has {name} of size {array.shape}; its place is for {shape}")
    named = {name: array for name, (array, _) in wanted.items()} | dict(candidate.network)
    for name, array in named.items():
        if not np.isfinite(array).all():
            raise _wrong(f"holds a number that is none (NaN or infinite), in {name}")
    if candidate.calibration["images"].dtype != np.uint8 or not (candidate.measured["deviation"] > 0).all():
        raise _wrong("has calibration images that are no bytes, or a deviation that is not positive")


def npy(array: NDArray[np.uint8]) -> bytes:
    """An array as the bytes of a .npy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def as_json(value: Any) -> bytes:  # noqa: ANN401 - what JSON can say
    """Sorted, compact, ending in a newline; no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _saved(arrays: Arrays) -> bytes:
    return save({name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)})


def _wrong(what: str) -> ConfigurationError:
    return ConfigurationError(
        "E-CANDIDATE",
        f"The candidate {what}.",
        remedy="Name a folder as `python -m radiomicnet_md_training candidate` writes it.",
    )
