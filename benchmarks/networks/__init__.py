# SPDX-License-Identifier: Apache-2.0
"""The networks that the results are compared with, each written small from its article, in the harness's one call.

Rules of this package:

- A baseline sees the grey image alone, as its article has it; a colour network gets it as three equal channels.
- Nothing is pretrained, and widths, depths and kernels are the published ones: the parameters are counted against
  the published number.
- What a module leaves out or decides stands at its head.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from benchmarks.networks.cmunext import CMUNeXt
from benchmarks.networks.nnunet import NnUNet
from benchmarks.networks.transunet import TransUNet
from benchmarks.networks.u_kan import UKan
from benchmarks.networks.unet import UNet
from benchmarks.networks.unet_plus_plus import UNetPlusPlus


class Baseline(NamedTuple):
    """A network of others."""

    title: str
    build: Callable[[], nn.Module]
    origin: str
    published: float  # parameters, millions; of nnU-Net, whose plan follows the data, those of its authors' own code


BASELINES = {
    "unet": Baseline("U-Net", UNet, "Ronneberger 2015, with batch normalisation", 31.04),
    "unet++": Baseline("U-Net++", UNetPlusPlus, "Zhou 2018, one output", 9.04),
    "nnu-net": Baseline("nnU-Net, plain", NnUNet, "Isensee 2021, planned for 192 × 192", 20.62),
    "u-kan": Baseline("U-KAN", UKan, "Li 2024, arXiv 2406.02918", 6.36),
    "cmunext": Baseline("CMUNeXt", CMUNeXt, "Tang 2023, arXiv 2308.01239", 3.14),
    "transunet": Baseline("TransUNet", TransUNet, "Chen 2021, arXiv 2102.04306, R50-ViT-B/16", 105.28),
}
