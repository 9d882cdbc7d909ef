# SPDX-License-Identifier: Apache-2.0
"""How far the predicted probability of a row is the frequency of lesion, on cases that no network of it saw.

Rules of this module:

- What is judged is σ(z / T) at every pixel of the image's content on the working grid; z is the two views' mean.
- A temperature never saw the fold that it corrects: fold f gets the T with the least log loss on the other folds of
  the same seed, or 1 in a row of one fold. Training never sees it.
- The same evidence gives the same numbers. Errors, probabilities and temperatures are rounded to :data:`DIGITS`.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special

from radiomicnet_md.errors import InputError
from radiomicnet_md_training import pixel
from radiomicnet_md_training.harness import Row, Unit
from radiomicnet_md_validation.calibration import BAND, BINS, Bin, Case, Pool, Temperature, band, ece, temperature

DIGITS = 6  # decimal places
HALF = 127  # a pixel is lesion where more than half of it is covered


def calibrate(row: Row) -> dict[str, Any]:
    """Temperatures and calibration errors of every seed of a row whose units are scored, as JSON can hold them.

    ``seeds`` has one entry a seed: ``temperature`` (of all its folds), ``folds`` (T of each, fitted on the others) and,
    for ``pooled`` (all pixels) and ``band`` (within :data:`BAND` pixels of the true border), ``before`` and ``after``:
    number of ``pixels``; ``equal_width``, ``equal_mass`` and ``confidence`` (the paper's kind), each an error 0 … 1;
    reliability rows of both kinds of bins.

    Raises:
        InputError: E-EVIDENCE where a unit's evidence is missing, torn, or not that of the fold's cases.

    """
    return {
        "bins": BINS,
        "band_pixels": BAND,
        "cases": len({case for unit in row.units() for case in row.held_out(unit.fold).tolist()}),
        "seeds": [_seed(row, seed) for seed in row.recipe.folds.seeds],
    }


def _seed(row: Row, seed: int) -> dict[str, Any]:
    parts = {unit.fold: _cases(row, unit) for unit in row.units() if unit.seed == seed}
    fitted = {fold: _fitted(_others(parts, fold)) for fold in parts}
    whole = temperature(_others(parts, None))
    scaled: list[Case] = [
        (logits / np.float32(fitted[fold].value), truth) for fold, part in parts.items() for logits, truth in part
    ]
    return {
        "seed": seed,
        "temperature": round(whole.value, DIGITS),
        "log_loss": [round(whole.before, DIGITS), round(whole.after, DIGITS)],
        "folds": [
            {"fold": fold, "temperature": round(one.value, DIGITS), "at_limit": one.at_limit}
            for fold, one in fitted.items()
        ],
        **{
            region: {
                "before": _judged(_others(parts, None), banded=region == "band"),
                "after": _judged(scaled, banded=region == "band"),
            }
            for region in ("pooled", "band")
        },
    }


def _fitted(others: Sequence[Case]) -> Temperature:
    """The temperature by the other folds' cases; a row of one fold has none, and its logits stay as they are."""
    return temperature(others) if others else Temperature(1.0, math.nan, math.nan, 0, at_limit=False)


def _cases(row: Row, unit: Unit) -> list[Case]:
    """Logits and truth (rows, columns) of each held-out case of a unit, on the working grid."""
    try:
        with np.load(unit.folder(row.folder) / "evidence.npz", allow_pickle=False) as stored:
            index, z = stored["index"], stored["z"]  # (n,), (n, h, w)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _refused(unit, "is missing or torn") from error
    if not np.array_equal(index, row.held_out(unit.fold)) or len(z) != len(index):
        raise _refused(unit, "is not that of the cases which the fold leaves out")
    logits = pixel.to_grid(torch.from_numpy(z)[:, None], row.data.masks.shape[-1])[:, 0].numpy()
    cases: list[Case] = []
    for i, case in enumerate(index.tolist()):
        rows, columns = row.data.sizes[case]
        cases.append((logits[i, :rows, :columns], row.data.masks[case, :rows, :columns] > HALF))
    return cases


def _refused(unit: Unit, what: str) -> InputError:
    return InputError(
        "E-EVIDENCE",
        f"the evidence of {unit} {what}",
        remedy="remove cases.csv in that unit's folder and evaluate the row again",
    )


def _others(parts: dict[int, list[Case]], fold: int | None) -> list[Case]:
    return [case for other, part in parts.items() if other != fold for case in part]


def _judged(cases: Iterable[Case], *, banded: bool) -> dict[str, Any]:
    """Errors and reliability rows over all cases, or over the band around the border of those that have one."""
    lesion, confidence = Pool(), Pool()
    for logits, truth in cases:
        inside = band(truth) if banded else np.ones(truth.shape, dtype=np.bool_)
        p: NDArray[np.float64] = special.expit(logits[inside].astype(np.float64))
        lesion.add(p, truth[inside])
        confidence.add(np.maximum(p, 1 - p), (p > 0.5) == truth[inside])  # noqa: PLR2004 - the threshold
    width, mass = lesion.equal_width(), lesion.equal_mass()
    return {
        "pixels": sum(one.count for one in width),
        "equal_width": round(ece(width), DIGITS),
        "equal_mass": round(ece(mass), DIGITS),
        "confidence": round(ece(confidence.equal_width()), DIGITS),
        "equal_width_rows": [_row(one) for one in width],
        "equal_mass_rows": [_row(one) for one in mass],
    }


def _row(one: Bin) -> dict[str, float]:
    return {
        "low": round(one.low, DIGITS),
        "high": round(one.high, DIGITS),
        "count": one.count,
        "probability": round(one.probability, DIGITS),
        "frequency": round(one.frequency, DIGITS),
    }
