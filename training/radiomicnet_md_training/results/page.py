# SPDX-License-Identifier: Apache-2.0
"""The results as one Markdown page: the same stored rows give the same bytes, and every figure stands with its n.

Rules of this module:

- Pure: no file, no clock. Rows are compared only after :func:`radiomicnet_md_training.results.read.same_cases`.
- A planned row without a stored run is printed as NOT RUN, with the reason that was given.
- What is inconclusive is printed with its reason; nothing is dropped because it is bad.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from radiomicnet_md_training.figures import NOTICE
from radiomicnet_md_training.region import WITHOUT
from radiomicnet_md_training.results import elsewhere, known, making, summary, targets, variants, words
from radiomicnet_md_training.results.read import EXACT, NAMED, ONE_VIEW, ORACLE, TWO_VIEWS, Row, Tried
from radiomicnet_md_training.results.words import number, table


@dataclass(frozen=True, slots=True)
class Stored:
    """All that a page is made from; pictures are named by their files."""

    rows: Mapping[str, Row]
    reasons: Mapping[str, str]
    tried: Sequence[Tried]
    faithfulness: Mapping[str, Any] | None
    volumes: Mapping[str, Any] | None
    external: elsewhere.Scored | None
    quantised: Mapping[str, Any] | None
    pictures: Sequence[str]


def page(stored: Stored) -> str:
    """The page; the rows of the main table, in its order, are those of :func:`main_rows`."""
    main = main_rows(stored.rows)
    parts = [
        _head(main),
        making.commands(),
        _main(main, stored),
        _others(main),
        _not_run(stored),
        _comparisons(main),
        _printed(),
        _kinds(main, stored),
        _seeds(main),
        _calibration(main, stored),
        _targets(main, stored),
        _tried(stored),
        variants.ablations(stored.rows),
        variants.rho(stored.rows, stored.pictures),
        *(_apart(stored.rows, start) for start in known.APART),
        variants.tables(stored.pictures),
        variants.faithfulness(stored.faithfulness),
        variants.volumes(stored.volumes),
        elsewhere.section(stored.external),
        making.training(stored.rows, stored.pictures),
        making.provenance(stored.rows),
    ]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def main_rows(rows: Mapping[str, Row]) -> dict[str, Row]:
    """The rows of the main table: the planned ones in their order, then others; no ablation, ρ or other data set."""
    beginnings = ("ablation-", "rho-", *known.APART)
    others = [name for name in sorted(rows) if name not in known.ROWS and not name.startswith(beginnings)]
    return {name: rows[name] for name in (*known.ROWS, *others) if name in rows}


def title(name: str) -> str:
    """A row's name in print."""
    return known.ROWS.get(name, f"`{name}`")


def decisions(row: Row) -> list[str]:
    """A row's decisions in print order, without those that leave a group of values out (an ablation)."""
    some = [name for name in row.decisions if not name.startswith(WITHOUT)]
    order = [TWO_VIEWS, ONE_VIEW, EXACT, NAMED, *known.DECISIONS]
    return sorted(some, key=lambda name: (name == ORACLE, order.index(name) if name in order else len(order), name))


def decision(name: str) -> str:
    """A decision in print."""
    return known.DECISIONS.get(name, name)


def _head(main: Mapping[str, Row]) -> str:
    text = f"# Results\n\n**{NOTICE.capitalize()}.**\n\n## What was measured on what\n\n"
    if not main:
        return text + "No row of the main table has a stored run."
    row = next(iter(main.values()))
    some = summary.cases(row, TWO_VIEWS)
    kinds = ", ".join(f"{some.of_kind(kind).count} {kind}" for kind in sorted(set(some.kinds)))
    folds = len({unit.fold for unit in row.run.units})
    return text + (
        f"The open splits of BUSI: {some.count} images in {some.independent} duplicate groups, {some.lesions.count} "
        f"with a lesion ({some.lesions.independent} groups) and {some.normals.count} without "
        f"({some.normals.independent} groups); by kind {kinds}. {folds} folds by duplicate group: every image is "
        "answered by a network that never saw it or a duplicate of it, and every figure below is out of fold. The "
        "test split was closed: no figure here has seen it, and none but those under “Another hospital” has seen the "
        "external set.\n\n"
        f"Label noise: the masks of {known.CEILING_PAIRS} registered pairs of duplicate images agree at a mean DSC of "
        f"{known.CEILING}. A score near that is as near the truth as the masks are to each other.\n\n"
        "DSC, IoU, NSD (2 pixels) and HD95 are taken at the files' own size (longer side at most 384 pixels), image by "
        "image; a missed lesion has DSC 0 and an HD95 of the image's diagonal. Means are over images with a lesion; "
        "95 % intervals are bootstraps (BCa) that draw whole duplicate groups. Errors are counted in images and in the "
        "groups that hold such an image, whose share has Clopper–Pearson limits. Scores are averaged over seeds, image "
        "by image, before anything else; an image counts as wrong where at least half of the seeds are. Two views are "
        "the image and its mirror image, averaged. What is inconclusive says why."
    )


def _main(main: Mapping[str, Row], stored: Stored) -> str:
    lines = _scores(main)
    for name in known.ROWS:
        if name not in main:
            lines.append((title(name), "NOT RUN", *[words.NOTHING] * 5))
    return (
        "## Main table\n\n"
        + table(_columns(main), lines, texts=2)
        + "\n\nWhat each network costs: [cost of the networks](benchmarks-networks.md)."
        + _picture(stored, "dsc.png", "Mean DSC of every row with its interval")
    )


def _columns(rows: Mapping[str, Row]) -> tuple[str, ...]:
    counts = {"lesions": words.NOTHING, "normals": words.NOTHING, "images": words.NOTHING}
    for row in rows.values():
        some = summary.cases(row, TWO_VIEWS)
        counts = {"lesions": str(some.lesions.count), "normals": str(some.normals.count), "images": str(some.count)}
    return (
        "row",
        "decision",
        "parameters",
        f"mean DSC [95 %], n = {counts['lesions']}",
        f"lesions missed, n = {counts['lesions']}",
        f"normals with a false region, n = {counts['normals']}",
        f"presence AUC [95 %], n = {counts['images']}",
    )


def _scores(rows: Mapping[str, Row]) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = []
    for name, row in rows.items():
        for one in decisions(row):
            if one == ONE_VIEW:
                continue
            some = summary.cases(row, one)
            lines.append(
                (
                    title(name),
                    decision(one),
                    f"{row.run.parameters:,}",
                    words.interval(summary.mean(some.lesions)),
                    words.errors(summary.missed(some)),
                    words.errors(summary.false_regions(some)),
                    words.NOTHING if one in known.SCORELESS else words.interval(summary.presence(some)),
                )
            )
    return lines


def _others(main: Mapping[str, Row]) -> str:
    lines = []
    for name, row in main.items():
        for one in decisions(row):
            lesions = summary.cases(row, one).lesions
            means = (lesions.scores[key].mean() for key in ("dice", "iou", "precision", "recall", "nsd"))
            lines.append(
                (
                    title(name),
                    decision(one),
                    str(lesions.count),
                    *(number(float(value)) for value in means),
                    number(float(np.median(lesions.scores["dice"]))),
                    number(float(np.median(lesions.scores["hd95"])), 1),
                    str(int((lesions.scores["dice"] == 0).sum())),
                )
            )
    header = ("row", "decision", "n", "DSC", "IoU", "precision", "recall", "NSD", "median DSC")
    return (
        "## Other scores\n\n"
        "Means over images with a lesion, unless a median is named. “DSC 0” counts lesions that were missed or "
        "answered beside, with every seed.\n\n" + table((*header, "median HD95, pixels", "DSC 0"), lines, texts=2)
    )


def _not_run(stored: Stored) -> str:
    names = (*known.PLANNED, *sorted(set(stored.reasons) - set(known.PLANNED)))
    lines = [
        (title(name), "NOT RUN", stored.reasons.get(name, "no reason given"))
        for name in names
        if name not in stored.rows
    ]
    if not lines:
        return ""
    return "## Not run\n\n" + table(("row", "", "reason"), lines, texts=3)


def _comparisons(main: Mapping[str, Row]) -> str:
    if "locked" not in main:
        return "## Comparisons\n\n`locked` is NOT RUN: there is nothing to compare."
    named, network = (summary.cases(main["locked"], one) for one in (NAMED, TWO_VIEWS))
    pairs = [("`locked`, named values", named, "`locked`, {z ≥ 0}", network)]
    for name, row in main.items():
        if name != "locked" and NAMED in row.decisions:  # another network under the same region layer
            pairs.append(("`locked`, named values", named, f"{title(name)}, named values", summary.cases(row, NAMED)))
        elif name != "locked":
            other = summary.cases(row, TWO_VIEWS)
            pairs += [
                ("`locked`, named values", named, title(name), other),
                ("`locked`, {z ≥ 0}", network, title(name), other),
            ]
    found = summary.contests(pairs)
    lines = [
        (
            one.first,
            one.second,
            words.interval(one.mean, signed=True),
            words.interval(one.typical, signed=True),
            words.chance(one.ranked.p),
            words.chance(one.adjusted),
        )
        for one in found
    ]
    header = ("first", "second", "mean difference [95 %]", "Hodges–Lehmann [95 %]", "Wilcoxon p", "Holm p")
    return (
        "## Comparisons\n\n"
        f"DSC of the first − DSC of the second on the same {named.lesions.count} images with a lesion; rank tests on "
        f"the means of {named.lesions.independent} duplicate groups; Holm over these {len(found)} comparisons. The "
        "second, where nothing else is said, is the float network with {z ≥ 0}, two views.\n\n"
        + table(header, lines, texts=2)
    )


def _printed() -> str:
    return (
        "### The paper's own table\n\n"
        "As printed in arXiv 2607.02185v1; **another split that leaks duplicates, ImageNet weights**, 98 test images "
        "with a lesion, one run. Not comparable with the rows above. What is wrong in it: "
        "[ADR 9](../adr/0009-the-paper-preset.md).\n\n"
        + table(("network", "parameters", "DSC, n = 98", "IoU, n = 98"), known.PAPER)
    )


def _kinds(main: Mapping[str, Row], stored: Stored) -> str:
    if not main:
        return ""
    lesions = summary.cases(next(iter(main.values())), TWO_VIEWS).lesions
    kinds = sorted(set(lesions.kinds))
    lines = []
    for name, row in main.items():
        for one in (TWO_VIEWS, NAMED):
            if one in row.decisions:
                some = summary.cases(row, one).lesions
                means = (words.interval(summary.mean(some.of_kind(kind))) for kind in kinds)
                lines.append((title(name), decision(one), *means))
    header = [f"{kind}, n = {lesions.of_kind(kind).count}" for kind in kinds]
    return (
        "## By kind\n\nMean DSC [95 %].\n\n"
        + table(("row", "decision", *header), lines, texts=2)
        + _picture(stored, "histogram.png", "How the DSC of the lesions is spread, named values deciding")
    )


def _seeds(main: Mapping[str, Row]) -> str:
    found = _by_seed(main)
    if not found:
        return "## Seeds\n\nEvery row was trained with one seed: how far another would lie from it is not known."
    return "## Seeds\n\n" + found


def _by_seed(rows: Mapping[str, Row]) -> str:
    """A table of the rows with several seeds; empty where there is none."""
    lines = []
    for name, row in rows.items():
        for one in (TWO_VIEWS, NAMED):
            if one in row.decisions and len(row.run.recipe.folds.seeds) > 1:
                means = summary.seeds(row, one)
                values = np.array(list(means.values()))
                told = ", ".join(f"{seed}: {number(value)}" for seed, value in means.items())
                count = summary.cases(row, one).lesions.count
                lines.append(
                    (
                        title(name),
                        decision(one),
                        told,
                        number(float(np.ptp(values))),
                        number(float(values.std(ddof=1))),
                        str(count),
                    )
                )
    header = ("row", "decision", "mean DSC by seed", "range", "standard deviation", "n a seed")
    return table(header, lines, texts=3) if lines else ""


def _calibration(main: Mapping[str, Row], stored: Stored) -> str:
    lines = []
    for name, row in main.items():
        seeds = row.calibration.seeds
        temperatures = [fold.temperature for seed in seeds for fold in seed.folds]
        for region, of in (("pooled", "all pixels"), ("band", "border band")):
            scaled = [getattr(seed, region) for seed in seeds]
            errors = (
                np.mean([getattr(getattr(one, state), kind) for one in scaled])
                for kind in ("equal_width", "equal_mass", "confidence")
                for state in ("before", "after")
            )
            lines.append(
                (
                    title(name),
                    of,
                    f"{scaled[0].before.pixels:,}",
                    *(number(float(value), 4) for value in errors),
                    f"{min(temperatures):.3f} … {max(temperatures):.3f}",
                )
            )
    if not lines:
        return ""
    one = next(iter(main.values())).calibration
    header = ("row", "pixels of", "n", "equal width", "after T", "equal mass", "after T", "confidence", "after T", "T")
    return (
        "## Calibration\n\n"
        f"Expected calibration error of the lesion probability σ(z), two views, on {one.cases} images on "
        f"the working grid; {one.bins} bins of equal width or of equal mass; the band lies within "
        f"{one.band_pixels:g} pixels of the true border. “After T”: z divided by a temperature fitted by log loss on "
        "the other folds. “Confidence” is the paper's kind of error, max(p, 1 − p) against accuracy. Where there are "
        "several seeds, errors are means over seeds and n is of one.\n\n"
        + table(header, lines, texts=2)
        + _picture(stored, "reliability.png", "Reliability over all pixels and in the border band")
    )


def _targets(main: Mapping[str, Row], stored: Stored) -> str:
    lines = targets.judged(main, stored.faithfulness, stored.external, stored.quantised)
    return "## Targets\n\n" + table(("target", "measured [95 %]", "reached"), lines, texts=3)


def _tried(stored: Stored) -> str:
    if not stored.tried:
        return ""
    lines = [(one.kind, one.idea, one.setting, one.without, one.found, one.verdict) for one in stored.tried]
    return (
        "## What was tried to reach them\n\n"
        "Mean DSC of the held-out lesions. These are looks at one or two folds with one seed: a difference below about "
        "0.02 is noise, and nothing was chosen by the test split or the external set.\n\n"
        + table(("kind", "idea", "setting", "without", "with", "what came of it"), lines, texts=6)
    )


def _apart(rows: Mapping[str, Row], start: str) -> str:
    some = {name: row for name, row in rows.items() if name.startswith(start)}
    if not some:
        return ""
    heading, text = known.APART[start]
    parts = [table(_columns(some), _scores(some), texts=2)]
    if start == known.SMALL:
        parts += [variants.small(some), _by_seed(some)]
    return "\n\n".join([f"## {heading}", text, *(part for part in parts if part)])


def _picture(stored: Stored, file: str, text: str) -> str:
    return f"\n\n![{text}](results/{file})" if file in stored.pictures else ""
