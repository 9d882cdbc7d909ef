# SPDX-License-Identifier: Apache-2.0
"""The verbs that decide nothing: ``features`` measures, ``doctor`` looks, ``trace`` checks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from radiomicnet_md import checkup
from radiomicnet_md.errors import ExitCode
from radiomicnet_md.io.masks import png
from radiomicnet_md.radiomics.definitions import NAMED, PAPER
from tests import desks
from tests.cli.conftest import Command
from tests.io import samples


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    return desks.write_images(tmp_path, "scan.png")[0]


@pytest.mark.verifies("SRS-RAD-001", "SRS-CLI-002", "SRS-DOC-002")
@pytest.mark.usefixtures("home")
def test_features_measures_and_says_that_it_is_no_device_result(command: Command, scan: Path, home: Path) -> None:
    before = (home / "audit.db").read_bytes()
    said = command("features", scan, "--json")
    assert said.code == ExitCode.OK
    head, *values = said.lines
    assert head["name"] == "measurement"
    assert head["bin_width"] == 4
    assert [line["name"] for line in values] == list(PAPER)
    assert {line["device_result"] for line in said.lines} == {False}
    assert values[0]["ibsi"] == "ACUI"
    assert isinstance(values[0]["value"], float)
    assert "measurement, not a device result" in said.err
    assert command("features", scan).out.startswith("measurement, not a device result\n")
    assert (home / "audit.db").read_bytes() == before


@pytest.mark.verifies("SRS-RAD-002", "SRS-INP-004")
@pytest.mark.usefixtures("home")
def test_maps_are_written_with_pyradiomics_names_and_a_spacing_only_where_one_is_known(
    command: Command, scan: Path, tmp_path: Path
) -> None:
    known = samples.put(tmp_path, samples.nifti(units=2))
    for source, folder in ((scan, tmp_path / "maps"), (known, tmp_path / "known")):
        said = command("features", source, "--set", "named", "--maps", folder, "--radius", "2")
        assert said.code == ExitCode.OK
        assert sorted(path.stem for path in folder.iterdir()) == sorted(NAMED)
    image = SimpleITK.ReadImage(str(tmp_path / "maps" / "glcm_Contrast.nrrd"))
    assert image.GetSize() == (128, 96)
    assert image.GetPixelID() == SimpleITK.sitkFloat64
    assert b"spacing" not in (tmp_path / "maps" / "glcm_Contrast.nrrd").read_bytes().partition(b"\n\n")[0]
    spaced = SimpleITK.ReadImage(str(tmp_path / "known" / "glcm_Contrast.nrrd")).GetSpacing()
    assert np.allclose(spaced, (0.1, 0.2))


@pytest.mark.verifies("SRS-RAD-006", "SRS-CLI-001")
@pytest.mark.usefixtures("home")
def test_a_mask_and_bins_are_taken_and_a_wrong_mask_is_refused(command: Command, scan: Path, tmp_path: Path) -> None:
    mask = np.zeros((96, 128), np.uint8)
    mask[30:60, 40:80] = 255
    (tmp_path / "mask.png").write_bytes(png(mask))
    (tmp_path / "small.png").write_bytes(png(mask[:, :100]))
    (tmp_path / "none.png").write_bytes(png(mask * 0))
    said = command("features", scan, "--mask", tmp_path / "mask.png", "--set", "all", "--bin-count", "16", "--json")
    assert said.code == ExitCode.OK
    assert any(line["name"].startswith("shape2D_") for line in said.lines)
    for name in ("small.png", "none.png"):
        assert command("features", scan, "--mask", tmp_path / name).code == ExitCode.INTENDED_USE
    assert command("features", scan, "--radius", "0", "--maps", tmp_path / "maps").code == ExitCode.USAGE
    assert command("features", tmp_path / "nowhere.png").code == ExitCode.INTENDED_USE


@pytest.mark.verifies("SRS-CLI-001", "SRS-CLI-004")
def test_doctor_names_every_failure_with_a_remedy_and_changes_nothing(command: Command, home: Path) -> None:
    before = desks.tree(home.parent)
    arguments = ("doctor", "--home", home.parent / "nowhere", "--release", home.parent / "none", "--json")
    said = command(*arguments)
    assert said.code == ExitCode.SOME_FAILED
    failed = {line["name"]: line["remedy"] for line in said.lines if not line["ok"]}
    assert {"release", "known answers", "home", "keys", "log", "anchor"} <= set(failed)
    assert all(failed.values())
    held = [line["name"] for line in said.lines if line["ok"]]
    assert {"python", "torch", "packages", "disk", "threads"} <= set(held)
    assert desks.tree(home.parent) == before
    assert "FAIL" in command(*arguments[:-1]).out


@pytest.mark.verifies("SRS-CLI-004")
def test_a_check_that_breaks_does_not_hide_the_next(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    from radiomicnet_md import config

    def broken(settings: config.Settings) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(checkup.CHECKS, "machine", broken)
    monkeypatch.setitem(checkup.CHECKS, "known answers", lambda _: (True, "", ""))
    found = {one.name: one for one in checkup.examine(config.load({"home": str(home)}))}
    assert not found["machine"].ok
    assert found["log"].ok
    assert found["keys"].ok


@pytest.mark.verifies("SRS-TRC-001")
@pytest.mark.usefixtures("home")
def test_trace_takes_the_global_options_too(command: Command) -> None:
    said = command("trace", "check", "--structure", "--json")
    assert said.code in {ExitCode.OK, ExitCode.SOME_FAILED}
    assert {"ok", "findings"} <= set(said.lines[-1])
