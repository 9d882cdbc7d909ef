# SPDX-License-Identifier: Apache-2.0
"""A folder of cases with truth is decided by the real desk, scored, judged against what was demanded, and signed for.

Rules of this module:

- What is wrong with objects, folder, home or output folder is said before any case is decided.
- Cases are decided as a batch: one record each, safe to stop, and a second call in the same folder goes on.
- What is scored is the mask that the record names, from the home, by its digest; not a file in the output folder.
- An output folder belongs to one set, one release, one log and one form of the demands.
- A split called ``test`` is opened on the record first (``unsealing``).
- A device that became unfit while it was measured (its known answers did not come out) has no performance.
"""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, cast

import numpy as np

from radiomicnet_md import batching, io, opening, shelf
from radiomicnet_md.batching import Told as Answered
from radiomicnet_md.config import Settings
from radiomicnet_md.desk import Desk
from radiomicnet_md.errors import ConfigurationError, InputError, IntegrityError, NotQualifiedError, Problem, UsageError
from radiomicnet_md.home import open_home
from radiomicnet_md.intent import new_id
from radiomicnet_md.io.files import place
from radiomicnet_md_audit import canonical, clock
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_validation import (
    acceptance,
    case_set,
    performance,
    performance_pictures,
    performance_report,
    unsealing,
)
from radiomicnet_md_validation.acceptance import Objective
from radiomicnet_md_validation.case_set import Case, CaseSet, Truth
from radiomicnet_md_validation.performance import Scored, Told
from radiomicnet_md_validation.performance_pictures import Shown
from radiomicnet_md_validation.performance_report import Report
from radiomicnet_md_validation.pixel_probability import Evidence

NOTE, MANIFEST, CASES = "validation.json", "manifest.csv", "cases"
_STATES = {"accepted": "RESULT", "refused": "REFUSED"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be measured; ``site`` says that the cases are a site's own and not public ones."""

    folder: Path
    split: str | None
    out: Path
    jobs: int
    site: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it, and the digests of the files that say so."""

    report: Report
    files: Mapping[str, str]  # name in the output folder to SHA-256

    @property
    def summary(self) -> dict[str, Any]:
        """The report without its cases, and the digests of its files: values that a record can hold."""
        content = performance_report.content(self.report)
        return {name: value for name, value in content.items() if name != "cases"} | {"files": dict(self.files)}


@dataclass(frozen=True, slots=True)
class _Begun:
    """A measurement that may go on."""

    id: str
    objectives: tuple[Objective, ...]
    cases: CaseSet
    plan: batching.Plan
    release: Mapping[str, str]
    training: Sequence[str]
    opening: unsealing.Opening | None


def measured(
    settings: Settings,
    passphrase: bytes,
    asked: Asked,
    stop: threading.Event,
    tell: Callable[[Answered, int], None] = lambda _, __: None,
) -> Measured:
    """Measure, judge and write the reports; ``tell`` is given each answer and the number of cases.

    Raises :class:`KeyboardInterrupt` where ``stop`` was set; the same call goes on later. Raises the problems of
    ``case_set.read``, ``acceptance.objectives``, ``batching`` and the log; :class:`UsageError` ``E-VALIDATE-OTHER``;
    what made the device unfit on the way.
    """
    begun = _begin(settings, passphrase, asked)
    answers: dict[int, Answered] = {}
    dealer = batching.Pool(settings, passphrase, asked.jobs)
    for one in batching.run(begun.plan, batching.Book(begun.plan), dealer, stop):
        answers[one.row] = one
        tell(one, len(begun.plan.rows))
    _refuse_unfit(answers.values())
    if stop.is_set():
        raise KeyboardInterrupt
    home, evidence = open_home(settings.home), Evidence()
    with home.writing_ledger(passphrase, settings.audit_db) as ledger:
        scored = [
            _scored(case, answers[row.number], ledger, home.folder, evidence)
            for case, row in zip(begun.cases.cases, begun.plan.rows, strict=True)
        ]
        seen = begun.cases.seen(begun.training)
        report = Report(
            site=asked.site,
            cases=begun.cases,
            release=begun.release,
            origin=ledger.origin,
            size=ledger.size,
            time_utc=clock.now().text(),
            opening=begun.opening,
            judged=tuple(acceptance.judge(one, scored, seen) for one in begun.objectives),
            scored=tuple(scored),
            seen=seen,
            evidence=evidence,
            shown=_worst(scored, begun.cases, ledger, home.folder),
        )
        files = performance_report.written(report, asked.out, ledger.writer.engine_key)
    return Measured(report, files)


def _begin(settings: Settings, passphrase: bytes, asked: Asked) -> _Begun:
    objectives, cases = acceptance.objectives(), case_set.read(asked.folder, asked.split)
    with opening.open_desk(settings, passphrase) as desk:
        if isinstance(desk.engine, Problem):
            raise desk.engine
        release = cast("Mapping[str, str]", desk.maker.release)
        run_id = _noted(asked, cases, objectives, desk)
        plan = _plan(asked.out, cases, release["manifest_sha256"])
        files = opening.verified_release(settings, desk.ledger).files
        training = json.loads(files.get("training_record.json", b"{}")).get("training_cases", ())
        sealed = cases.split == case_set.SEALED
        opened = unsealing.opened(desk, run_id, cases, objectives) if sealed else None
    return _Begun(run_id, objectives, cases, plan, release, training, opened)


def _noted(asked: Asked, cases: CaseSet, objectives: Sequence[Objective], desk: Desk) -> str:
    """The id of the measurement in the output folder, a new one where there is none yet."""
    said = {
        "acceptance": {one.id: one.sha256 for one in objectives},
        "cases": cases.sha256,
        "log": desk.ledger.origin,
        "release": dict(desk.maker.release or {}),
        "site": asked.site,
    }
    path = asked.out / NOTE
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        made = new_id()
        place(path, canonical.dumps({"id": made, **said}))
        return made
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        raise ConfigurationError(
            "E-VALIDATE-NOTE", f"{NOTE} in this folder cannot be read.", remedy="Name another folder with --out."
        )
    other = sorted(name for name, value in said.items() if found.get(name) != value)
    if other:
        raise UsageError(
            "E-VALIDATE-OTHER",
            f"The measurement in this folder is another one: it differs in {', '.join(other)}.",
            remedy="Name another folder with --out.",
        )
    return str(found["id"])


def _plan(out: Path, cases: CaseSet, release: str) -> batching.Plan:
    """The batch over the cases, one row each."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("input", "name"))
    writer.writerows((case.image, case.id) for case in cases.cases)
    place(out / MANIFEST, text.getvalue().encode())
    plan = batching.plan(out / MANIFEST, out / CASES, "png", release, resume=True)
    if len(plan.rows) != len(cases.cases):
        raise InputError(
            "E-VALIDATE-CASES",
            "A file of this folder holds several images, and a case is one.",
            remedy="Give each frame a file of its own.",
        )
    return plan


def _refuse_unfit(answers: Iterable[Answered]) -> None:
    for one in answers:
        for kind in (IntegrityError, NotQualifiedError):
            if one.exit_code == kind.exit_code:
                reason = one.line["reason"]
                remedy = f"{reason['remedy']} Then measure again into another folder."
                raise kind(reason["code"], reason["text"], remedy=remedy)


def _scored(case: Case, answer: Answered, ledger: Ledger, home: Path, evidence: Evidence) -> Scored:
    """A case against its truth, by the record of its answer."""
    line, truth = answer.line, case_set.truth(case)
    code = (line["reason"] or {}).get("code", "")
    told = Told(line["status"], code, line["record_id"] or "", line["log_index"])
    if told.status == "error":
        return performance.scored(case, told, truth, None)
    predicate = cast("dict[str, Any]", ledger.read(ledger.find(told.record_id)).predicate)
    file_sha256 = (predicate["input"] or {}).get("file_sha256")
    if (predicate["state"], file_sha256) != (_STATES[told.status], case.image_sha256):
        raise _other(case)
    if told.status == "refused":
        return performance.scored(case, told, truth, None)
    evidence.add(home, predicate, truth)
    return performance.scored(case, told, truth, _mask(case, home, predicate["outputs"], truth))


def _mask(case: Case, home: Path, outputs: Mapping[str, Any], truth: Truth) -> Truth:
    kept = shelf.fetch(home, outputs["mask_sha256"])
    if kept is None or outputs["mask_shape"] != list(truth.shape):
        raise _other(case)
    return np.asarray(np.frombuffer(kept, dtype=np.uint8).reshape(truth.shape) != 0)


def _worst(scored: Sequence[Scored], cases: CaseSet, ledger: Ledger, home: Path) -> tuple[Shown, ...]:
    """The results that are furthest from the truth."""
    results = sorted((one for one in scored if one.answered), key=lambda one: (one.scores.dice, one.id))
    of = {one.id: one for one in cases.cases}
    return tuple(_shown(one, of[one.id], ledger, home) for one in results[: performance_pictures.MOST])


def _shown(one: Scored, case: Case, ledger: Ledger, home: Path) -> Shown:
    truth = case_set.truth(case)
    outputs = cast("dict[str, Any]", ledger.read(ledger.find(one.told.record_id)).predicate["outputs"])
    title = f"{one.id}: Dice {one.scores.dice:.3f}"
    return Shown(title, io.grey(io.read(case.image).image), truth, _mask(case, home, outputs, truth))


def _other(case: Case) -> IntegrityError:
    return IntegrityError(
        "E-VALIDATE-RECORD",
        f"The record of case {case.id} is not of its image, or its mask is not kept any more.",
        remedy="Measure again into another folder, from the images as they are.",
    )
