# SPDX-License-Identifier: Apache-2.0
"""From a candidate to the files of a release: folded, quantised, every bound proven, its known answers given.

Rules of this module:

- The same candidate gives the same bytes; what a release says of its date and its signer stands in the manifest alone.
  Scales are measured on one thread, for a float sum over threads may differ in its last bit.
- Nothing is written before the engine that was made of the files has passed its own known-answer test.
- What is installed here is what the lock names, for the known answers are given by it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save
from torch import Tensor

from radiomicnet_md import __version__
from radiomicnet_md.decision import LOGIT_BITS
from radiomicnet_md.engine import gating, installation, lock, program, runners, segment, tables
from radiomicnet_md.engine import release as releases
from radiomicnet_md.engine.candidate import GOLDEN, Arrays, Candidate, as_json, npy
from radiomicnet_md.engine.measure import Preprocessing
from radiomicnet_md.engine.release import Release
from radiomicnet_md.engine.starting import started
from radiomicnet_md.errors import ConfigurationError, IntegrityError
from radiomicnet_md.model.network import PixelNetwork
from radiomicnet_md.radiomics.definitions import NAMED, PAPER
from radiomicnet_md_audit import sign

BATCH = 8  # calibration images at a time
_NUMBERS = NDArray[np.float64]


def build(candidate: Candidate, out: Path, key: sign.SigningKey, runner: str = runners.COMPILED) -> Release:
    """Write and sign ``out/<version>``, and the key's public half as ``out/release_key.pem``; returns it as read back.

    Raises :class:`IntegrityError` (``E-BOUND``) where a layer's sums could leave the exact range,
    :class:`NotQualifiedError` where other versions are installed than the lock names, and
    :class:`ConfigurationError` where the folder is taken.
    """
    folder, public = out / candidate.version, out / releases.PINNED_KEY.name
    taken = folder.exists() or (public.exists() and public.read_bytes() != key.public.to_pem())
    if taken:
        raise ConfigurationError(
            "E-RELEASE-EXISTS",
            f"There is already a release {candidate.version} here, or one signed with another key.",
            remedy="Name another folder with --out; a release is never overwritten.",
        )
    releases.version_key(candidate.version)
    content = files(candidate, runner)
    locked = candidate.passed_on[installation.LOCK]
    header = {
        "id": candidate.id,
        "version": candidate.version,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "arithmetic": segment.ARITHMETIC,
        installation.CODE_VERSION: __version__,
        "lock_sha256": hashlib.sha256(locked).hexdigest(),
    }
    releases.write(folder, content, header, key)
    public.write_bytes(key.public.to_pem())
    return releases.open_release(folder, keys={key.public.keyid: key.public})


def files(candidate: Candidate, runner: str = runners.COMPILED) -> dict[str, bytes]:
    """Every file of the release, by name."""
    installation.refuse_other_versions(candidate.passed_on)
    network = _network(candidate)
    inputs = batches(candidate.calibration)
    deciding = decides(network, inputs, candidate.measured, candidate.preprocessing, candidate.region, runner)
    content = {**candidate.passed_on, **deciding}
    answers = segment.Engine(content).answers(candidate.golden)
    content |= {f"{GOLDEN}/{name}.npy": npy(array) for name, array in candidate.golden.items()}
    content[segment.ANSWERS] = as_json(answers)
    started(Release(Path(), {}, "", "", content))
    return content


def largest_sum(release: Release) -> int:
    """The largest sum that any layer of a release can reach, as it was proven."""
    return int(max(json.loads(release.files[segment.TABLES])["largest_sums"].values()))


def decides(  # noqa: PLR0913 - a network, what was measured for it, and who runs it
    network: PixelNetwork,
    batches: Iterable[tuple[Tensor, Tensor]],
    measured: Mapping[str, _NUMBERS],
    preprocessing: Preprocessing,
    region: Mapping[str, Any],
    runner: str = runners.COMPILED,
) -> dict[str, bytes]:
    """The files that come out of a trained network: weights and tables; ``runner`` names the engine of the device.

    ``batches`` are calibration inputs (image (B, 2, H, W) in 0 … 1, values (B, 13)); ``measured`` holds
    ``thresholds``, ``mean`` and ``deviation``. Raises :class:`IntegrityError` where a bound cannot be proven.
    """
    locked = _locked(network, batches)
    if not all(np.isfinite(array).all() for array in locked.tensors.values()):
        raise IntegrityError(
            "E-LOCK-VALUE",
            "A multiplier of the locked network is no finite number.",
            remedy="Train again: no such network may run.",
        )
    head = network.head
    views = 2 if preprocessing.mirrored else 1
    phi = np.rint(head.tables().detach().double().numpy() * 2**program.TABLE_BITS).astype(int)
    content = {
        "engine": runner,
        "program": program.to_json(locked.operations),
        "largest_sums": locked.sums,
        "thresholds": [[t.hex() for t in row] for row in measured["thresholds"].tolist()],
        "values": {name: [v.hex() for v in measured[name].tolist()] for name in ("mean", "deviation")},
        "spatial": tables.spatial().tolist(),
        "channel": tables.channel(gating.SIGMOID_BITS).tolist(),
        "head": {
            "phi": phi.tolist(),
            "gate": tables.gate(views).tolist(),
            "rest": tables.rest(head.rho, views).tolist(),
            "bias": round(head.bias.item() * 2**LOGIT_BITS),
            "rho": round(head.rho * 2**LOGIT_BITS),
        },
        "region": region,
    }
    weights = {name: np.ascontiguousarray(locked.tensors[name]) for name in sorted(locked.tensors)}
    return {segment.WEIGHTS: save(weights), segment.TABLES: as_json(content)}


def _locked(network: PixelNetwork, batches: Iterable[tuple[Tensor, Tensor]]) -> lock.Locked:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return lock.lock(network, batches)
    finally:
        torch.set_num_threads(threads)


def _network(candidate: Candidate) -> PixelNetwork:
    """The float network with the candidate's parameters."""
    network = PixelNetwork(len(PAPER), len(NAMED), len(candidate.preprocessing.scales), candidate.rho)
    try:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in candidate.network.items()})
    except RuntimeError as error:
        raise ConfigurationError(
            "E-CANDIDATE-NETWORK",
            "The candidate's weights are not those of the network that can be locked.",
            remedy="Only preset `locked` can be locked: train with training/recipes/locked.yaml.",
        ) from error
    return network.eval()


def batches(calibration: Arrays) -> list[tuple[Tensor, Tensor]]:
    """A candidate's calibration ``images`` and ``values`` as :func:`decides` takes them."""
    images, values = calibration["images"], calibration["values"]
    return [
        (
            torch.from_numpy(images[start : start + BATCH]).float() / 255,  # (B, 2, GRID, GRID)
            torch.from_numpy(values[start : start + BATCH]).float(),  # (B, 13)
        )
        for start in range(0, len(images), BATCH)
    ]
