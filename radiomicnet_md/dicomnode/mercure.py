# SPDX-License-Identifier: Apache-2.0
"""A module of mercure, the DICOM orchestrator: images in one folder, objects and ``result.json`` in another.

Rules of this module (mercure's documentation, "Module Development"):

- ``MERCURE_IN_DIR`` holds the images of a series or study, and ``task.json``; ``MERCURE_OUT_DIR`` takes the objects.
- ``task.json`` may hold one setting of ours, ``notify`` (true or false); any other is refused, so that a misspelt one
  cannot be silently ignored, and none of them changes a decision.
- An object appears whole, as ``<series>#<instance>.dcm``; ``result.json`` comes last, and holds nobody's identity.
- 0 where each case ended in a result or a recorded refusal, so that the objects of the others are sent on.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiomicnet_md import __version__
from radiomicnet_md import desk as desks
from radiomicnet_md.errors import ConfigurationError, ExitCode
from radiomicnet_md.io.elements import parsed
from radiomicnet_md.io.files import place
from radiomicnet_md.opening import open_desk

if TYPE_CHECKING:
    from radiomicnet_md.config import Settings
    from radiomicnet_md.desk import Answer

_LEFT_OUT = ("input", "outputs")  # names of files may hold UIDs of a patient's study


def process(settings: Settings, environ: Mapping[str, str], tell: Callable[[dict[str, Any]], None]) -> ExitCode:
    """Decide the images of a task.

    Raises :class:`ConfigurationError` ``E-MERCURE-FOLDER``, ``E-MERCURE-TASK``, and what opening a desk raises.
    """
    source, out = (_folder(environ, name) for name in ("MERCURE_IN_DIR", "MERCURE_OUT_DIR"))
    notify = _notify(source / "task.json")
    staging, answers = out / ".radiomicnet-md", list[desks.Answer]()
    inputs = desks.expanded(sorted(source.glob("*.dcm")) or [source])
    try:
        with open_desk(settings) as desk:
            for answer in desks.segment_files(inputs, desk, staging, "dicom"):
                answers.append(answer)
                tell(line(answer))
                for path in map(Path, answer.outputs):
                    if path.suffix == ".dcm":
                        place(out / _name(path), path.read_bytes())
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    errors = [answer for answer in answers if answer.status == "error"]
    code = desks.exit_code(errors) if errors else ExitCode.OK
    place(out / "result.json", json.dumps(_result(answers, code, notify=notify), indent=2).encode())
    return code


def line(answer: Answer) -> dict[str, Any]:
    """What is said of a case, without names of files."""
    return {name: value for name, value in answer.line().items() if name not in _LEFT_OUT}


def _folder(environ: Mapping[str, str], name: str) -> Path:
    folder = Path(environ.get(name, ""))
    if not environ.get(name) or not folder.is_dir():
        raise ConfigurationError(
            "E-MERCURE-FOLDER",
            f"{name} names no folder.",
            remedy="mercure sets it; by hand, name the folder of the images, and one for the objects.",
        )
    return folder


def _notify(path: Path) -> bool:
    """The one setting of a task; False where the task sets nothing."""
    try:
        task = json.loads(path.read_bytes())
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        task = None
    match task:
        case {"process": {**process}}:
            found: object = process.get("settings") or {}
        case {"process": [*steps]}:  # of a rule with several modules; ours says what is ours
            found = {}
            for step in steps:
                found |= (step.get("settings") or {}) if isinstance(step, dict) else {}
        case {**_more}:
            found = {}
        case _:
            found = None
    match found:
        case {"notify": bool(notify), **more} if not more:
            return notify
        case {**more} if not more:
            return False
    raise ConfigurationError(
        "E-MERCURE-TASK",
        "task.json cannot be read, or sets something that this module does not know.",
        remedy="The one setting is 'notify', true or false. What decides is in the signed release.",
    )


def _name(path: Path) -> str:
    """What mercure calls an instance."""
    header: Any = parsed(path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID", "SOPInstanceUID"])
    return f"{header.SeriesInstanceUID}#{header.SOPInstanceUID}.dcm"


def _result(answers: Sequence[Answer], code: ExitCode, *, notify: bool) -> dict[str, Any]:
    counts = Counter(answer.status for answer in answers)
    found = sum(bool(answer.regions) for answer in answers)
    text = (
        f"{counts['accepted']} decided ({found} with a lesion), {counts['refused']} refused, {counts['error']} failed"
    )
    cases = [line(answer) for answer in answers]
    return {
        "device": f"RadiomicNet-MD {__version__}, not a cleared device",
        "exit_code": int(code),
        "cases": cases,
        "__mercure_notification": {"text": text, "requested": notify},
    }
