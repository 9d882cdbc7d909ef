# SPDX-License-Identifier: Apache-2.0
"""A record says what would have to come out again; a replay says whether it does, and is itself recorded.

Rules of this module:

- A record that was erased has no samples any more, even where those of another record are the same.
- The samples are the input. Header values (spacing, what the file says of itself) are the recorded ones,
  wherever the samples come from, so that a file that was sent on or converted is still the recorded image.
- Digests, integers and refusals are compared with ``==``. The named floats, which the record keeps for the
  reader, may differ by one part in 10**12; the decision does not rest on them.
- Another code or another library is no excuse while the bits are the same: then the verdict is IDENTICAL.
- When they are not, the first stage that differs is named; if code, release or environment are not the
  recorded ones, the comparison was not of like with like and the verdict says that instead.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from radiomicnet_md import io, shelf
from radiomicnet_md.desk import Desk, judged
from radiomicnet_md.engine import record
from radiomicnet_md.engine.record import Case, Outcome, Reason
from radiomicnet_md.errors import ExitCode, InputError, Problem, UsageError
from radiomicnet_md.image import Frame, Image
from radiomicnet_md.intent import new_id
from radiomicnet_md.privacy.history import erased
from radiomicnet_md_audit.statement import DECISION, REPLAY, build

TOLERANCE = 1e-12  # relative, for the floats that are not part of the decision


class Verdict(StrEnum):
    """How a replay ended."""

    IDENTICAL = "IDENTICAL"
    DIVERGENCE = "FIRST DIVERGENCE"
    ENVIRONMENT = "ENVIRONMENT DIFFERS"
    INPUT = "INPUT MISSING"


EXIT = {
    Verdict.IDENTICAL: ExitCode.OK,
    Verdict.DIVERGENCE: ExitCode.DIVERGED,
    Verdict.ENVIRONMENT: ExitCode.NOT_QUALIFIED,
    Verdict.INPUT: ExitCode.INTENDED_USE,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a replay found, before it is recorded."""

    verdict: Verdict
    stage: str | None  # the first that differs
    text: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recorded replay."""

    of: str  # the record that was replayed
    record_id: str  # the record of the replay
    log_index: int
    finding: Finding

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the verdict."""
        return EXIT[self.finding.verdict]

    def line(self) -> dict[str, Any]:
        """The JSON object for the command line."""
        found = self.finding
        about = {"of": self.of, "record_id": self.record_id, "log_index": self.log_index}
        return {"verdict": str(found.verdict), "stage": found.stage, "text": found.text, **about}


def replay(prefix: str, desk: Desk, source: Path | None = None) -> Replayed:
    """Decide a recorded case again, from ``source`` or from the samples kept with the record.

    Raises :class:`UsageError` for a record that holds no decision on an image, and the desk's own problem
    when it has no engine.
    """
    entry = desk.ledger.find(prefix)
    recorded = desk.ledger.read(entry)
    original: dict[str, Any] = recorded.predicate
    if recorded.predicate_type != DECISION or original["state"] == Outcome.ERROR:
        raise UsageError(
            "E-REPLAY-KIND",
            "Only a result or a refusal can be replayed; this record is neither.",
            remedy="List the records that can be: radiomicnet-md audit list",
        )
    if isinstance(desk.engine, Problem):
        raise desk.engine
    finding = _judge(original, desk, source)
    maker = desk.maker
    predicate: dict[str, Any] = {
        "record_id": new_id(),
        "of": original["record_id"],
        "verdict": str(finding.verdict),
        "stage": finding.stage,
        "text": finding.text,
        "source": "kept samples" if source is None else "file",
        "stamps": list(maker.stamps),
        "operator": maker.operator,
        "release": None if maker.release is None else dict(maker.release),
        "code": dict(maker.code),
        "environment": dict(maker.environment),
        "configuration_sha256": maker.configuration_sha256,
    }
    subject = {"record": hashlib.sha256(entry.envelope).hexdigest()}
    receipt = desk.ledger.append(build(REPLAY, subject, predicate))
    return Replayed(str(original["record_id"]), receipt.record_id, receipt.index, finding)


def _judge(original: Mapping[str, Any], desk: Desk, source: Path | None) -> Finding:
    if original["release"] != desk.maker.release:
        return Finding(Verdict.ENVIRONMENT, "release", "The record was made with another release than this one.")
    try:
        again = _decide_again(original, desk, source)
    except _InputMissingError as missing:
        return Finding(Verdict.INPUT, None, str(missing))
    first = next(_differences(original, record.describe(again, desk.maker), again), None)
    same = original["code"] == desk.maker.code and original["environment"] == desk.maker.environment
    if first is None:
        note = "" if same else " Code or environment are not the recorded ones, and it made no difference."
        return Finding(Verdict.IDENTICAL, None, f"Every recorded digest and integer came out again.{note}")
    if same:
        return Finding(Verdict.DIVERGENCE, first, f"The first stage that came out differently is: {first}.")
    text = f"Code or environment are not the recorded ones, and the stage {first} came out differently."
    return Finding(Verdict.ENVIRONMENT, first, text)


class _InputMissingError(Exception):
    """There is nothing to replay from."""


def _decide_again(original: Mapping[str, Any], desk: Desk, source: Path | None) -> Case:
    """The case as it comes out now, with the identifiers of the original."""
    if isinstance(desk.engine, Problem):
        raise desk.engine
    case = Case(original["record_id"], original["request_id"], Outcome.REFUSED)
    try:
        image = _kept_image(original, desk) if source is None else _given_image(original, source)
    except InputError as problem:
        return replace(case, reason=Reason(problem.code, str(problem), problem.remedy))
    case, stopped = judged(case, image, desk.engine)
    if stopped is None:
        return case
    if isinstance(stopped, InputError):
        return replace(case, reason=Reason(stopped.code, str(stopped), stopped.remedy))
    raise stopped


def _kept_image(original: Mapping[str, Any], desk: Desk) -> Image:
    """The image as it was decoded, from the samples kept with the record."""
    about = original["input"] or {}
    past = erased(desk.ledger).get(original["record_id"])
    if past is not None:
        raise _InputMissingError(f"The samples were erased (record {past.record_id}); give the file with --input.")
    image = shelf.kept_image(desk.home.folder, about)
    if image is None:
        raise _InputMissingError("The samples are not kept in this home; give the file with --input.")
    return image


def _given_image(original: Mapping[str, Any], source: Path) -> Image:
    """The image in a file, which must be the recorded one: in its samples, or, if it has none, in its bytes."""
    about = original["input"] or {}
    frame = about.get("frame")
    try:
        image = io.read(io.Input(source, frame=None if frame is None else Frame(**frame))).image
    except io.UnreadableError as error:
        if error.file_sha256 is None or error.file_sha256 != about.get("file_sha256"):
            raise _InputMissingError("The given file cannot be read, or is not the recorded one.") from error
        raise
    if image.pixels_sha256 != about.get("pixels_sha256"):
        raise _InputMissingError("The given file does not hold the recorded samples.")
    return shelf.as_recorded(about, image.pixels)


def _differences(original: Mapping[str, Any], again: Mapping[str, Any], case: Case) -> Iterator[str]:
    """The stages that differ, in the order in which they come to be."""
    if original["checks"] != again["checks"]:
        yield "checks"
    reasons = [(of["reason"] or {}).get("code") for of in (original, again)]
    if original["state"] != again["state"] or reasons[0] != reasons[1]:
        yield "admission"
    if original["state"] != Outcome.RESULT or case.decision is None:
        return
    for stage in case.decision.stages:
        if (original["stages"] or {}).get(stage) != again["stages"][stage]:
            yield stage
    for part in ("decision", "pixels", "gates", "arithmetic", "outputs"):
        if original[part] != again[part]:
            yield part
    if not alike(original["radiomics"], again["radiomics"]):
        yield "radiomics"


def alike(one: object, other: object) -> bool:
    """Equal, where floats in ``float.hex()`` may differ by :data:`TOLERANCE` of their size."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, str) and isinstance(other, str) and "0x" in one and "0x" in other:
        return math.isclose(float.fromhex(one), float.fromhex(other), rel_tol=TOLERANCE, abs_tol=0.0)
    return one == other
