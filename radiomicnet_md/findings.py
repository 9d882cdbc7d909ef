# SPDX-License-Identifier: Apache-2.0
"""A decision in the codes of a report: IBSI's where IBSI has one, ours where not, each from one table.

Rules of this module:

- A code of ours is a letter and the place in its table. The tables are those of ``radiomics``; their order is part of
  the scheme, and ``docs/reference/dicom-objects.md`` lists every code (a test compares them).
- Numbers are the record's: integers divided by their scale, doubles as recorded.
- What is undefined has no number; its reason is said once, with the names it holds for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from radiomicnet_md.decision import LOGIT_BITS, SCORE_BITS, Decision, Region, margin
from radiomicnet_md.image import array_sha256, mask_sha256
from radiomicnet_md.io.coded import Code, Finding, Findings, Maps, Quantity, ibsi
from radiomicnet_md.io.structured_report import PRESENCE
from radiomicnet_md.radiomics import lesion_definitions
from radiomicnet_md.radiomics.definitions import DEFINITIONS
from radiomicnet_md.radiomics.region_definitions import VALUES
from radiomicnet_md.review.names import label

if TYPE_CHECKING:
    from radiomicnet_md_audit.appending import Receipt

_MEANING = 64  # characters of a code's meaning (LO)
_LOGIT = float(1 << LOGIT_BITS)
_SCORE = float(1 << SCORE_BITS)
_ONE = ("1", "no units")
_REGION = ("{region}", "region")
# UCUM has exponents for units alone, not for what stands in braces.
UNITS = {
    "1": _ONE,
    "bit": ("bit", "bit"),
    "code": ("{code}", "code of a local binary pattern"),
    "grey level": ("{gl}", "grey level"),
    "grey level²": ("{gl2}", "square of grey levels"),
    "grey level² mm² (3-D: mm³)": ("mm2{gl2}", "square of grey levels times square millimeter"),
    "levels": ("{level}", "discretised level"),
    "levels²": ("{level2}", "square of levels"),
    "levels³": ("{level3}", "cube of levels"),
    "levels⁴": ("{level4}", "fourth power of levels"),
    "levels⁻¹": ("{level-1}", "per level"),
    "levels⁻²": ("{level-2}", "per square of levels"),
    "levels² px²": ("{level2.px2}", "square of levels times square of pixels"),
    "levels⁻² px²": ("{level-2.px2}", "square of pixels per square of levels"),
    "levels² px⁻²": ("{level2.px-2}", "square of levels per square of pixels"),
    "levels⁻² px⁻²": ("{level-2.px-2}", "per square of levels and square of pixels"),
    "mm": ("mm", "millimeter"),
    "mm²": ("mm2", "square millimeter"),
    "mm⁻¹": ("/mm", "per millimeter"),
    "px": ("{px}", "pixel"),
    "px²": ("{px2}", "square of pixels"),
    "px⁻²": ("{px-2}", "per square of pixels"),
    "runs": ("{run}", "run"),
    "runs/px": ("{run/px}", "runs per pixel"),
    "zones": ("{zone}", "zone"),
    "zones/px": ("{zone/px}", "zones per pixel"),
}
_LESION = lesion_definitions.names(2)
_NAMED = {definition.key: definition for definition in DEFINITIONS}

REGIONS = Code("D002", "Number of segmented regions")
CANDIDATES = Code("D003", "Number of candidate regions")
MARGIN = Code("D004", "Margin of the choice over the next best candidate")
RUNNER_UP = Code("D005", "Score of the next best candidate")
PIXELS = Code("D006", "Pixels of the region")
SCORE = Code("D007", "Score of the region: intercept and terms")
INTERCEPT = Code("D008", "Intercept of the score")
RECORD = Code("D101", "Record id")
INDEX = Code("D102", "Index in the log")
ENVELOPE = Code("D103", "SHA-256 of the record's envelope")
KEY = Code("D104", "Key that signed the record (SHA-256 of its public half)")
MASK = Code("D105", "SHA-256 of the mask")
CONTRIBUTIONS = Code("D106", "SHA-256 of the contributions")
STAMP = Code("D107", "Stamp of the result")
OURS = (
    *(PRESENCE, REGIONS, CANDIDATES, MARGIN, RUNNER_UP, PIXELS, SCORE, INTERCEPT),
    *(RECORD, INDEX, ENVELOPE, KEY, MASK, CONTRIBUTIONS, STAMP),
)
REST = Code("C098", "What no name explains (rest)")
LOGIT = Code("C099", "Evidence: bias, contributions and rest")

TERMS = {value.name: Code(f"T{n:03}", f"Term: {label(value.name)}"[:_MEANING]) for n, value in enumerate(VALUES, 1)}
SHARES = {d.key: Code(f"C{n:03}", f"Contribution of {d.name}") for n, d in enumerate(DEFINITIONS, 1)}
# IBSI's codes that DICOM does not list, with the names of IBSI's reference manual (arXiv 1612.07003).
_INTENSITY = {
    "Q4LE": "Mean intensity",
    "ECT3": "Intensity variance",
    "KE2A": "Intensity skewness",
    "Y12H": "Median intensity",
    "1GSF": "Minimum intensity",
    "QG58": "10th intensity percentile",
    "8DWT": "90th intensity percentile",
    "84IY": "Maximum intensity",
    "SALO": "Intensity interquartile range",
    "2OJQ": "Intensity range",
    "4FUA": "Intensity mean absolute deviation",
    "1128": "Intensity robust mean absolute deviation",
    "N8CA": "Intensity energy",
    "5ZWQ": "Root mean square intensity",
}


def _ibsi(value: str, else_: Code) -> Code:
    if not value:
        return else_
    return ibsi().get(value) or Code(value, _INTENSITY[value], "IBSI")


OF_IMAGE = {
    d.key: _ibsi(d.ibsi, Code(f"F{n:03}", d.name[0].upper() + d.name[1:])) for n, d in enumerate(DEFINITIONS, 1)
}
OF_LESION = {
    key: _ibsi(measure.ibsi, Code(f"P{n:03}", f"PyRadiomics {key}"))
    for n, (key, measure) in enumerate(_LESION.items(), 1)
}


def findings(decision: Decision, receipt: Receipt, stamp: str) -> Findings:
    """What a report says of a decision and of its record."""
    statements = (
        (RECORD, receipt.record_id),
        (INDEX, str(receipt.index)),
        (ENVELOPE, receipt.envelope_sha256),
        (KEY, receipt.keyid),
        (MASK, mask_sha256(decision.mask)),
        (CONTRIBUTIONS, array_sha256(decision.contributions)),
        (STAMP, stamp.replace(" · ", "; ")),
    )
    lesions = tuple(
        Finding((*_choice(region, lesion), *_values(lesion["values"])), tuple(_left_out(lesion["values"])))
        for region, lesion in zip(decision.chosen, decision.lesions, strict=True)
    )
    return Findings(tuple(_of_image(decision)), statements, lesions)


def maps(decision: Decision) -> Maps:
    """The planes of the evidence: what each name gave, what no name explains, and their sum with the bias."""
    named = zip((SHARES[name] for name in decision.names), decision.contributions, strict=True)
    rows, columns = decision.levels.shape
    return Maps((*named, (REST, decision.rest), (LOGIT, decision.logit)), (rows, columns))


def _of_image(decision: Decision) -> Iterator[Quantity]:
    yield Quantity(REGIONS, len(decision.chosen), _REGION)
    yield Quantity(CANDIDATES, decision.candidates, _REGION)
    beat = margin(decision.chosen, decision.runner_up)
    if decision.runner_up is not None and beat is not None:
        yield Quantity(RUNNER_UP, decision.runner_up.score / _SCORE)
        yield Quantity(MARGIN, beat / _SCORE)
    for name, value in decision.paper_values.items():
        yield Quantity(OF_IMAGE[name], value, UNITS[_NAMED[name].unit])


def _choice(region: Region, lesion: Mapping[str, Any]) -> Iterator[Quantity]:
    yield Quantity(PIXELS, lesion["pixels"], UNITS["px"])
    yield Quantity(SCORE, region.score / _SCORE)
    yield Quantity(INTERCEPT, region.intercept / _SCORE)
    for name, term in region.terms.items():
        yield Quantity(TERMS[name], term / _SCORE)


def _values(values: Mapping[str, Any]) -> Iterator[Quantity]:
    for name, value in values.items():
        if not isinstance(value, Mapping):
            number = float.fromhex(value) if isinstance(value, str) else float(value)
            yield Quantity(OF_LESION[name], number, UNITS[_LESION[name].unit])


def _left_out(values: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each reason, in the order of the values."""
    reasons: dict[str, list[str]] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            reasons.setdefault(str(value["undefined"]), []).append(OF_LESION[name].meaning)
    for reason, names in reasons.items():
        yield f"{len(names)} left out, {reason}: {', '.join(names)}"
