# SPDX-License-Identifier: Apache-2.0
"""``docs/how-to/operate.md``: a site's first year, every line of it in its order, with two installations."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from radiomicnet_md import phantom
from tests import desks

PACKAGES = {"radiomicnet_md": "radiomicnet_md", "radiomicnet_md_audit": "audit/radiomicnet_md_audit"}


def lines(page: str) -> str:
    """The indented lines of the section about the year."""
    section = re.search(r"^## The first year\n(.*?)^## ", page, re.MULTILINE | re.DOTALL)
    assert section
    return "".join(f"{line[4:]}\n" for line in section[1].splitlines() if line.startswith("    "))


def command(path: Path, *first: Path, module: str = "-m radiomicnet_md ") -> None:
    """A program whose packages are those of ``first``, where any are named."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = os.pathsep.join(map(str, first))
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{before}" exec "{sys.executable}" {module}"$@"\n')
    path.chmod(0o755)


@pytest.mark.verifies("SRS-OPR-001", "SRS-OPR-003", "SRS-OPR-004", "SRS-OPR-005", "SRS-OPR-006", "SRS-DOC-001")
def test_a_site_s_first_year_goes_as_the_page_says(root: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "scans").mkdir(parents=True)
    for speckle, name in enumerate(("known.dcm", "other.dcm")):
        phantom.write_dicom(phantom.make(1, speckle=speckle), site / "scans" / name)
    newer = tmp_path / "newer"
    for name, place in PACKAGES.items():
        shutil.copytree(root / place, newer / name, ignore=shutil.ignore_patterns("__pycache__"))
    (newer / "radiomicnet_md" / "changed.py").write_text('"""What is new."""\n')
    command(site / "new" / "bin" / "radiomicnet-md", newer)
    command(site / "bin" / "radiomicnet-md")
    command(site / "bin" / "python", module="")
    environment = desks.environment(site, XDG_CACHE_HOME=os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")))
    environment["NUMBA_NUM_THREADS"] = "1"  # other tests use the other processor
    environment["PATH"] = f"{site / 'bin'}{os.pathsep}{environment['PATH']}"
    script = lines((root / "docs" / "how-to" / "operate.md").read_text(encoding="utf-8"))
    run = subprocess.run(
        ["sh", "-eux"], input=script, cwd=site, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert "changed: code" in run.stdout
    assert run.stdout.count("UNQUALIFIED") + run.stderr.count("This home is UNQUALIFIED") >= 2
    assert 'radiomicnet_md_decisions_total{state="' in (site / "numbers.prom").read_text()
    assert {path.name for path in (site / "exports" / "year-1").iterdir()} >= {"policy.json"}
