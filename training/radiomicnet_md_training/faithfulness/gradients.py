# SPDX-License-Identifier: Apache-2.0
"""The paper's own importances, |∂ loss / ∂ value| of each of the thirteen, on a network in floats.

Source: arXiv 2607.02185, feature importance: mean magnitude of the loss's gradient by each value, in percent of the
sum. The paper names three of them. It computes them with the truth at hand and after the decision, so they explain
no decision; they stand here to be laid beside the Shapley values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from radiomicnet_md.radiomics.definitions import PAPER
from radiomicnet_md_training.augment import Batch

STATED = {"glcm_DifferenceAverage": 15.24, "glcm_JointEnergy": 14.56, "lbp_Entropy": 11.49}  # percent, BUSI


def importances(
    network: nn.Module, batches: Iterable[Batch], loss: Callable[[Tensor, Batch], Tensor]
) -> dict[str, float]:
    """Percent of each value by name, over the cases of all batches; all 0 where no value reaches the loss.

    :param network: ``network(image, values, codes)`` whose first answer is the evidence (B, 1, h, w); runs as ``eval``
    :param loss: of logits (B, 1, H, W) and the batch, as in training: a mean over the cases
    """
    training = network.training
    network.eval()
    each = torch.zeros(len(PAPER), dtype=torch.float64)
    for batch in batches:
        values = batch.values.clone().requires_grad_()  # (B, 13), standardised
        evidence = network(batch.images, values, batch.codes)[0].float()
        size = batch.masks.shape[2:]
        if evidence.shape[2:] != size:
            evidence = functional.interpolate(evidence, size, mode="bilinear", align_corners=False)
        (gradient,) = torch.autograd.grad(loss(evidence, batch), values, allow_unused=True)
        if gradient is not None:  # None of a network that does not read the values
            each += len(values) * gradient.abs().double().sum(0)  # of the sum over cases, whatever the batch's size
    network.train(training)
    percent = (100 * each / each.sum().clamp(min=torch.finfo(torch.float64).tiny)).tolist()
    return dict(zip(PAPER, percent, strict=True))
