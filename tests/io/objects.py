# SPDX-License-Identifier: Apache-2.0
"""The DICOM objects of a case, delivered as the device delivers them, and the judge of their form."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom

from radiomicnet_md import delivery, findings, io
from radiomicnet_md.decision import Decision
from tests import desks
from tests.io import samples

OBJECTS = ("mask", "measurements", "picture", "contributions", "probability")
STAMP = "not a cleared device · record 0123456789abcdefghjkmnpqrs"
UNDEFINED = {"undefined": "the size of a pixel is not known"}


def reading(folder: Path, change: Callable[[Any], None] | None = None) -> io.Reading:
    return io.read(samples.put(folder, samples.ultrasound(change)))


def decided(source: io.Reading) -> Decision:
    """A decision with one region, a third of whose values are undefined."""
    made = desks.decision(io.grey(source.image), 60)
    values = {
        name: UNDEFINED if place % 3 == 0 else math.sin(place + 1).hex()
        for place, name in enumerate(findings.OF_LESION)
    }
    return replace(made, lesions=tuple({**lesion, "values": values} for lesion in made.lesions))


def delivered(folder: Path, source: io.Reading, decision: Decision | None = None) -> dict[str, Path]:
    """The objects as a case delivers them."""
    target = delivery.Target(folder / "out", "case")
    target.out.mkdir(exist_ok=True)
    marks = delivery.Marks(samples.ALGORITHM, STAMP)
    delivery.deliver(source, decision or decided(source), samples.RECEIPT, target, marks)
    return {name: folder / "out" / "case" / f"{name}.dcm" for name in OBJECTS}


def faults(require: Callable[[str], Path], path: Path) -> list[str]:
    """The errors that dciodvfy reports."""
    done = subprocess.run([require("dciodvfy"), "-new", path], capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


def mask_uid(path: Path) -> str:
    return str(pydicom.dcmread(path.with_name("mask.dcm"), stop_before_pixels=True).SOPInstanceUID)
