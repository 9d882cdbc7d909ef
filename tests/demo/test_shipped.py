# SPDX-License-Identifier: Apache-2.0
"""The demonstration a newcomer runs, with the release that ships, through the door a newcomer uses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from radiomicnet_md.demo import cases


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One run of the command line, without the real data."""
    out = tmp_path_factory.mktemp("demo")
    environ = {name: value for name, value in os.environ.items() if name != cases.DATA}
    command = [sys.executable, "-m", "radiomicnet_md", "demo", "--out", str(out), "--json"]
    return out, subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environ)


@pytest.mark.verifies("SRS-REC-001", "SRS-REL-001", "SRS-REL-004", "SRS-ENG-007", "SRS-LOG-005", "SRS-MOD-004")
def test_the_demonstration_runs_with_the_shipped_release(
    shipped: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out, ended = shipped
    assert ended.returncode == 0, ended.stderr
    line = json.loads(ended.stdout)
    refused, phantom = line["cases"]
    assert (refused["state"], phantom["state"]) == ("REFUSED", "RESULT")
    assert phantom["dice"] >= 0.7
    assert line["replay"]["verdict"] == "IDENTICAL"
    assert (out / "report.html").stat().st_size > 100_000


@pytest.mark.verifies("SRS-REC-003", "SRS-ENG-004", "SRS-ENG-005")
def test_audit_show_explains_the_phantom(shipped: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out, ended = shipped
    phantom = json.loads(ended.stdout)["cases"][1]["record_id"]
    command = [sys.executable, "-m", "radiomicnet_md", "audit", "show", phantom[:8], "--home", str(out / "home")]
    page = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert page.startswith("RESULT")
    for part in ("Why this region", "Pixel evidence by name", "Radiomic values of the image", "signed by"):
        assert part in page
    assert "\x1b" not in page
