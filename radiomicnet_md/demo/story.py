# SPDX-License-Identifier: Apache-2.0
"""Six steps, from keys to a replayed record; each ends in something that was checked, or the demonstration ends.

Rules of this module:

- It uses the doors a user has: the same home, desk, log, export and replay, and no shortcut of its own.
- What the page shows was verified in this run: signatures, inclusion, the log, the export in a process of its
  own, a replay, and each mask on the disk against the digest in its record.
- A Dice here demonstrates that the parts fit together. It is no claim about performance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from radiomicnet_md import __version__, home, io
from radiomicnet_md.bundle import export_log
from radiomicnet_md.config import Settings
from radiomicnet_md.delivery import Target
from radiomicnet_md.demo import cases, ground, offline, summary
from radiomicnet_md.demo.cases import Given
from radiomicnet_md.desk import Answer, Desk, segment_file
from radiomicnet_md.engine.installation import record_digests
from radiomicnet_md.engine.release import default_folder, open_release
from radiomicnet_md.errors import ExitCode, IntegrityError, Problem
from radiomicnet_md.image import mask_sha256
from radiomicnet_md.opening import open_desk
from radiomicnet_md.people import signatures
from radiomicnet_md.replay import Replayed, Verdict, replay
from radiomicnet_md.review.proven import prove
from radiomicnet_md.review.report import Finding, Picture, ShownCase, Story, page
from radiomicnet_md.review.text import answer as answer_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOWEST_PHANTOM_DICE = 0.7

_T = TypeVar("_T")


class Voice(Protocol):
    """How the demonstration speaks to its caller."""

    def emit(self, line: Mapping[str, Any], text: str) -> None:
        """One datum, as an object or as text."""

    def note(self, text: str) -> None:
        """Something to read while waiting."""

    def progress(self, items: Iterable[_T], what: str, total: int) -> Iterator[_T]:
        """The items, with their progress shown where somebody watches."""


class DemonstrationError(Problem):
    """A step of the demonstration did not give what it must give."""


@dataclass(frozen=True, slots=True)
class Decided:
    """One input and what became of it."""

    given: Given
    answer: Answer
    dice: float | None


def run(out: Path, voice: Voice, release: Path | None = None) -> ExitCode:
    """Run the demonstration in ``out``, with the release that ships unless another folder is named.

    Raises a :class:`~radiomicnet_md.errors.Problem` for the first thing that does not hold.
    """
    ground.prepare(out)
    settings = Settings(home=out / "home", release=release)
    voice.note("1/6  a home: keys, an empty log, an anchor outside it")
    home.create(settings.home, installed=record_digests())
    voice.note("2/6  the signed release: every file against its manifest, then the known answers")
    signed = open_release(release or default_folder())
    voice.note(f"     {signed.id} {signed.version}, {len(signed.files)} files, manifest {signed.manifest_sha256[:16]}…")
    with open_desk(settings) as desk:
        if isinstance(desk.engine, Problem):
            raise desk.engine
        given = cases.bring(out / "in")
        voice.note(f"3/6  {len(given)} cases: a record in the log first, then mask, outline and reasons")
        decided = [_decide(case, out, desk) for case in voice.progress(given, "cases", len(given))]
        voice.note("4/6  the files on the disk against the records; one record decided again, bit for bit")
        for one in decided:
            voice.note(f"     {summary.case_line(one.given.title, one.answer, one.dice)}")
            _check(one)
        replayed = _replay(decided, desk)
    voice.note("5/6  the log verified and exported, the export verified in a process without the engine")
    log, shown = _verified(decided, desk.home)
    report = _exported(out, desk.home, desk.maker.operator)
    voice.note("6/6  the report")
    story = Story(
        release=desk.maker.release or {},
        version=__version__,
        time_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        cases=shown,
        log=log,
        offline=[Finding(claim["name"], claim["ok"], claim["text"]) for claim in report["claims"]],
        offline_command=summary.offline_command(out),
        replay=Finding(str(replayed.finding.verdict), holds=True, text=_replay_text(replayed)),
        commands=summary.commands(out, [one.answer for one in decided]),
    )
    ground.write(out / "report.html", page(story))
    voice.emit(summary.lines(out, shown, report, replayed), summary.text(out, story))
    return ExitCode.OK


def _decide(given: Given, out: Path, desk: Desk) -> Decided:
    """One input through the desk, and its mask compared with the truth where there is one."""
    from radiomicnet_md_validation.metrics import dice

    answer = segment_file(given.path, desk, Target(out / "out", given.name, "dicom"))
    if given.truth is None or answer.status != "accepted":
        return Decided(given, answer, None)
    return Decided(given, answer, dice(_mask(answer), given.truth))


def _check(one: Decided) -> None:
    """That a case ended as it must, and that its mask on the disk is the recorded one."""
    given, answer = one.given, one.answer
    if given.expected not in (None, answer.status):
        why = f": {answer.reason.text}" if answer.reason else "."
        raise DemonstrationError(
            "E-DEMO-CASE",
            f"{given.title} was to be {given.expected} and is {answer.status}{why}",
            remedy="Run radiomicnet-md doctor; if it finds nothing, this is a defect of the release: report it.",
        )
    if answer.status == "accepted" and mask_sha256(_mask(answer)) != answer.mask_sha256:
        raise IntegrityError(
            "E-DEMO-MASK",
            f"The mask of {given.title} on the disk is not the one in its record.",
            remedy="Check the disk; then run the demonstration again.",
        )
    if given.expected == "accepted" and one.dice is not None and one.dice < LOWEST_PHANTOM_DICE:
        raise DemonstrationError(
            "E-DEMO-DICE",
            f"{given.title}: Dice {one.dice:.3f} against its known outline, below {LOWEST_PHANTOM_DICE}.",
            remedy="The release does not do what it must on a drawn lesion; use another release and report this one.",
        )


def _verified(decided: Sequence[Decided], owner: home.Home) -> tuple[list[Finding], list[ShownCase]]:
    """The log's verification, and each case with the proof of its record."""
    from radiomicnet_md_audit.stored import verify_ledger

    shown = []
    with owner.reading_ledger() as ledger:
        report = verify_ledger(ledger, ledger.anchor_text())
        if not report.ok:
            found = report.findings[0]
            raise IntegrityError(found.code, found.text, remedy="Run: radiomicnet-md audit verify")
        for one in decided:
            statement, proof = prove(ledger, ledger.find(one.answer.record_id))
            note = one.given.truth_note if one.dice is not None else ""
            pictures = _pictures(one, answer_of(statement["predicate"]))
            signed = signatures(ledger, one.answer.record_id)
            case = ShownCase(one.given.title, one.given.source, statement, proof, one.dice, note, pictures, signed)
            shown.append(case)
    return [Finding(claim.name, claim.ok, claim.text) for claim in report.claims], shown


def _exported(out: Path, owner: home.Home, operator: str) -> dict[str, Any]:
    """Export the log and have the export verified elsewhere; the verifier's report."""
    export_log(owner, out / "export", operator)
    return offline.verify(out / "export", owner.folder / "policy.json", owner.anchor)


def _replay(decided: Sequence[Decided], desk: Desk) -> Replayed:
    """The phantom's record decided again from its kept samples; every bit has to come out again."""
    phantom = next(one for one in decided if one.given.expected == "accepted")
    replayed = replay(phantom.answer.record_id, desk)
    if replayed.finding.verdict is not Verdict.IDENTICAL:
        raise DemonstrationError(
            "E-DEMO-REPLAY",
            f"The replay of the phantom's record ended with {replayed.finding.verdict}: {replayed.finding.text}",
            remedy="Run radiomicnet-md doctor, and report this: a replay on one machine must give the same bits.",
        )
    return replayed


def _replay_text(replayed: Replayed) -> str:
    return f"Record {replayed.of}: {replayed.finding.text} The replay is itself entry {replayed.log_index} of the log."


def _pictures(one: Decided, answer: str) -> list[Picture]:
    """Outline and reasons of an accepted case, with words that stand for them."""
    files = {Path(path).name: Path(path) for path in one.answer.outputs}
    kinds = {
        "overlay.png": (f"{one.given.title}: {answer}.", "The input with the outline of the mask."),
        "why.png": (
            f"{one.given.title}: the regions on the image, the deciding sum as bars, and a map for each name.",
            "Why: the sum that decided, and the evidence of each pixel by name.",
        ),
    }
    return [Picture(files[name].read_bytes(), *words) for name, words in kinds.items() if name in files]


def _mask(answer: Answer) -> NDArray[Any]:
    """The mask as it lies on the disk, 0 or 1."""
    path = next(Path(path) for path in answer.outputs if Path(path).name == "mask.png")
    mask: NDArray[Any] = (io.grey(io.read(path).image) != 0).astype("uint8")
    return mask
