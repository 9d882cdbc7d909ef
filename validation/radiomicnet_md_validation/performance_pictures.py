# SPDX-License-Identifier: Apache-2.0
"""Pictures of a measurement: every case as a point, and the worst results beside the truth.

Rules of this module:

- A missed lesion is a point at 0 like any other; nothing is smoothed, binned away or left out.
- Truth is dashed blue, the device's answer solid amber, as everywhere in ``review``; neither hides the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.review import canvas, palette
from radiomicnet_md_validation.calibration import Bin
from radiomicnet_md_validation.case_set import Truth
from radiomicnet_md_validation.performance import Scored

MOST = 6
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # Okabe and Ito
_SIGNS = ("o", "^", "s", "D")


@dataclass(frozen=True, slots=True)
class Shown:
    """An image (rows, columns) with its truth and the answer."""

    title: str
    levels: NDArray[np.uint8]
    truth: Truth
    answer: Truth


def plots(cases: Sequence[Scored], reliability: Sequence[Bin], stamp: str) -> bytes:
    """PNG of three plots: Dice in order, Dice against size, frequency against predicted chance."""
    lesions = sorted((one for one in cases if one.lesion), key=lambda one: one.scores.dice)
    with canvas.plain_settings():
        figure = canvas.new_figure(1280, 470)
        grid = figure.add_gridspec(1, 3, left=0.05, right=0.98, top=0.9, bottom=0.24, wspace=0.25)
        order, size, chance = (figure.add_subplot(grid[place]) for place in range(3))
        order.set(title=f"Dice of each lesion, n = {len(lesions)}", xlabel="lesions, worst first", ylim=(-0.02, 1.02))
        size.set(title="Dice against size", xlabel="share of the image", ylim=(-0.02, 1.02), xscale="log")
        for number, kind in enumerate(sorted({one.kind for one in lesions})):
            look: dict[str, Any] = {"s": 14, "c": _COLOURS[number % 4], "marker": _SIGNS[number % 4], "label": kind}
            mine = [(place, one) for place, one in enumerate(lesions, 1) if one.kind == kind]
            order.scatter([place for place, _ in mine], [one.scores.dice for _, one in mine], **look)
            size.scatter([one.truth_px / one.size_px for _, one in mine], [one.scores.dice for _, one in mine], **look)
        if lesions:
            order.axhline(float(np.mean([one.scores.dice for one in lesions])), color=palette.MUTED, linewidth=0.8)
            order.legend(loc="lower right", frameon=False)
        chance.set(title="Evidence of a pixel, read as a chance", xlabel="σ(z)", ylabel="frequency of lesion")
        chance.plot([0, 1], [0, 1], color=palette.RULE, linewidth=0.8)
        seen = [(one.probability, one.frequency) for one in reliability]
        chance.plot([p for p, _ in seen], [share for _, share in seen], "o-", color=_COLOURS[0])
        canvas.strip(figure, 48, "every case is a point; the line is the mean", stamp)
        return canvas.png(figure)


def worst(shown: Sequence[Shown], stamp: str) -> bytes:
    """PNG of the worst results, in their order."""
    with canvas.plain_settings():
        figure = canvas.new_figure(1280, 900)
        grid = figure.add_gridspec(2, MOST // 2, left=0.01, right=0.99, top=0.96, bottom=0.07, wspace=0.03, hspace=0.12)
        for place, one in enumerate(shown[:MOST]):
            axes = figure.add_subplot(grid[place])
            axes.imshow(one.levels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            for region, colour, line in (
                (one.truth, palette.RUNNER_UP, "dashed"),
                (one.answer, palette.CHOSEN, "solid"),
            ):
                if region.any():
                    axes.contour(region.astype(np.float64), [0.5], colors=[colour], linewidths=1.4, linestyles=line)
            axes.set_title(one.title, size=9)
            axes.set_axis_off()
        canvas.strip(figure, 48, "dashed blue: truth; solid amber: answer", stamp)
        return canvas.png(figure)
