# SPDX-License-Identifier: Apache-2.0
"""All measurements of faithfulness on a set of cases, as plain numbers that JSON can hold and a page can print.

Rules of this module:

- The same engine and cases give the same numbers; nothing is drawn at random, floats are rounded to six digits.
- Every mean stands with the number of cases in it. A case without a region has no lesion to speak of and is left
  out of what speaks of lesions, and only of that.
- Folds are measured with their own engines and joined afterwards. A fold that was measured is kept in its folder and
  not measured again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
from scipy.stats import rankdata

from radiomicnet_md.decision import LOGIT_BITS
from radiomicnet_md.engine import coalitions, resample
from radiomicnet_md.engine.candidate import as_json
from radiomicnet_md.engine.program import TABLE_BITS
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.model.network import PixelNetwork
from radiomicnet_md_training import candidate, evaluate, harness, losses
from radiomicnet_md_training.faithfulness import editing, gradients, pixel, regions, shapley
from radiomicnet_md_training.faithfulness.look import HALF, Case, Integers, Mask, Seen, Told, look, usual_values
from radiomicnet_md_training.faithfulness.look import cases as cases_at
from radiomicnet_md_training.figures import NOTICE
from radiomicnet_md_training.pixel import gather
from radiomicnet_md_validation.metrics import dice

log = logging.getLogger(__name__)
EXACT = 20  # cases with a lesion that get the exact Shapley values of all thirteen
USUAL = 64  # training images of a fold that say what is usual
BATCH = 8
KEPT = "faithfulness.json"
KINDS = ("deletion", "deletion_other", "insertion", "insertion_other")
Row = dict[str, Any]


def measure(engine: Engine, cases: Sequence[Case], training: Sequence[Case], exact: int = EXACT) -> Row:
    """Measure every case.

    :param training: images of the part that the engine was trained on: they say what is usual
    :param exact: how many of the cases with a lesion, from the first on, get all 8,192 coalitions
    :returns: ``notice``, ``training_images``, ``off_centre``, ``cases`` (a row each) and ``summary``
    """
    usual = pixel.usual(engine, training)
    rows: list[Row] = []
    for case in cases:
        left = exact - sum(row["exact"] is not None for row in rows)
        rows.append(_row(engine, case, usual, all_values=left > 0))
        log.info("faithfulness: %s, %d of %d", case.name, len(rows), len(cases))
    return _whole(rows, len(training), float(np.abs(usual.said).max()) / 2**TABLE_BITS)


def join(parts: Sequence[Row]) -> Row:
    """What several engines gave on cases of their own, as one: rows in order, summarised again."""
    rows = [row for part in parts for row in part["cases"]]
    return _whole(rows, sum(part["training_images"] for part in parts), max(part["off_centre"] for part in parts))


def of_row(row: harness.Row, seed: int, exact: int = EXACT, cases_per_fold: int | None = None) -> Row:
    """Measure an evaluated row: each fold's own engine on cases that it left out; resumable fold by fold.

    A fold's engine has the region tables that answer the fold in ``cases.csv``, found without it.

    :param exact: cases with a lesion that get all 8,192 coalitions, shared out over the folds
    :param cases_per_fold: how many of the held-out cases, evenly spread; all where None
    :returns: as :func:`join`, with ``seed`` and ``gradients``: percent by value, mean over the folds
    :raises ConfigurationError: E-ROW-TABLES, where the row is not evaluated or has no region layer
    """
    units = [unit for unit in row.units() if unit.seed == seed]
    try:
        tables = evaluate.tables(row, seed).folds
    except FileNotFoundError as error:
        raise ConfigurationError(
            "E-ROW-TABLES",
            f"no region tables were fitted to the folds of {row.recipe.name}, seed {seed}",
            remedy="evaluate a recipe with network kind `locked` and a `region` part first",
        ) from error
    parts: list[Row] = []
    for unit in units:
        share = exact * (unit.fold + 1) // len(units) - exact * unit.fold // len(units)
        digest = hashlib.sha256(as_json(tables[unit.fold])).hexdigest()
        asked = {"run": row.digest, "tables_sha256": digest, "exact": share, "cases_per_fold": cases_per_fold}
        file = unit.folder(row.folder) / KEPT
        part = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"asked": None}
        if part["asked"] != asked:
            part = {"asked": asked, **_fold(row, unit, tables[unit.fold], share, cases_per_fold)}
            _keep(file, part)
        parts.append(part)
    mean = {name: _mean([part["gradients"][name] for part in parts]) for name in parts[0]["gradients"]}
    return {"seed": seed, **join(parts), "gradients": _rounded(mean)}


def store(found: Row, results: Path) -> None:
    """Write what :func:`of_row` found to ``results/faithfulness.json``, from which the results page is made."""
    results.mkdir(parents=True, exist_ok=True)
    _keep(results / KEPT, found)


def _fold(row: harness.Row, unit: harness.Unit, tables: Row, exact: int, count: int | None) -> Row:
    prepared, held_out = row.prepared(unit), row.held_out(unit.fold)
    chosen = _spread(held_out, len(held_out) if count is None else count)
    network = cast("PixelNetwork", row.run(unit, prepared).network)  # no other has region tables
    engine = Engine(candidate.files(network, prepared, row.recipe.measuring, tables))
    training = cases_at(row.data, _spread(prepared.part, USUAL))
    found = measure(engine, cases_at(row.data, chosen), training, exact)
    batches = (gather(prepared, chosen[start : start + BATCH]) for start in range(0, len(chosen), BATCH))
    percent = gradients.importances(network, batches, lambda z, batch: losses.of(row.recipe.optimiser, z, batch))
    return {**found, "gradients": _rounded(percent)}


def _spread(index: Integers, count: int) -> Integers:
    """``count`` of the cases, evenly spread over all; all where there are no more."""
    count = min(count, len(index))
    return index[np.arange(count) * len(index) // max(count, 1)]


def _keep(file: Path, content: Row) -> None:
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(file)


def _whole(rows: list[Row], training_images: int, off_centre: float) -> Row:
    rounded = [_rounded(row) for row in rows]  # before they are summarised, so that what is stored can be joined
    return {
        "notice": NOTICE,
        "training_images": training_images,
        "off_centre": _rounded(off_centre),
        "cases": rounded,
        "summary": _rounded(_summary(rounded)),
    }


def _row(engine: Engine, case: Case, usual: pixel.Usual, *, all_values: bool) -> Row:
    seen = look(engine, case.grey)
    covered = resample.shrink((case.truth > 0).astype(np.uint8) * np.uint8(255), *seen.mask.shape)
    truth = covered >= HALF
    place, lesion = seen.place, bool(truth.any())
    return {
        "name": case.name,
        "lesion": lesion,
        "chosen": len(seen.choice.chosen),
        "pixels": seen.proposal.evidence.logit.size,
        "unequal": pixel.unequal(engine, seen),
        "certified": pixel.certified(engine, seen),
        "centred_share": pixel.centred_share(engine, seen, usual.said),
        "frozen_image": pixel.frozen(engine, seen, None, truth),
        "frozen_training": pixel.frozen(engine, seen, usual.gates, truth),
        "counterfactuals": asdict(regions.counterfactuals(seen, engine.regions)),
        "told_usual": _told_usual(engine, seen),
        "groups": None if place is None else _game(engine, seen, place, coalitions.GROUPS),
        "exact": None if place is None or not (lesion and all_values) else _game(engine, seen, place, shapley.EACH),
        "edits": {kind: asdict(outcome) for kind, outcome in editing.edits(engine, seen, case.name).items()},
    }


def _told_usual(engine: Engine, seen: Seen) -> Row:
    """What all thirteen values together move: pixels that change sign, and Dice of the decision with itself."""
    other = look(Told(engine, usual_values(engine)), seen.grey)
    before, after = seen.proposal.evidence.logit, other.proposal.evidence.logit
    return {"flipped": float(np.mean((before > 0) != (after > 0))), "dice": dice(other.mask, seen.mask)}


def _game(engine: Engine, seen: Seen, place: Mask, players: Mapping[str, tuple[int, ...]]) -> Row:
    game = shapley.play(engine, seen, place, players)
    unit = game.pixels << LOGIT_BITS
    return {
        "coalitions": len(game.worth),
        "incomplete": int(game.incomplete() != 0),
        "evidence": int(game.worth[-1]) / unit,
        "explained": int(game.worth[-1] - game.worth[0]) / unit,
        "values": game.logits(),
    }


def _summary(rows: list[Row]) -> Row:
    lesions = [row for row in rows if row["lesion"]]
    sums = {key: sum(row["certified"][key] for row in rows) for key in ("pixels", "certified")}
    banded = [row["certified"] for row in rows if row["certified"]["band_pixels"]]
    near = {key: sum(one[key] for one in banded) for key in ("band_pixels", "band_certified")}
    return {
        "cases": len(rows),
        "lesions": len(lesions),
        "completeness": {"pixels": sums["pixels"], "unequal": sum(row["unequal"] for row in rows)},
        "certified": {
            "overall": _over(sums["certified"], sums["pixels"]),
            "band": _over(near["band_certified"], near["band_pixels"]),
            "band_mean": _mean([one["band_certified"] / one["band_pixels"] for one in banded]),
            "band_cases": len(banded),
        },
        "centred_share": {
            "mean": _mean([row["centred_share"] for row in rows]),
            "smallest": min((row["centred_share"] for row in rows), default=None),
            "largest": max((row["centred_share"] for row in rows), default=None),
        },
        "frozen_image": _means([row["frozen_image"] for row in lesions]),
        "frozen_training": _means([row["frozen_training"] for row in lesions]),
        "counterfactuals": {
            key: sum(row["counterfactuals"][key] for row in rows)
            for key in ("swaps", "changed", "wrong_score", "wrong_choice")
        },
        "told_usual": _means([row["told_usual"] for row in lesions]),
        "groups": _games([row["groups"] for row in lesions if row["groups"]]),
        "exact": _games([row["exact"] for row in rows if row["exact"]]),
        "edits": {kind: _edits([row["edits"][kind] for row in lesions if kind in row["edits"]]) for kind in KINDS},
        "top_fell_more": _contest(lesions),
    }


def _games(games: list[Row]) -> Row:
    names = list(games[0]["values"]) if games else []
    strength = {name: float(np.mean([abs(game["values"][name]) for game in games])) for name in names}
    total = sum(strength.values())
    return {
        "cases": len(games),
        "incomplete": sum(game["incomplete"] for game in games),
        "evidence": _mean([abs(game["evidence"]) for game in games]),
        "explained": _mean([abs(game["explained"]) for game in games]),
        "mean": {name: float(np.mean([game["values"][name] for game in games])) for name in names},
        "strength": strength,
        "percent": {name: 100 * value / total for name, value in strength.items()} if total else {},
    }


def _edits(outcomes: list[Row]) -> Row:
    """Of the edits that brought their name nearer: how the change of the whole goes with what was claimed."""
    near = [outcome for outcome in outcomes if outcome["nearer"]]
    parts = ("claimed", "foretold", "own", "whole")
    claimed, foretold, own, whole = ([outcome[key] for outcome in near] for key in parts)
    return {
        "cases": len(outcomes),
        "nearer": len(near),
        "same_sign": sum(c * w > 0 for c, w in zip(claimed, whole, strict=True)),
        "own_same_sign": sum(c * o > 0 for c, o in zip(claimed, own, strict=True)),
        "rank_correlation": pixel.correlation(rankdata(claimed), rankdata(whole)) if near else None,
        "claimed": _mean(claimed),
        "foretold": _mean(foretold),
        "own": _mean(own),
        "whole": _mean(whole),
        "dice": _mean([outcome["dice"] for outcome in near]),
    }


def _contest(rows: list[Row]) -> Row:
    """In how many lesions deleting the strongest name lowered the evidence more than deleting the other.

    Where one edit serves both names there is nothing to compare.
    """
    pairs = [(row["edits"]["deletion"], row["edits"]["deletion_other"]) for row in rows if row["edits"]]
    both = [
        (one["whole"], other["whole"])
        for one, other in pairs
        if one["nearer"] and other["nearer"] and one["edit"] != other["edit"]
    ]
    return {"cases": len(both), "won": sum(one < other for one, other in both)}


def _means(rows: list[Row]) -> Row:
    return {key: _mean([row[key] for row in rows]) for key in rows[0]} if rows else {}


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _over(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _rounded(value: Any) -> Any:  # noqa: ANN401 - JSON has no narrower type
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return round(value, 6) if isinstance(value, float) else value
