# SPDX-License-Identifier: Apache-2.0
"""What is known before any run: the rows that the plan names, the paper's printed table, how the data limit a score."""

from __future__ import annotations

from radiomicnet_md_training.recipe import LEAKING

SMALL = "small-"
"""Beginning of the rows of the small setting."""

CEILING, CEILING_PAIRS = 0.837, 165
"""Mean Dice of the masks of registered duplicate images of BUSI, and how many pairs: masks agree no better."""

ROWS = {
    "locked": "`locked`",
    "plain": "trunk of `locked`, plain logit",
    "paper": "`paper` preset, our reading, from scratch",
    "paper-stated": "`paper` preset with the paper's rates, from scratch",
    "mobilenetv2-unet": "MobileNetV2-U-Net, no gates",
    "unet": "U-Net",
    "unet++": "U-Net++",
    "u-kan": "U-KAN",
    "cmunext": "CMUNeXt",
    "transunet": "TransUNet",
}
"""The rows of the main table, in its order; a stored row with another name comes after them under that name."""

ABLATIONS = {
    "ablation-paper-no-gate": "no gate",
    "ablation-paper-no-lrc": "no L_RC",
    "ablation-paper-no-boundary": "no boundary term",
    "ablation-paper-spatial-only": "spatial gate only",
    "ablation-paper-channel-only": "channel gate only",
    "ablation-locked-no-gate": "no gate",
    "ablation-locked-single-scale": "single scale",
    "ablation-locked-no-glcm": "maps without co-occurrence",
    "ablation-locked-no-lbp": "maps without local binary patterns",
    "ablation-locked-no-intensity": "maps without intensity",
}
"""Which row an ablation varies is told by its kind of network."""

RHO = ("rho-0", "rho-0.25", "rho-0.5", "rho-2", "rho-inf")
"""Rows of the curve beside `locked` itself, whose recipe has ρ = 1."""

APART = {
    SMALL: (
        "The small setting",
        """A setting in which every network can be trained on two processor cores: half the grid (96 × 96), 20 epochs,
the first of the five folds. Same cases, augmentation, steps and batch for all; from scratch. It ranks networks under a
small budget and says nothing about what each reaches with a large one; no row of it is comparable with the main
table. “Half data” and “quarter data” train on that share of the duplicate groups for as many steps.""",
    ),
    "kvasir-": (
        "Kvasir-SEG",
        """Polyps in colonoscopy, read as grey levels. The terms of the data allow research and education only, so these
weights are never part of a release. Cases, groups and folds are this data set's own; the setting is the small one (half
the grid, 20 epochs, the first of five folds).""",
    ),
    LEAKING: (
        "The paper's own protocol",
        """A random fifth of the open images is held out, as in the paper's split: duplicates stand on both sides, so
**it leaks**. In the small setting; beside the rows of the same networks there it tells what leaking adds. It is shown
only so that the paper's table can be read.""",
    ),
}
"""Rows on cases of their own, by the beginning of their name: heading and what must be said of them."""

SHARES = ("half-data", "quarter-data")

SMALL_ROWS = (
    *(f"{SMALL}{name}" for name in ROWS if name != "paper-stated"),
    *(f"{SMALL}{name.removeprefix('ablation-')}" for name in ABLATIONS),
    *(f"{SMALL}locked-{name}" for name in ("no-rest", *RHO[1:], *SHARES)),
)

PLANNED = (
    *ROWS,
    "plain-region",
    *ABLATIONS,
    *RHO,
    "kvasir-locked",
    "kvasir-paper",
    "leaking-locked",
    "leaking-paper",
    *SMALL_ROWS,
)

PAPER = (
    ("U-Net", "31.0 M", ".726", ".618"),
    ("UNet++", "9.0 M", ".740", ".634"),
    ("TransUNet", "93 M", ".748", ".641"),
    ("U-KAN", "“14.0 M” (6.36 M counted)", ".751", ".645"),
    ("RadiomicNet", "3.27 M", ".763 [.716, .810]", ".662"),
)
"""Name, parameters, DSC and IoU as arXiv 2607.02185v1 prints them for BUSI."""

DECISIONS = {
    "two views": "{z ≥ 0}, float, two views",
    "one view": "{z ≥ 0}, float, one view",
    "exact": "{z ≥ 0}, locked integers: no region layer",
    "named": "**region layer, named values alone**",
    "named and network": "region layer, named and network values",
    "network": "region layer, network values alone",
    "named with local binary patterns": "region layer, all 47 named values",
    "device": "as shipped, in integers",
    "oracle": "oracle: best candidate, knows the truth",
}
SCORELESS = {"exact", "oracle"}
"""Decisions without a presence score of their own."""
