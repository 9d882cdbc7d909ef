# SPDX-License-Identifier: Apache-2.0
"""The export is verified by a process that has nothing of the device: no engine, no database, no network."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from radiomicnet_md.errors import ExitCode, IntegrityError

ABSENT = ("torch", "numpy", "sqlalchemy", "sqlite3", "socket", "radiomicnet_md")

_PROGRAM = f"""
import runpy, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT!r}:
            raise ModuleNotFoundError(name + " is kept away", name=name)

sys.meta_path.insert(0, Absent())
runpy.run_module("radiomicnet_md_audit", run_name="__main__", alter_sys=True)
"""


def verify(export: Path, policy: Path, anchor: Path) -> dict[str, Any]:
    """The offline verifier's report (``ok``, ``size``, ``root``, ``claims``, ``findings``).

    ``policy`` and ``anchor`` are those of the home and not of the export: a bundle does not vouch for itself.

    Raises :class:`IntegrityError` when it finds anything, or does not come to an end.
    """
    arguments: Sequence[str] = ("verify", str(export), "--policy", str(policy), "--anchor", str(anchor), "--json")
    ended = subprocess.run(  # noqa: S603 -- this interpreter, with arguments made here
        [sys.executable, "-c", _PROGRAM, *arguments], capture_output=True, text=True, timeout=300, check=False
    )
    try:
        report: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        report = {}
    if ended.returncode != ExitCode.OK or report.get("ok") is not True:
        raise IntegrityError(
            "E-DEMO-OFFLINE",
            f"The offline verifier did not accept the export (exit code {ended.returncode}).",
            remedy=f"See what it finds: python -m radiomicnet_md_audit verify {export} --policy {policy}",
        )
    return report
