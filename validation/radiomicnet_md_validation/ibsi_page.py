# SPDX-License-Identifier: Apache-2.0
"""The pages of agreement with IBSI 1: counts and every deviation on one, every row that was measured on the other.

Rules of this module:

- Every number of the pages is counted from the rows; only the sentences are written by hand.
- Each table of counts says what it adds up to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from radiomicnet_md_validation.ibsi_pipeline import CONFIGURATIONS, DIGITAL, Configuration
from radiomicnet_md_validation.ibsi_rows import Row, Verdict
from radiomicnet_md_validation.ibsi_values import EXCESS, GREY, HISTOGRAM, SHAPE

_HEAD = """\
<!-- Made by `python -m radiomicnet_md_validation.ibsi --write`; a test holds it equal to the code. -->
# Agreement with IBSI 1

The Image Biomarker Standardisation Initiative (IBSI) publishes reference values of radiomic features for a drawn
phantom (dig. phantom) and for a CT image processed in five ways (config. A to E). This page compares each value that
[the device defines](radiomics.md) with its reference, and counts the rest; a second page has
[each value](ibsi-values.md).

**{within} of {covered} covered values agree; {outside} do not, each for a cause that is named and confirmed below.**
{total} rows in the list = {covered} covered + {undefined} of features that the device does not define + {merged} of
aggregations that it does not have. Of the dense maps, {dense_within} of {dense} values that one window can give agree.

Values of configurations A to E: demonstration on public data, not clinical evidence.
"""

_RULES = """\

## How it is compared

- Ours is rounded to three significant digits, as IBSI rounded every value behind its list, and may then differ
  by the published tolerance; where none is published (most of the digital phantom), all three digits must
  be equal. Of the agreements with a published tolerance, {rounded} would lie beyond it unrounded.
- Values come from `radiomics.lesion`, which measures by PyRadiomics 3.0.1. Shape is measured on the mask as drawn
  (IBSI: morphological), statistics and texture on the mask after re-segmentation (IBSI: intensity). "Intensity
  histogram" is the first-order definitions measured on levels.
- The dense maps (`radiomics.dense`) are compared where one window holds a whole region: grey levels of the digital
  phantom and of its slices, in a window of radius 4.
- "2D" and "2D, averaged" are the plain mean of the values of the slices; "3D, averaged" is the value of the
  volume, where PyRadiomics averages over the 13 directions. Aggregations that merge matrices first are not covered.
- Rows are matched by IBSI's code; the histogram's names and one size zone feature by name, because the list has
  doubtful or no codes there. Dissimilarity (8S9J) and sum variance (OEEB) are by IBSI's own formulas the
  difference average and the cluster tendency.

The CT image is processed by `radiomicnet_md_validation.ibsi_pipeline`: the new grid has ⌈n s / s′⌉ points an axis
and the old one's centre, grey values are rounded after interpolation, the mask is interpolated linearly and
cut at 0.5, then re-segmented, then divided into levels:
"""

_DIFFERENCES = """\

## Known differences of definition

| what differs | rows | of these outside |
| --- | --- | --- |
| kurtosis: PyRadiomics does not subtract 3; 3 is subtracted here | {kurtosis[0]} | {kurtosis[1]} |
| lengths of axes: covariance by n instead of n − 1 (elongation and flatness are ratios: no difference) \
| {axes[0]} | {axes[1]} |
| normalised inverse difference (moment) per slice: N_g of the slice instead of the region | {levels[0]} | {levels[1]} |
| percentiles and what is cut at them: linear interpolation between neighbours | {percentiles[0]} | {percentiles[1]} |
| volume: by mesh and by voxels are two features in IBSI and here | {volumes[0]} | {volumes[1]} |

Fixed bin size: IBSI numbers levels from a lower bound, the lower end of the re-segmentation range; so does
`radiomics.lesion(…, bin_width=25, bin_start=-1000)`. Without `bin_start` it numbers them, as PyRadiomics does, from the
lowest level in the region. What that changes in the textures of a volume (`bin_count=32` in D and E has no start):

"""

_SOURCES = """\

## Sources

Reference values: IBSI reference manual (arXiv 1612.07003), CC BY 4.0; Zwanenburg A, et al. The Image Biomarker
Standardization Initiative. Radiology 2020;295:328–338. Digital phantom: CC BY 4.0. CT radiomics phantom: CC BY-NC 3.0,
non-commercial; it is not part of this project. The list has no value for {valueless} of its rows.
"""

_VALUES = """\
<!-- Made by `python -m radiomicnet_md_validation.ibsi --write`; a test holds it equal to the code. -->
# Every value compared with IBSI 1

The {covered} values that are counted in [Agreement with IBSI 1](ibsi.md), which says how they are compared and where
the reference values come from. Each is named by IBSI's code and by PyRadiomics' name; consensus is IBSI's.
"""


def page(rows: Sequence[Row]) -> str:
    """The page of counts and deviations as Markdown."""
    verdicts = Counter(row.verdict for row in rows)
    counts = {
        "within": verdicts[Verdict.WITHIN],
        "outside": verdicts[Verdict.OUTSIDE],
        "covered": verdicts[Verdict.WITHIN] + verdicts[Verdict.OUTSIDE],
        "undefined": verdicts[Verdict.NOT_DEFINED],
        "merged": verdicts[Verdict.NOT_COVERED],
        "total": len(rows),
        "dense": sum(row.dense is not None for row in rows),
        "dense_within": sum(row.dense is True for row in rows),
    }
    rounded = sum(_needs_rounding(row) for row in rows)
    return "".join(
        [
            _HEAD.format(**counts),
            _summaries(rows),
            _deviations(rows),
            _DIFFERENCES.format(**_differences(rows)),
            _plain(rows),
            _RULES.format(rounded=rounded, **counts),
            "\n" + _steps(),
            _not_covered(rows),
            _SOURCES.format(valueless=sum(not row.reference.value for row in rows)),
        ]
    )


def values_page(rows: Sequence[Row]) -> str:
    """The page of all covered values as Markdown."""
    covered = sum(row.value is not None for row in rows)
    return _VALUES.format(covered=covered) + "".join(_values(rows, name) for name in CONFIGURATIONS)


def _needs_rounding(row: Row) -> bool:
    """Whether the value agrees only because it is rounded; not asked where no tolerance is published."""
    if row.value is None or row.verdict is not Verdict.WITHIN or not row.reference.tolerance:
        return False
    return abs(row.value - float(row.reference.value)) > float(row.reference.tolerance)


def _summaries(rows: Sequence[Row]) -> str:
    levels = ("very strong", "strong", "moderate")
    groups = [(name, [row for row in rows if row.reference.data == name]) for name in CONFIGURATIONS] + [("all", rows)]
    agreement = [
        (name, *(_ratio(row for row in group if row.reference.consensus == level) for level in levels), _ratio(group))
        for name, group in groups
    ]
    return (
        "\n## Agreement by data set and consensus\n\nValues within tolerance, of those covered. Consensus is "
        "how many research teams reproduced the value:\nmoderate 3 to 5, strong 6 to 9, very strong 10 or more.\n\n"
        + _table(("data", *levels, "all"), agreement)
        + "\n## What becomes of every row\n\n"
        + _partition("data", rows, lambda row: row.reference.data)
        + "\n"
        + _partition("family", rows, lambda row: row.reference.family)
    )


def _partition(title: str, rows: Sequence[Row], group: Callable[[Row], str]) -> str:
    """Counts of verdicts; each line adds up to its first number, each column to its last."""
    names = list(dict.fromkeys(map(group, rows)))
    lines = [(name, [row for row in rows if group(row) == name]) for name in names] + [("all", list(rows))]
    return _table(
        (title, "rows", *Verdict),
        (
            (name, str(len(members)), *(str(sum(row.verdict is verdict for row in members)) for verdict in Verdict))
            for name, members in lines
        ),
    )


def _deviations(rows: Sequence[Row]) -> str:
    """Rows that are outside or listed as such, with the value that the cause alone explains."""
    return "\n## Every deviation\n\n" + _table(
        ("data", "IBSI", "name", "aggregation", "reference", "tolerance", "ours", "cause", "ours without the cause"),
        (
            (
                row.reference.data,
                row.reference.code,
                f"`{row.key}`",
                row.reference.aggregation or "volume",
                row.reference.value,
                row.reference.tolerance,
                _number(row.value),
                row.cause or "unknown",
                f"{_number(row.mended)} ({'confirmed' if row.as_expected else 'not confirmed'})",
            )
            for row in rows
            if row.verdict is Verdict.OUTSIDE or row.cause is not None
        ),
    )


def _differences(rows: Sequence[Row]) -> dict[str, tuple[int, int]]:
    """Covered rows that a known difference touches, and those of them that are outside."""
    touched: dict[str, Callable[[Row], bool]] = {
        "kurtosis": lambda row: row.key == EXCESS,
        "axes": lambda row: str(row.key).endswith("AxisLength"),
        "levels": lambda row: row.key in {"glcm_Idn", "glcm_Idmn"} and row.reference.aggregation.startswith("2D"),
        "percentiles": lambda row: str(row.key).endswith(
            ("Percentile", "InterquartileRange", "RobustMeanAbsoluteDeviation")
        ),
        "volumes": lambda row: str(row.key).endswith("Volume"),
    }
    covered = [row for row in rows if row.value is not None]
    return {
        name: (sum(map(touches, covered)), sum(touches(row) and row.verdict is Verdict.OUTSIDE for row in covered))
        for name, touches in touched.items()
    }


def _plain(rows: Sequence[Row]) -> str:
    textures = [row for row in rows if row.plain is not None]
    return _table(
        ("data", "textures of the volume", "within, from IBSI's start", "within, without a start"),
        (
            (
                name,
                str(len(chosen)),
                str(sum(row.verdict is Verdict.WITHIN for row in chosen)),
                str(sum(row.plain is True for row in chosen)),
            )
            for name in CONFIGURATIONS
            if (chosen := [row for row in textures if row.reference.data == name])
        ),
    )


def _steps() -> str:
    return _table(
        ("data", "texture", "new grid in mm (z, y, x)", "interpolation", "range in HU", "outliers", "levels"),
        ((name, *_step(name, configuration)) for name, configuration in CONFIGURATIONS.items()),
    )


def _step(name: str, configuration: Configuration) -> tuple[str, ...]:
    grid = configuration.spacing_mm
    bins = f"{configuration.bin_count} bins" if configuration.bin_count else f"width {configuration.bin_width:g}"
    return (
        " and ".join(configuration.texture),
        " × ".join("as it is" if step is None else f"{step:g}" for step in grid) if grid else "as it is",
        {1: "linear", 3: "cubic spline"}[configuration.spline_order] if grid else "none",
        "{:g} to {:g}".format(*configuration.hounsfield) if configuration.hounsfield else "none",
        "beyond 3 σ" if configuration.outliers else "none",
        "as they are" if name == DIGITAL else bins,
    )


def _not_covered(rows: Sequence[Row]) -> str:
    """What the device lacks, one line a family; the counts add up to the two last columns of the table above."""
    lines = []
    for family in dict.fromkeys(row.reference.family for row in rows):
        members = [row for row in rows if row.reference.family == family]
        merged = Counter(row.reference.aggregation for row in members if row.verdict is Verdict.NOT_COVERED)
        absent = Counter(row.reference.feature for row in members if row.verdict is Verdict.NOT_DEFINED)
        everything = sum(absent.values()) == len(members)
        lines.append(
            (
                family,
                "; ".join(f"{name}: {count}" for name, count in merged.items()) or "–",
                ("every feature" if everything else "; ".join(absent)) + f": {sum(absent.values())}" if absent else "–",
            )
        )
    return "\n## What is not covered\n\n" + _table(("family", "aggregation: rows", "features: rows"), lines)


def _values(rows: Sequence[Row], name: str) -> str:
    note = "" if name == DIGITAL else "Demonstration on public data, not clinical evidence.\n\n"
    return f"\n## {name}\n\n{note}" + _table(
        ("IBSI", "feature", "name", "aggregation", "reference", "tolerance", "ours", "verdict", "consensus"),
        (
            (
                row.reference.code,
                row.reference.feature,
                f"`{row.key}`" + (" − 3" if row.key == EXCESS else ""),
                row.reference.aggregation or _mask(row),
                row.reference.value,
                row.reference.tolerance or "three digits",
                _number(row.value),
                f"**{row.verdict}**: {row.cause or 'unknown'}" if row.verdict is Verdict.OUTSIDE else row.verdict,
                row.reference.consensus,
            )
            for row in rows
            if row.value is not None and row.reference.data == name
        ),
    )


def _mask(row: Row) -> str:
    return {SHAPE: "shape", GREY: "grey values", HISTOGRAM: "levels"}[row.reference.family]


def _ratio(rows: Iterable[Row]) -> str:
    covered = [row for row in rows if row.value is not None]
    return f"{sum(row.verdict is Verdict.WITHIN for row in covered)} of {len(covered)}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
