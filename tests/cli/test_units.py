# SPDX-License-Identifier: Apache-2.0
"""The units for systemd are valid, and the commands that they run exist and do what they are for."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import desks

pytestmark = pytest.mark.verifies("SRS-OPR-001", "SRS-OPR-005")
PROGRAM = "/opt/radiomicnet-md/bin/radiomicnet-md"


def commands(root: Path, name: str) -> list[str]:
    """What a unit starts, with systemd's own escapes taken away."""
    text = (root / "deploy" / name).read_text(encoding="utf-8")
    return [line.replace("%%", "%") for line in re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)]


@pytest.mark.parametrize("name", ["metrics.service", "backup.service", "backup.timer"])
def test_the_units_are_valid(root: Path, tmp_path: Path, require: Callable[[str], Path], name: str) -> None:
    for file in (root / "deploy").glob("radiomicnet-md-*"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8").replace(PROGRAM, "/bin/true"))
    unit = tmp_path / f"radiomicnet-md-{name}"
    run = subprocess.run([require("systemd-analyze"), "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_the_backup_s_command_leaves_a_backup_and_the_anchor(root: Path, home: Path, tmp_path: Path) -> None:
    target = tmp_path / "backups"
    target.mkdir()
    backup, anchor = commands(root, "radiomicnet-md-backup.service")
    program = f"{shlex.quote(sys.executable)} -m radiomicnet_md"
    for command in (backup, anchor):
        line = command.replace(PROGRAM, program).replace("/mnt/radiomicnet-backups", str(target))
        line = line.replace("%S/radiomicnet-md", str(home.parent))
        environment = desks.environment(home.parent, RADIOMICNET_MD_HOME=str(home))
        subprocess.run(shlex.split(line), check=True, env=environment, cwd=root)
    found = sorted(path.name for path in target.iterdir())
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}\.tar", found[0])
    assert found[1:] == ["home.anchor"]


def test_the_numbers_command_listens(root: Path, home: Path) -> None:
    (command,) = commands(root, "radiomicnet-md-metrics.service")
    _, *arguments = shlex.split(command)
    assert arguments[-2:] == ["--port", "8471"]
    line = [sys.executable, "-m", "radiomicnet_md", *arguments[:-1], "0", "--home", str(home)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=desks.environment(home.parent)) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("the numbers are at http://127.0.0.1:")
        process.terminate()
