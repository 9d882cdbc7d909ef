# SPDX-License-Identifier: Apache-2.0
"""From the log to numbers: one observation a file, with every named value that its record holds.

Rules of this module:

- A file counts once, by its first terminal record (RESULT or REFUSED) under the release in force: frames of a clip and
  files that were sent again are no new images, and would look like a drift of their own making.
- Values come out in their own units, as the record has them; what a record does not hold is not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from radiomicnet_md.radiomics.region_definitions import VALUES
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.statement import DECISION, TERMINAL_STATES

DISTANCE = "distance from the training images"
SCORE, MARGIN, CANDIDATES = "score of the best region", "margin", "candidates"
NAMED_SHARE, CERTIFIED = "named share", "certified pixels"
REFUSED, NO_LESION, FLAGGED = "refused", "no lesion found", "flagged"
SHARES = (REFUSED, NO_LESION, FLAGGED)  # 0 or 1 each
_SCALE = {f"region: {value.name}": value.scale for value in VALUES}


@dataclass(frozen=True, slots=True)
class Observation:
    """What the record of a file says in numbers."""

    index: int  # in the log
    time_utc: str
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Observed:
    """All observations in the order of the log, and the records that are none."""

    observations: tuple[Observation, ...]
    errors: int  # attempts that ended in an ERROR
    others: int  # decisions by another release
    again: int  # further records of a file that was seen before


def observed(ledger: Ledger, release: tuple[str, str]) -> Observed:
    """Every file that the release (id, version) decided or refused.

    Raises :class:`IntegrityError` where the signature of an entry does not hold.
    """
    found: list[Observation] = []
    seen: set[str] = set()
    errors = others = again = 0
    for entry in ledger.entries():
        said = ledger.read(entry)
        if said.predicate_type != DECISION:
            continue
        predicate: Mapping[str, Any] = said.predicate
        if predicate["state"] not in TERMINAL_STATES:
            errors += 1
        elif _release(predicate) != release:
            others += 1
        elif (file := _file(predicate, said.record_id)) in seen:
            again += 1
        else:
            seen.add(file)
            found.append(Observation(entry.index, said.log.time_utc, values(predicate)))
    return Observed(tuple(found), errors, others, again)


def values(predicate: Mapping[str, Any]) -> dict[str, float]:
    """Every number of a terminal record, by name; region values are those of the best region, ``region: name``."""
    found = {REFUSED: float(predicate["state"] == "REFUSED"), **dict(_distance(predicate))}
    decision = predicate["decision"]
    if predicate["state"] != "RESULT" or decision is None:
        return found
    found[NO_LESION] = float(not decision["chosen"])
    found[FLAGGED] = float(any(not check["held"] for check in predicate["checks"]))
    found |= {name: float.fromhex(value) for name, value in predicate["radiomics"]["paper"].items()}
    found |= dict(_sure(predicate["pixels"]))
    unit = 1 << decision["score_bits"]
    found[CANDIDATES] = float(decision["candidates"])
    if decision["margin"] is not None:
        found[MARGIN] = decision["margin"] / unit
    if decision["chosen"]:
        best = decision["chosen"][0]
        found[SCORE] = best["score"] / unit
        found |= of_region(best)
    return found


def of_region(region: Mapping[str, Any]) -> dict[str, float]:
    """The values of one region of a record, ``region: name``, in their own units."""
    found = {f"region: {name}": value for name, value in region["values"].items()}
    return {name: value / _SCALE[name] for name, value in found.items() if name in _SCALE}


def _release(predicate: Mapping[str, Any]) -> tuple[str, str] | None:
    named = predicate["release"]
    return None if named is None else (named["id"], named["version"])


def _file(predicate: Mapping[str, Any], record_id: str) -> str:
    """What stands for the file; a request that could not be read stands for itself."""
    return (predicate["input"] or {}).get("file_sha256") or record_id


def _distance(predicate: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The check ``familiar`` says ``distance 12.3; …``; a refusal says it too."""
    for check in predicate["checks"]:
        word, _, rest = check["value"].partition(" ")
        if check["name"] == "familiar" and word == "distance":
            yield DISTANCE, float(rest.partition(";")[0])


def _sure(pixels: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    share, certified = pixels["named_share"], pixels["certified"]
    if int(share["denominator"]):
        yield NAMED_SHARE, int(share["numerator"]) / int(share["denominator"])
    yield CERTIFIED, certified["pixels"] / certified["of"]
