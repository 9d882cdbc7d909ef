# SPDX-License-Identifier: Apache-2.0
"""Where the tests work: the installed program as a user starts it, homes of their own, and inputs that are drawn.

Rules of this module:

- The program gets an environment of this module's making: no setting, home or passphrase of the tester's reaches it.
- What is costly is made once and copied; no test changes what another looks at.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image

from radiomicnet_md import phantom
from radiomicnet_md.home import anchor_beside

_KEPT: Final = ("PATH", "LANG", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "XDG_CACHE_HOME", "HOME")
_LONGEST_S: Final = 600
PHANTOM: Final = b"PHANTOM-DEMONSTRATION "  # its PatientID, as it stands in the file
SAMPLES: Final = b"\xe0\x7f\x10\x00"  # tag of the pixel data, little-endian


@dataclass(frozen=True, slots=True)
class Said:
    """How a call of the program ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Each line of stdout as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    def reasons(self) -> list[str]:
        """The code of the reason in each line that has one."""
        return [line["reason"]["code"] for line in self.lines if line.get("reason")]


@dataclass(frozen=True, slots=True)
class Program:
    """The program with a home; ``more`` is added to its environment."""

    command: tuple[str, ...]
    home: Path
    more: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str | Path, prefix: Sequence[str] = (), **more: str) -> Said:
        """Run one command line with ``--json``."""
        words = [*prefix, *self.command, *map(str, arguments), "--home", str(self.home), "--json"]
        return run(words, {**self.more, **more})

    def record(self, record_id: str) -> dict[str, Any]:
        """The predicate of a record, as ``audit show`` gives it after verifying it."""
        (line,) = self("audit", "show", record_id).lines
        found: dict[str, Any] = line["statement"]["predicate"]
        return found

    def copied(self, folder: Path) -> Program:
        """The same with a copy of its home, anchor included."""
        shutil.copytree(self.home, folder / "home")
        shutil.copy2(anchor_beside(self.home), anchor_beside(folder / "home"))
        return Program(self.command, folder / "home", self.more)


def run(words: Sequence[str], more: Mapping[str, str] = {}) -> Said:
    """Run any command line in the environment of the tests."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    done = subprocess.run(  # noqa: S603 - the installed program
        list(words),
        env={**kept, **more},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """How the program is started."""
    given = request.config.getoption("--oq-program")
    return tuple(shlex.split(given)) if given else (sys.executable, "-m", "radiomicnet_md")


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is made once."""
    return tmp_path_factory.mktemp("oq")


@pytest.fixture(scope="session")
def program(command: tuple[str, ...], work: Path) -> Program:
    """The program with a demonstration home."""
    made = Program(command, work / "home")
    said = made("init")
    if said.code:
        pytest.fail(f"init ended with {said.code}: {said.err}")
    return made


@pytest.fixture(scope="session")
def scan(work: Path) -> Path:
    """A DICOM image of a drawn breast with one lesion; spacing 0.08 mm."""
    path = work / "in" / "scan.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    phantom.write_dicom(phantom.make(1), path)
    return path


@pytest.fixture(scope="session")
def inputs(scan: Path) -> dict[str, Path]:
    """Inputs by what they are; those but the first two are outside the intended use."""
    folder, whole = scan.parent, scan.read_bytes()
    pixels = phantom.make(1).pixels
    Image.fromarray(pixels).save(folder / "picture.png")
    warm = np.stack([pixels, pixels // 2, 255 - pixels], axis=-1)
    Image.fromarray(warm).save(folder / "colour.png")
    (folder / "truncated.dcm").write_bytes(whole[: len(whole) * 2 // 3])
    mark = b"\x08\x00\x60\x00CS\x02\x00"  # Modality
    (folder / "modality.dcm").write_bytes(whole.replace(mark + b"US", mark + b"CT"))
    Image.fromarray(np.full_like(pixels, 90)).save(folder / "empty.png")
    names = ("picture.png", "colour.png", "truncated.dcm", "modality.dcm", "empty.png")
    return {"scan": scan, **{Path(name).stem: folder / name for name in names}}


@dataclass(frozen=True, slots=True)
class Decided:
    """What one call of ``segment`` over all inputs gave."""

    program: Program
    said: Said
    out: Path
    lines: Mapping[str, Mapping[str, Any]]  # by the input's name
    _read: dict[str, dict[str, Any]] = field(default_factory=dict)

    def predicate(self, name: str) -> dict[str, Any]:
        """The record of an input's case; the program is asked for it once."""
        if name not in self._read:
            self._read[name] = self.program.record(self.lines[name]["record_id"])
        return self._read[name]


@pytest.fixture(scope="session")
def decided(program: Program, inputs: Mapping[str, Path], work: Path) -> Decided:
    """All inputs in one call, every one with a record."""
    said = program("segment", *inputs.values(), "--out", work / "out")
    lines = {name: line for name, line in zip(inputs, said.lines, strict=False) if "record_id" in line}
    return Decided(program, said, work / "out", lines)
