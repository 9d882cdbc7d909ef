# SPDX-License-Identifier: Apache-2.0
"""The one place where a file, the engine and the log meet: no record, no result.

Rules of this module:

- Every attempt begins with an intent on the disk and ends in one record: RESULT, REFUSED or ERROR. Where the record
  cannot be written, nothing else is, and the next opening records the attempt as interrupted.
- Outputs are written after the log has taken the record, from the receipt it gave.
- What a record names is thrown away only when the log has said that it does not hold the record.
- An engine whose own sums do not hold decides no further case.
- A device that may not decide (release broken, answers not the known ones, not qualified) still keeps its
  log: each request is recorded with the reason, and the input is not decoded.
- Values that may identify a person go no further than their salted commitments.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiomicnet_md import delivery, io, shelf
from radiomicnet_md.delivery import Marks, Target
from radiomicnet_md.engine import acceptance, record
from radiomicnet_md.engine.record import Case, Maker, Outcome, Reason
from radiomicnet_md.engine.state import Event, State, after
from radiomicnet_md.errors import ExitCode, InputError, IntegrityError, NotQualifiedError, Problem
from radiomicnet_md.faults import note_fault
from radiomicnet_md.home import Home
from radiomicnet_md.image import Identity, Image, array_bytes
from radiomicnet_md.intent import Intent

if TYPE_CHECKING:
    from radiomicnet_md.decision import Decision
    from radiomicnet_md.engine.segment import Engine
    from radiomicnet_md_audit.appending import Receipt
    from radiomicnet_md_audit.ledger import Ledger

CASES_BETWEEN_TESTS = 100  # the known-answer test runs at start and then this often
ALGORITHM = "RadiomicNet-MD"

_STATUS = {Outcome.RESULT: "accepted", Outcome.REFUSED: "refused", Outcome.ERROR: "error"}


@dataclass(frozen=True, slots=True)
class Desk:
    """What every case of a process shares; made by :func:`radiomicnet_md.opening.open_desk`."""

    home: Home
    ledger: Ledger
    vault_key: bytes
    maker: Maker
    engine: Engine | Problem  # the engine, or why no case may be decided here
    state: State

    @property
    def operator(self) -> str:
        """The account that records name."""
        return self.maker.operator


@dataclass(frozen=True, slots=True)
class Attempt:
    """How far a case got before its record was written."""

    case: Case
    reading: io.Reading | None
    salt: bytes
    exit_code: ExitCode = ExitCode.OK
    fault: IntegrityError | None = None  # what the engine found wrong with itself


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller is told about a case: the JSON line of the interface contract, and the exit code."""

    status: str  # accepted, refused, error
    record_id: str
    log_index: int
    reason: Reason | None
    input: str
    input_sha256: str | None
    mask_sha256: str | None
    contributions_sha256: str | None
    outputs: tuple[str, ...]
    flags: tuple[str, ...]  # why the result is implausible; empty where it is not
    regions: int | None  # how many were segmented; 0 is "no lesion found"
    exit_code: ExitCode

    def line(self) -> dict[str, Any]:
        """The JSON object."""
        return {name: value for name, value in asdict(self).items() if name not in ("regions", "exit_code")}


def segment_file(given: Path | io.Input, desk: Desk, target: Target) -> Answer:
    """Decide one file: the whole story.

    Raises the ledger's :class:`Problem` when the record cannot be written, or was written and could not be
    anchored. No output is delivered then; what the record names is kept if, and only if, the log holds it.
    """
    item = given if isinstance(given, io.Input) else io.Input(given)
    return decided(item, desk, target, io.Reader())[1]


def decided(
    item: io.Input, desk: Desk, target: Target, reader: io.Reader, request_id: str | None = None
) -> tuple[Attempt, Answer]:
    """Begin an attempt, make it, record it, and deliver what it gave."""
    intent = Intent.new(desk.maker, request_id)
    staged = shelf.stage(desk.home.folder, intent.record_id, intent.to_bytes())
    try:
        attempt = attempted(item, desk, target, intent, reader)
        _keep(staged, attempt, desk)
        predicate = record.describe(attempt.case, desk.maker)
        receipt = desk.ledger.append(record.statement(predicate))
    except BaseException:
        _as_the_log_says(staged, desk.ledger)
        raise
    staged.publish()
    return attempt, delivered(attempt, desk, predicate, receipt, target, item)


def delivered(  # noqa: PLR0913 -- the case, its record, and where its files come from and go
    attempt: Attempt, desk: Desk, predicate: dict[str, Any], receipt: Receipt, target: Target, item: io.Input
) -> Answer:
    """The answer of a case that is in the log, with its files where they could be written."""
    answer = answered(item, attempt, predicate, receipt)
    try:
        return replace(answer, outputs=_deliver(attempt, desk, predicate, receipt, target))
    except Exception as error:  # noqa: BLE001 -- whatever it is: the record stands, and the caller learns both
        reason, exit_code = _reason(error, desk.home)
        return replace(answer, status="error", reason=reason, exit_code=exit_code)


def expanded(paths: Sequence[Path]) -> list[io.Input]:
    """The cases that arguments stand for: a folder, a DICOMDIR, a ZIP file and a loop for all that is in them.

    What cannot be read or holds no image stands for itself, so that its refusal is recorded.
    """
    return [item for path in paths for item in _inputs(path)]


def segment_files(
    inputs: Sequence[Path | io.Input],
    desk: Desk,
    out: Path,
    form: str | None = None,
    spacing_mm: tuple[float, float] | None = None,
) -> Iterator[Answer]:
    """Decide cases one after the other; ``spacing_mm`` is declared for files that state none.

    Two inputs of one name get the first digits of their digest into the names of their folders.
    """
    items = [given if isinstance(given, io.Input) else io.Input(given) for given in inputs]
    shared = {name for name, count in Counter(item.name for item in items).items() if count > 1}
    reader = io.Reader(spacing_mm)
    for number, item in enumerate(items):
        if number and number % CASES_BETWEEN_TESTS == 0:
            desk = retested(desk)
        digest = item.sha256() if item.name in shared else None
        target = Target(out, f"{item.name}-{digest[:8]}" if digest else item.name, form)
        attempt, answer = decided(item, desk, target, reader)
        yield answer
        if attempt.fault is not None:
            desk = _degraded(desk, attempt.fault, Event.SUMS_FAILED)


def exit_code(answers: Sequence[Answer]) -> ExitCode:
    """0 when all were decided; one case's own code; 3 when some of several failed or were refused.

    What stops the device itself (integrity, qualification) is told by its own code however many cases there
    were, and so is any other reason outside the cases that stopped every one of them.
    """
    codes = {answer.exit_code for answer in answers} - {ExitCode.OK}
    if not codes:
        return ExitCode.OK
    for code in (ExitCode.INTEGRITY, ExitCode.NOT_QUALIFIED):
        if code in codes:
            return code
    alike = {answer.exit_code for answer in answers} == codes and len(codes) == 1
    if alike and (len(answers) == 1 or ExitCode.INTENDED_USE not in codes):
        return codes.pop()
    return ExitCode.SOME_FAILED


def retested(desk: Desk) -> Desk:
    """The desk after another known-answer test; without engine when answers or parameters are not the known ones."""
    if isinstance(desk.engine, Problem):
        return desk
    try:
        desk.engine.known_answer_test()
    except NotQualifiedError as problem:
        return _degraded(desk, problem, Event.ANSWERS_FAILED)
    except IntegrityError as problem:
        return _degraded(desk, problem, Event.CHANGED)
    return replace(desk, state=after(desk.state, Event.ANSWERS_HELD))


def judged(case: Case, image: Image, engine: Engine) -> tuple[Case, Exception | None]:
    """Admit, decide and screen an image: the case as far as it got, and what stopped it.

    An :class:`InputError` is a refusal, an :class:`IntegrityError` a fault of the engine, anything else a defect.
    """
    case = replace(case, image=image)
    try:
        admitted = acceptance.admit(image, engine.limits)
        case = replace(case, checks=admitted.checks)
        if isinstance(admitted, acceptance.Refused):
            return case, InputError(admitted.code, admitted.text, remedy=admitted.remedy)
        decision = engine.decide(admitted.levels_source, image.spacing_mm)
        screened = acceptance.screen(decision, engine.limits)
        case = replace(case, checks=(*case.checks, *screened.checks))
        if isinstance(screened, acceptance.Refused):
            return case, InputError(screened.code, screened.text, remedy=screened.remedy)
        _check_size(decision)
    except Exception as error:  # noqa: BLE001 -- the caller needs both: what stopped the case, and how far it got
        return case, error
    return replace(case, state=Outcome.RESULT, decision=decision), None


def commitments(identity: Identity, salt: bytes) -> dict[str, str]:
    """HMAC-SHA256 of ``keyword NUL value`` under the record's salt, by keyword.

    Whoever is given the salt and a value can check that the record is about it; without the salt even
    a guessed value cannot be confirmed.
    """
    return {
        keyword: hmac.new(salt, f"{keyword}\0{value}".encode(), hashlib.sha256).hexdigest()
        for keyword, value in sorted(identity.values.items())
    }


def attempted(item: io.Input, desk: Desk, target: Target, intent: Intent, reader: io.Reader) -> Attempt:
    """Read, admit and decide; whatever goes wrong becomes the case's reason."""
    case = Case(intent.record_id, intent.request_id, Outcome.ERROR, frame=item.frame)
    reading, salt = None, secrets.token_bytes(32)
    stopped: Exception | None = None
    try:
        if isinstance(desk.engine, Problem):
            case = replace(case, file_sha256=item.sha256())
            raise desk.engine  # noqa: TRY301 -- one handler turns every failure into the case's reason
        delivery.check(target)
        reading = _read(item, reader)
        image, named = reading.image, commitments(reading.identity, salt)
        case = replace(case, file_sha256=image.origin.file_sha256, commitments=named)
        case, stopped = judged(case, image, desk.engine)
        if stopped is not None:
            raise stopped  # noqa: TRY301 -- the same
    except Exception as error:  # noqa: BLE001 -- an attempt ends in a record, whatever ended it
        reason, code = _reason(error, desk.home)
        state = Outcome.REFUSED if isinstance(error, InputError | NotQualifiedError) else Outcome.ERROR
        digest = case.file_sha256 or getattr(error, "file_sha256", None) or item.sha256()
        fault = stopped if isinstance(stopped, IntegrityError) else None
        return Attempt(replace(case, state=state, reason=reason, file_sha256=digest), reading, salt, code, fault)
    return Attempt(case, reading, salt)


def _check_size(decision: Decision) -> None:
    if len(decision.chosen) > record.MOST_REGIONS:
        raise InputError(
            "E-SCREEN-REGIONS",
            f"The mask would have {len(decision.chosen)} regions; more than {record.MOST_REGIONS} are not plausible.",
            remedy="Look at the image: is it a B-mode frame of a breast, and of usual quality?",
        )


def _read(item: io.Input, reader: io.Reader) -> io.Reading:
    """The image; what stands for several files and got this far cannot, and ``expand`` says why in its own words."""
    if item.member is None and io.stands_for_several(item.path):
        io.expand(item.path)
    return reader.read(item)


def _keep(staged: shelf.Staged, attempt: Attempt, desk: Desk) -> None:
    """Stage what a replay and a reviewer need beside the record."""
    case = attempt.case
    if attempt.reading is not None and case.commitments:
        staged.keep_identity(attempt.salt, attempt.reading.identity.values, desk.vault_key)
    if case.image is not None and case.decision is not None:
        staged.keep(array_bytes(case.image.pixels))
        staged.keep(array_bytes(case.decision.contributions))
        staged.keep(array_bytes(case.decision.logit))
        staged.keep(case.decision.mask.tobytes())
        for detail in record.details(case.decision):
            staged.keep(detail)


def _as_the_log_says(staged: shelf.Staged, ledger: Ledger) -> None:
    """Keep or discard what was staged when something failed, perhaps after the log had taken the record.

    Raises nothing: the failure under way is the one to tell, and the next opening settles what is left.
    """
    try:
        recorded = ledger.holds(staged.record_id)
    except Exception:  # noqa: BLE001 -- whatever it is, nobody knows whether the record stands
        staged.leave()
        return
    if not recorded:
        staged.discard()
        return
    with suppress(Problem):
        staged.publish()


def _degraded(desk: Desk, problem: Problem, event: Event) -> Desk:
    """The desk without its engine, whose answers, sums or parameters are not right any more."""
    return replace(desk, engine=problem, state=after(desk.state, event))


def _deliver(
    attempt: Attempt, desk: Desk, predicate: dict[str, Any], receipt: Receipt, target: Target
) -> tuple[str, ...]:
    if attempt.case.state is Outcome.REFUSED:
        delivery.withdraw(target, attempt.case.file_sha256)
    reading, decision, release = attempt.reading, attempt.case.decision, desk.maker.release
    if reading is None or decision is None or release is None:
        return ()
    name = " ".join((ALGORITHM, release["id"], *(f"({stamp})" for stamp in desk.maker.stamps[:1])))
    marks = Marks((name, release["version"]), record.stamp(predicate))
    return delivery.deliver(reading, decision, receipt, target, marks)


def answered(item: io.Input, attempt: Attempt, predicate: dict[str, Any], receipt: Receipt) -> Answer:
    """What the caller is told of a case that is in the log, before any file of it is written."""
    outputs = predicate["outputs"] or {}
    return Answer(
        status=_STATUS[attempt.case.state],
        record_id=receipt.record_id,
        log_index=receipt.index,
        reason=attempt.case.reason,
        input=item.shown,
        input_sha256=attempt.case.file_sha256,
        mask_sha256=outputs.get("mask_sha256"),
        contributions_sha256=outputs.get("contributions_sha256"),
        outputs=(),
        flags=_flags(attempt.case),
        regions=None if attempt.case.decision is None else len(attempt.case.decision.chosen),
        exit_code=attempt.exit_code,
    )


def _flags(case: Case) -> tuple[str, ...]:
    """What of a result is implausible; a refusal or an error says its reason instead."""
    if case.state is not Outcome.RESULT:
        return ()
    return tuple(f"{check.name} {check.value} (usual: {check.limit})" for check in case.checks if not check.held)


def _inputs(path: Path) -> Sequence[io.Input]:
    try:
        return io.expand(path)
    except InputError:
        return (io.Input(path),)


def _reason(error: Exception, home: Home) -> tuple[Reason, ExitCode]:
    if isinstance(error, Problem):
        return Reason(error.code, str(error), error.remedy), error.exit_code
    note_fault(home.folder, error)
    text = f"An unexpected {type(error).__name__} stopped this case; this is a defect."
    return Reason("E-UNEXPECTED", text, "Report it with logs/errors.jsonl of the home."), ExitCode.UNEXPECTED
