# SPDX-License-Identifier: Apache-2.0
"""How far an image may be changed until the shipped device answers otherwise, and whether its gate notices.

Rules of this module:

- The measure is Dice of the answer to x against the answer to T x, carried back by T's inverse, over the pixels that
  T x still shows: the device against itself. Whether it was right to begin with is another question.
- A case is an image that is admitted as it is and has a region. Every changed image of it counts: answered, answered
  with a flag, or refused.
- *Broken* is an answer with a Dice below :data:`BROKEN`; *unnoticed* is a broken answer that was neither refused nor
  flagged. An unnoticed break beyond the declared limits is a known limit of this release, and is said so.

``python -m radiomicnet_md_validation.robustness`` shows the page, with ``--write`` it goes to
``docs/reference/robustness.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from radiomicnet_md import phantom
from radiomicnet_md_validation import robustness_page
from radiomicnet_md_validation.asked import Answer, Grey, ask, real_cases
from radiomicnet_md_validation.campaigns import Campaign, main
from radiomicnet_md_validation.metrics import dice
from radiomicnet_md_validation.perturbations import KINDS, Changed, Kind

BROKEN = 0.7  # Dice below which an answer is another one: as far apart as the device and the truth are on average
HOLDS = 0.9  # mean Dice of the answers within the declared limits that is claimed
_SIZE = (336, 420)


def cases(count: int) -> dict[str, Grey]:
    """So many real images and a phantom; as many phantoms as are missing where there is no data folder."""
    real = real_cases(count)
    return {f"phantom {seed}": phantom.make(seed, *_SIZE).pixels for seed in range(max(1, count - len(real)))} | real


def kept_dice(first: Answer, second: Answer, changed: Changed) -> float:
    """Dice of two answers over what both images show; both empty is 1, one empty 0."""
    return dice(first.mask & changed.seen, changed.back(second.mask) & changed.seen)


def relative_changes(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    """|after − before| / |before| of every value that both have and that was not 0."""
    return {name: abs(second[name] - value) / abs(value) for name, value in first.items() if value and name in second}


def outcome(first: Answer, second: Answer, changed: Changed) -> dict[str, Any]:
    """What became of a changed image: refusal code, flag, Dice with the first answer, relative change of each value."""
    if second.refused is not None:
        return {"refused": second.refused}
    return {
        "refused": None,
        "flagged": second.flagged,
        "dice": kept_dice(first, second, changed),
        "changes": relative_changes(first.values, second.values),
    }


def summary(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts, mean and lowest Dice of the answers, and the median relative change of each value and group."""
    answered = [one for one in outcomes if one["refused"] is None]
    scores = [one["dice"] for one in answered]
    broken = [one for one in answered if one["dice"] < BROKEN]
    return {
        "n": len(outcomes),
        "refused": len(outcomes) - len(answered),
        "codes": sorted({one["refused"] for one in outcomes if one["refused"] is not None}),
        "flagged": sum(one["flagged"] for one in answered),
        "broken": len(broken),
        "unnoticed": sum(not one["flagged"] for one in broken),
        "mean": float(np.mean(scores)) if scores else None,
        "low": min(scores) if scores else None,
        "changes": _changes([one["changes"] for one in answered]),
    }


def _changes(changes: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Median over the cases: of each of the thirteen values, and the median of the region's and lesion's."""
    names = sorted({name for one in changes for name in one})
    medians = {name: float(np.median([one[name] for one in changes if name in one])) for name in names}
    groups = {"image": "", "region": "region: ", "lesion": "lesion: "}
    found: dict[str, Any] = {}
    for group, start in groups.items():
        part = {n: m for n, m in medians.items() if (n.startswith(start) if start else ": " not in n)}
        worst = max(part, key=lambda name: part[name], default=None)
        found[group] = {
            "median": float(np.median(list(part.values()))) if part else None,
            "worst": worst and worst.removeprefix(start),
            "of_worst": None if worst is None else part[worst],
        }
    return found


def run(count: int) -> dict[str, Any]:
    """Every kind and strength over all cases."""
    answers = {name: (levels, ask(levels)) for name, levels in cases(count).items()}
    asked = {name: pair for name, pair in answers.items() if pair[1].refused is None and pair[1].mask.any()}
    left_out = {name: answer.refused or "no region" for name, (_, answer) in answers.items() if name not in asked}
    return {
        "cases": list(asked),
        "left_out": left_out,
        "broken": BROKEN,
        "holds": HOLDS,
        "kinds": {kind.name: _kind(kind, list(asked.values())) for kind in KINDS},
    }


def _kind(kind: Kind, asked: Sequence[tuple[Grey, Answer]]) -> dict[str, Any]:
    sys.stderr.write(f"{kind.name}\n")
    levels = []
    for strength in kind.strengths:
        outcomes = []
        for image, first in asked:
            changed = kind.change(image, strength)
            outcomes.append(outcome(first, ask(changed.image), changed))
        levels.append({"strength": strength, "declared": kind.declared(strength), **summary(outcomes)})
    return {"unit": kind.unit, "limits": list(kind.limits), "levels": levels}


CAMPAIGN = Campaign(
    name="robustness",
    module="robustness",
    title="How much an image may change",
    run=run,
    cases=7,
    body=robustness_page.body,
    picture=robustness_page.picture,
)

if __name__ == "__main__":
    sys.exit(main(CAMPAIGN))
