# SPDX-License-Identifier: Apache-2.0
"""What is printed at the end: what happened, where it lies, and lines that can be typed as they stand."""

from __future__ import annotations

import os
import shlex
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiomicnet_md.review.report import Command, ShownCase, Story
from radiomicnet_md.review.text import answer as answer_of

if TYPE_CHECKING:
    from radiomicnet_md.desk import Answer
    from radiomicnet_md.replay import Replayed

_WIDTH = 80
_NOT = "Not a cleared device. Public and generated data: not clinical evidence."


def case_line(title: str, answer: Answer, dice: float | None) -> str:
    """One case as it ends."""
    measured = "" if dice is None else f", Dice {dice:.3f}"
    why = f" ({answer.reason.code})" if answer.reason else ""
    return f"{title}: {answer.status}{why}{measured}, log entry {answer.log_index}"


def commands(out: Path, answers: Sequence[Answer]) -> list[Command]:
    """The next steps, by who would take them."""
    program, at = _program(), f"--home {_shown(out / 'home')}"
    accepted = next((answer for answer in answers if answer.status == "accepted"), answers[0])
    shown = _shown(out / "in" / "phantom.dcm")
    return [
        Command("Reader", "One decision in full: what came in, why this region, who signed.",
                f"{program} audit show {accepted.record_id[:10]} {at}"),
        Command("Reader", "An image of your own.", f"{program} segment IMAGE --out results {at}"),
        Command("Reviewer", "The page: look at the cases, and sign. It asks who you are; these say so first.",
                f'{program} users add me --name "My Name" --role reviewer --role admin {at} && '
                f"{program} users passphrase me {at} && {program} serve {at}"),
        Command("Auditor", "The export again, offline. Change any byte in it first: exit code 4.",
                offline_command(out)),
        Command("Auditor", "The log itself, and what it can and cannot claim.", f"{program} audit verify {at}"),
        Command("Physicist", "The radiomic values of an image, with no decision.", f"{program} features {shown}"),
        Command("Engineer", "The signed release, and everything this installation needs.",
                f"{program} release verify && {program} doctor {at}"),
    ]  # fmt: skip


def offline_command(out: Path) -> str:
    """The line that verifies the export with the light auditor's package alone."""
    python = _shown(Path(sys.executable), follow=False)
    policy, anchor = _shown(out / "home" / "policy.json"), _shown(out / "home.anchor")
    parts = (_shown(out / "export"), "--policy", policy, "--anchor", anchor)
    return f"{python} -m radiomicnet_md_audit verify {' '.join(parts)}"


def lines(out: Path, cases: Sequence[ShownCase], offline: Mapping[str, Any], replayed: Replayed) -> dict[str, Any]:
    """The same for a program, as one object."""
    return {
        "ok": True,
        "report": str(out / "report.html"),
        "home": str(out / "home"),
        "export": str(out / "export"),
        "cases": [
            {
                "title": case.title,
                "state": case.statement["predicate"]["state"],
                "record_id": case.statement["predicate"]["record_id"],
                "log_index": case.proof.index,
                "dice": case.dice,
            }
            for case in cases
        ],
        "log": {"size": offline["size"], "root": offline["root"]},
        "replay": replayed.line(),
    }


def text(out: Path, story: Story) -> str:
    """The summary for a person, without the last newline."""
    proof = story.cases[-1].proof
    rows = ["", "RadiomicNet-MD: what just happened", _NOT, ""]
    for case in story.cases:
        predicate = case.statement["predicate"]
        rows.append(f"  {predicate['state']:<8} {case.title}")
        said = (
            answer_of(predicate)
            if case.dice is None
            else f"{answer_of(predicate)}; Dice {case.dice:.3f} {case.dice_note}"
        )
        rows += textwrap.wrap(said, _WIDTH, initial_indent=" " * 11, subsequent_indent=" " * 11)
    rows += [
        "",
        f"  log      {proof.size} entries, verified; exported; verified again offline, without the engine",
        f"  replay   {story.replay.name}: every recorded digest and integer came out again",
        f"  report   {_shown(out / 'report.html')}",
        "",
        "Try next:",
    ]
    for command in story.commands:
        rows += [f"  {command.role}: {command.purpose}", f"    {command.line}"]
    return "\n".join(rows)


def _program() -> str:
    """How this program is called from here."""
    script = Path(sys.executable).with_name("radiomicnet-md")
    if script.exists():
        return _shown(script, follow=False)
    return f"{_shown(Path(sys.executable), follow=False)} -m radiomicnet_md"


def _shown(path: Path, *, follow: bool = True) -> str:
    """A path as it is typed from here: relative where it lies below, quoted where it must be."""
    whole = path.resolve() if follow else path.absolute()
    here = Path.cwd()
    return shlex.quote(os.path.relpath(whole, here) if whole.is_relative_to(here) else str(whole))
