# SPDX-License-Identifier: Apache-2.0
"""Every real and deliberately odd file ends in an admission, a refusal or a typed error; nothing else, no noise."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections import Counter
from pathlib import Path

import pydicom.data
import pytest

from radiomicnet_md import io
from radiomicnet_md.engine.acceptance import Limits, Refused, admit
from radiomicnet_md.errors import InputError

SECONDS = 60.0


_KNOWN: dict[str, str] = {}  # the two collections share many files


def outcome(path: Path) -> str:
    """``admitted``, a gate code, or an input code."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest not in _KNOWN:
        _KNOWN[digest] = _judge(path)
    return _KNOWN[digest]


def _judge(path: Path) -> str:
    started = time.monotonic()
    try:
        reading = io.read(path)
    except InputError as problem:
        code = problem.code
    else:
        answer = admit(reading.image, Limits())
        code = answer.code if isinstance(answer, Refused) else "admitted"
    assert time.monotonic() - started < SECONDS, path.name
    assert code == "admitted" or code.startswith(("E-INPUT-", "E-GATE-"))
    return code


def outcomes(files: list[Path], capfd: pytest.CaptureFixture[str]) -> Counter[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        counts = Counter(outcome(path) for path in files)
    assert capfd.readouterr() == ("", "")
    with capfd.disabled():
        print("", len(files), dict(counts.most_common()))  # noqa: T201
    return counts


@pytest.mark.verifies("SRS-INP-001", "SRS-INP-002")
def test_the_files_that_pydicom_ships(capfd: pytest.CaptureFixture[str]) -> None:
    folder = Path(pydicom.data.__file__).parent
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    counts = outcomes(files, capfd)
    assert counts["E-GATE-COLOUR"] >= 2
    assert counts["E-GATE-PALETTE"] >= 1
    assert counts["E-GATE-MODALITY"] >= 20
    assert counts["E-INPUT-TRUNCATED"] >= 2
    assert counts["E-INPUT-NOT-AN-IMAGE"] >= 5
    assert counts["admitted"] == 0


@pytest.mark.verifies("SRS-INP-001", "SRS-INP-002")
def test_the_folder_of_odd_files(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    counts = outcomes(sorted(path for path in (data / "dicom").rglob("*") if path.is_file()), capfd)
    assert counts.total() >= 262
    assert counts["admitted"] == 1  # the one grey, single-frame, 8-bit ultrasound image among them


@pytest.mark.verifies("SRS-INP-002")
def test_the_grey_frames_of_a_hospital_are_admitted(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    counts = outcomes(sorted((data / "busi_384" / "images").glob("*.png")), capfd)
    assert set(counts) == {"admitted", "E-GATE-COLOUR"}
    assert counts["E-GATE-COLOUR"] == 16  # as many as the data set's own notes count
