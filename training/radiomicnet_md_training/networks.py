# SPDX-License-Identifier: Apache-2.0
"""The networks that a recipe can name; baselines are added by the program that holds them.

Every network is called as ``network(image, values, codes)`` and gives an
:class:`~radiomicnet_md.model.network.Answer`, so that one loop trains all and one kernel scores all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.model.fusion import CODES, RHO
from radiomicnet_md.model.network import PixelNetwork, PlainNetwork
from radiomicnet_md.radiomics.definitions import NAMED, PAPER
from radiomicnet_md_training.prepare import Prepared

Builder = Callable[..., nn.Module]
NO_BOUND = 1000.0  # logits; ρ tanh(r / ρ) is r to within 0.002 at the largest code
SHRINKAGE = 8  # thirty-two correlated tables that each start as full evidence would count one thing many times
BASELINES: dict[str, Builder] = {}  # filled by `python -m benchmarks.networks`: name to a builder without arguments


def build(kind: str, options: dict[str, Any], prepared: Prepared) -> nn.Module:
    """A fresh network; its tables, where it has any, are centred on the training part."""
    builders: dict[str, Builder] = {"locked": _locked, "plain": _plain, "paper": _paper, **BASELINES}
    if kind not in builders:
        raise ConfigurationError(
            "E-RECIPE-NETWORK",
            f"no network is called {kind!r}",
            remedy=f"use one of {', '.join(builders)}; baselines need `python -m benchmarks.networks`",
        )
    if kind in BASELINES:
        return BASELINES[kind](**options)
    return builders[kind](prepared, **options)


def _locked(
    prepared: Prepared, rho: float = RHO, *, gated: bool = True, without: Sequence[str] = (), scales: Sequence[int] = ()
) -> nn.Module:
    """Ablations: all gates 1; without the maps whose names begin so; with some of the scales alone (0, 1, …)."""
    many = prepared.codes.shape[1] // len(NAMED)
    network = PixelNetwork(len(PAPER), len(NAMED), many, rho)
    network.head.usual.copy_(torch.from_numpy(prepared.usual))
    with torch.no_grad():
        network.head.knots.copy_(network.head.at_knots(torch.from_numpy(evidence_tables(prepared)).float()) / SHRINKAGE)
    silent = [
        name.startswith(tuple(without)) or (bool(scales) and scale not in scales)
        for scale in range(many)
        for name in NAMED
    ]
    _silence(network.head.knots, silent)
    if not gated:  # a gate is 2 σ(0) = 1 everywhere; the last row is the rest
        for part in network.head.gate.parameters():
            _silence(part, [True] * len(silent) + [False])
    return network


def _silence(part: nn.Parameter, rows: Sequence[bool]) -> None:
    """Set some rows of a parameter to 0, where they stay."""
    silent = torch.tensor(rows).view(-1, *[1] * (part.ndim - 1))
    with torch.no_grad():
        part.masked_fill_(silent, 0)
    part.register_hook(lambda gradient: gradient.masked_fill(silent.to(gradient.device), 0))  # type: ignore[no-untyped-call]


def evidence_tables(prepared: Prepared) -> NDArray[np.float64]:
    """Weight of evidence (M, 64) of each code of each map: ln of its frequency in lesions over that elsewhere."""
    half = prepared.data.masks[prepared.part][:, ::2, ::2]  # maps are measured at every second pixel
    lesion = half > 127  # noqa: PLR2004 - half covered
    tables = []
    for m in range(prepared.codes.shape[1]):
        codes = prepared.codes[prepared.part, m]
        inside, outside = (np.bincount(codes[which], minlength=CODES + 1)[:CODES] + 1.0 for which in (lesion, ~lesion))
        tables.append(np.log(inside / inside.sum()) - np.log(outside / outside.sum()))
    return np.stack(tables)


def as_sum(network: nn.Module, prepared: Prepared) -> PixelNetwork | None:
    """What the locked engine can run: a network with the additive head, or a plain one as a sum that names nothing.

    The plain logit becomes the rest, under a bound that no logit comes near; None for every other network.
    """
    if isinstance(network, PixelNetwork):
        return network
    if not isinstance(network, PlainNetwork):
        return None
    summed = PixelNetwork(len(PAPER), len(NAMED), prepared.codes.shape[1] // len(NAMED), NO_BOUND)
    warm(summed, network)
    with torch.no_grad():
        for part in (*summed.head.gate.parameters(), summed.head.knots, summed.head.bias):
            part.zero_()
        for mine, theirs in zip(summed.head.gate.parameters(), network.head.parameters(), strict=True):
            mine[-1:] = theirs
    return summed


def warm(network: nn.Module, before: nn.Module) -> None:
    """Give a network every weight that one trained before has under the same name and of the same shape."""
    mine, theirs = network.state_dict(), before.state_dict()
    shared = {k: theirs[k] for k, v in mine.items() if k in theirs and theirs[k].shape == v.shape}
    network.load_state_dict({**mine, **shared})


def _paper(_: Prepared, gates: str = "full") -> nn.Module:
    from radiomicnet_md.model.paper.gate import GateKind
    from radiomicnet_md.model.paper.network import RadiomicNet

    if gates not in {kind.value for kind in GateKind}:
        raise ConfigurationError(
            "E-RECIPE-NETWORK",
            f"the paper's network has no gates called {gates!r}",
            remedy=f"use one of {', '.join(kind.value for kind in GateKind)}",
        )
    return RadiomicNet(len(PAPER), gates=GateKind(gates))


def _plain(_: Prepared) -> nn.Module:
    return PlainNetwork(len(PAPER))
