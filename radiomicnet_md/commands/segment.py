# SPDX-License-Identifier: Apache-2.0
"""``segment``: one decision a case, in the log before anything else is written."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from radiomicnet_md.commands.call import Call

if TYPE_CHECKING:
    from radiomicnet_md.desk import Answer

SMALLEST_STEP_MM, LARGEST_STEP_MM = 0.001, 10.0  # of a pixel: from beyond any ultrasound to far beyond a breast's
FORMATS = ("dicom", "nifti", "nrrd", "png", "rtstruct")
_EXAMPLE = """\
examples:
  radiomicnet-md segment scan.dcm --out results
  radiomicnet-md segment *.png --out results --format nifti --json

Each case ends in one signed record. Its files are in results/<name of the input>/: mask.png,
overlay.png, why.png; and for DICOM mask.dcm (SEG), measurements.dcm (SR), picture.dcm (SC),
contributions.dcm (parametric map), probability.dcm (SEG); or contours.dcm (RTSTRUCT), mask.nii.gz
or mask.nrrd. Those of each frame of a loop are in results/<name>/frame-0001/ and so on. "No lesion
found" is an answer, with an empty mask. Exit code 5: the one input was refused; 3: some of several were.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add what ``segment`` takes."""
    del shared
    parser.epilog = _EXAMPLE
    parser.add_argument("input", nargs="+", metavar="INPUT", help="an image file, a folder, a DICOMDIR or a ZIP file")
    parser.add_argument("--out", required=True, metavar="DIR", help="where the files of the cases go")
    parser.add_argument(
        "--spacing", type=_spacing, metavar="ROW,COLUMN", help="mm between rows and columns, for files that state none"
    )
    parser.add_argument("--format", choices=FORMATS, help="form of the mask beside PNG (DICOM for a DICOM input)")


def _spacing(text: str) -> tuple[float, float]:
    """Two positive numbers of mm with a comma between them."""
    try:
        between_rows, between_columns = map(float, text.split(","))
    except ValueError:
        message = "two numbers with a comma between them, such as 0.08,0.08"
        raise argparse.ArgumentTypeError(message) from None
    if not all(SMALLEST_STEP_MM <= step <= LARGEST_STEP_MM for step in (between_rows, between_columns)):
        message = f"millimetres from {SMALLEST_STEP_MM} to {LARGEST_STEP_MM}"
        raise argparse.ArgumentTypeError(message)
    return between_rows, between_columns


def run(call: Call) -> int:
    """Decide every input and say what came of it."""
    from radiomicnet_md import compiling
    from radiomicnet_md import desk as desks
    from radiomicnet_md.opening import open_desk

    compiling.announce(call.console.note)
    given = call.given
    inputs = desks.expanded([Path(name) for name in given.input])
    answers: list[Answer] = []
    with open_desk(call.settings()) as desk:
        if desk.maker.stamps:
            call.console.note(f"stamped: {', '.join(desk.maker.stamps)}")
        cases = desks.segment_files(inputs, desk, Path(given.out), given.format, given.spacing)
        with _whole_cases() as stop_asked:
            for answer in call.console.progress(cases, "deciding", len(inputs)):
                answers.append(answer)
                call.console.emit(answer.line(), text(answer))
                if stop_asked.is_set():
                    raise KeyboardInterrupt
    return desks.exit_code(answers)


@contextmanager
def _whole_cases() -> Iterator[threading.Event]:
    """The first Ctrl-C lets the case at hand end, so that no record stands without its line; the second does not."""
    asked = threading.Event()

    def ask(*_: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def text(answer: Answer) -> str:
    """What a person is told of a case."""
    head = f"{answer.status:<9} {answer.input}"
    record = f"          record {answer.record_id} at {answer.log_index} in the log"
    if answer.reason is not None:
        reason = answer.reason
        return f"{head}\n          {reason.text} [{reason.code}]\n          → {reason.remedy}\n{record}"
    found = f"{answer.regions} region{'s' if answer.regions != 1 else ''}" if answer.regions else "no lesion found"
    folder = Path(answer.outputs[0]).parent if answer.outputs else ""
    flags = "".join(f"          implausible: {flag}\n" for flag in answer.flags)
    return f"{head}\n          {found} → {folder}\n{flags}{record}"
