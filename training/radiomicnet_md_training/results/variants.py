# SPDX-License-Identifier: Apache-2.0
"""What a part is worth: rows that vary one part, tables without a group of values, ρ; then faithfulness and 3-D.

Rules of this module:

- A variant is compared with the row that it varies (the row called as its kind of network), on the same lesions.
- An ablation's differences are description: no p value, no multiplicity to correct.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from radiomicnet_md.model.fusion import RHO
from radiomicnet_md_training.region import WITHOUT
from radiomicnet_md_training.results import known, summary, words
from radiomicnet_md_training.results.read import EXACT, NAMED, TWO_VIEWS, Row
from radiomicnet_md_training.results.words import number, table


def ablations(rows: Mapping[str, Row]) -> str:
    """Rows called ``ablation-…``, by the row they vary, and region tables without a group of values."""
    some = {name: row for name, row in rows.items() if name.startswith("ablation-")}
    parts = []
    for base in sorted({row.run.recipe.network.kind for row in some.values()} | {"locked"}):
        varied = {name: row for name, row in some.items() if row.run.recipe.network.kind == base}
        lines = [line for name, row in varied.items() for line in _varied(name, row, rows.get(base))]
        lines += _regions(rows[base]) if base in rows else []
        parts += [_section(f"### Of `{base}`", lines)] if lines else []
    return (
        "## Ablations\n\n"
        "“No region layer” is the decision by locked integers in the main table; “no rest” is ρ = 0 below.\n\n"
        + ("\n\n".join(parts) or "No other ablation has a stored run.")
    )


def small(rows: Mapping[str, Row]) -> str:
    """The rows of the small setting against its `locked`, and each variant against the row that it varies."""
    against = {name: _whole(name, rows) for name in rows}
    pairs = [
        (f"`{name}`", summary.cases(rows[name], TWO_VIEWS), f"`{whole}`", summary.cases(rows[whole], TWO_VIEWS))
        for name, whole in against.items()
        if whole in rows and whole != name
    ]
    if not pairs:
        return ""
    lines = [
        (
            one.first,
            one.second,
            words.interval(one.mean, signed=True),
            words.chance(one.ranked.p),
            words.chance(one.adjusted),
        )
        for one in summary.contests(pairs)
    ]
    header = ("first", "second", "mean difference [95 %]", "Wilcoxon p", "Holm p")
    return "DSC of the first − DSC of the second on the same lesions.\n\n" + table(header, lines, texts=2)


def _whole(name: str, rows: Mapping[str, Row]) -> str:
    """The longest row name that a variant's name begins with, or `locked` of the small setting."""
    begun = [other for other in rows if name.startswith(f"{other}-")]
    return max(begun, key=len, default=f"{known.SMALL}locked")


def tables(pictures: Sequence[str]) -> str:
    """The pictures of the tables that decide."""
    told = {
        "tables-pixel.png": "What each code of each map adds to the logit",
        "tables-region.png": "What each value of a region adds to its predicted Dice",
    }
    some = [f"![{text}](results/{file})" for file, text in told.items() if file in pictures]
    if not some:
        return ""
    return (
        "## The tables that decide\n\n"
        "Of `locked`. A logit is the sum of the pixel tables' values, each times its gate (0 … 2), and the capped "
        "rest; a region's score is the sum of the region tables' values. Thin lines are single trainings, each without "
        "one fold. Three region tables are held monotone: intensity step, border step, at the image border.\n\n"
        + "\n\n".join(some)
    )


def _section(heading: str, lines: Sequence[Sequence[str]]) -> str:
    header = ("variant", "decision", "n", "mean DSC [95 %]", "difference to the whole [95 %]", "false regions")
    return f"{heading}\n\n" + table(header, lines, texts=2)


def _varied(name: str, row: Row, base: Row | None) -> list[tuple[str, ...]]:
    called = known.ABLATIONS.get(name, f"`{name}`")
    return [
        _line(called, decision, summary.cases(row, decision), _of(base, decision))
        for decision in (TWO_VIEWS, NAMED)
        if decision in row.decisions
    ]


def _regions(row: Row) -> list[tuple[str, ...]]:
    return [
        _line("whole network", decision, summary.cases(row, decision), summary.cases(row, NAMED))
        for decision in sorted(row.decisions)
        if decision.startswith(WITHOUT)
    ]


def _of(row: Row | None, decision: str) -> summary.Cases | None:
    return summary.cases(row, decision) if row is not None and decision in row.decisions else None


def _line(called: str, decision: str, some: summary.Cases, whole: summary.Cases | None) -> tuple[str, ...]:
    apart = "whole: NOT RUN" if whole is None else words.interval(summary.difference(some, whole), signed=True)
    return (
        called,
        known.DECISIONS.get(decision, decision),
        str(some.lesions.count),
        words.interval(summary.mean(some.lesions)),
        apart,
        words.errors(summary.false_regions(some)),
    )


def limit(row: Row) -> float:
    """ρ of a row's recipe; JSON has no infinity, so nothing stands for it."""
    value = row.run.recipe.network.options.get("rho", RHO)
    return float("inf") if value is None else float(value)


def curve(rows: Mapping[str, Row]) -> list[tuple[float, Row]]:
    """The rows of the ρ–DSC curve, least ρ first: ``rho-…`` and ``locked``; none without a ``rho-…``."""
    some = {name: row for name, row in rows.items() if name.startswith("rho-") or name == "locked"}
    return sorted(((limit(row), row) for row in some.values()), key=lambda one: one[0]) if len(some) > 1 else []


def rho(rows: Mapping[str, Row], pictures: Sequence[str]) -> str:
    """How the score depends on what the unnamed rest may add to the evidence."""
    lines = []
    for value, row in curve(rows):
        some = summary.cases(row, TWO_VIEWS)
        named = summary.mean(summary.cases(row, NAMED).lesions) if NAMED in row.decisions else None
        lines.append(
            (
                mark(value),
                f"`{row.name}`",
                str(some.lesions.count),
                words.interval(summary.mean(some.lesions)),
                words.NOTHING if named is None else words.interval(named),
                words.errors(summary.false_regions(some)),
                *_shares(row),
            )
        )
    scores = ("DSC of {z ≥ 0} [95 %]", "DSC, named values deciding [95 %]", "false regions of {z ≥ 0}")
    header = ("ρ", "row", "n", *scores, "certified [95 %]", "centred share [95 %]")
    body = table(header, lines, texts=2) if lines else "NOT RUN."
    picture = "\n\n![DSC by ρ](results/rho.png)" if "rho.png" in pictures else ""
    return (
        "## The limit of the rest\n\n"
        "The rest that no name explains adds at most ρ logits to the evidence; with ρ = 0 there is none, with ρ = ∞ "
        "nothing bounds it. “Certified” is the share of pixels whose sign the rest cannot change; “centred share” is "
        "what the named contributions, centred on the training images, carry of the evidence's variance. Both are "
        f"means over all images, by locked integers.\n\n{body}{picture}"
    )


def _shares(row: Row) -> tuple[str, ...]:
    if EXACT not in row.decisions:
        return (words.NOTHING, words.NOTHING)
    some = summary.cases(row, EXACT)
    return tuple(f"{words.interval(summary.mean(some, key))}, n = {some.count}" for key in summary.SHARES)


def mark(value: float) -> str:
    """ρ in print."""
    return {float("inf"): "∞", 0.25: "¼", 0.5: "½"}.get(value, f"{value:g}")


def faithfulness(found: Mapping[str, Any] | None) -> str:
    """The section of the faithfulness measurements, where they were made."""
    if found is None:
        return "## Faithfulness\n\nNOT RUN."
    from radiomicnet_md_training.faithfulness import page

    return page.page(dict(found))


def volumes(found: Mapping[str, Any] | None) -> str:
    """The same head on volumes: Dice by split and label."""
    heading = "## Three dimensions\n\n"
    if found is None:
        return heading + "NOT RUN."
    lines = []
    for split, told in found["splits"].items():
        for column, one in told.items():
            if column.startswith("dice"):
                label = column.removeprefix("dice").strip("_") or "all labels together"
                values = (number(one[key]) for key in ("mean", "median", "least"))
                lines.append((split, label, str(told["n"]), *values, str(one["missed"])))
    return (
        heading + "The additive head on MR volumes (MSD Task 04, hippocampus), a small run that shows that nothing in "
        f"the design is two-dimensional; {found['parameters']:,} parameters, {found['training_seconds'] / 60:.0f} "
        f"minutes of training. {found['notice'].capitalize()}.\n\n"
        + table(("split", "label", "n", "mean DSC", "median", "least", "missed"), lines, texts=2)
    )
