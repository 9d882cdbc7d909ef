# SPDX-License-Identifier: Apache-2.0
"""What changed since the home was made, or in the folder of the release, stops every case: a record and no output."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from radiomicnet_md import checkup
from radiomicnet_md.engine import release as releases
from radiomicnet_md.errors import ExitCode, IntegrityError
from tests import desks
from tests.cli.conftest import Command


@pytest.mark.verifies("SRS-REL-008", "SRS-REC-005", "SRS-CLI-001", "SRS-CLI-004")
def test_a_home_made_with_other_packages_refuses_with_a_record_and_doctor_says_why(
    command: Command, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = yaml.safe_load((home / "home.yaml").read_bytes())
    (home / "home.yaml").write_text(yaml.safe_dump({**state, "installed": {"torch": "0" * 64}}))
    scan = desks.write_images(tmp_path, "scan.png")[0]
    said = command("segment", scan, "--out", tmp_path / "out", "--json")
    assert (said.code, said.lines[0]["status"]) == (ExitCode.NOT_QUALIFIED, "refused")
    assert said.lines[0]["reason"]["code"] == "E-INSTALLATION-CHANGED"
    assert [line["state"] for line in command("audit", "list", "--json").lines] == ["REFUSED"]
    assert not (tmp_path / "out").exists()

    for costly in ("_files", "_answers"):
        monkeypatch.setattr(checkup, costly, lambda _: (True, "", ""))
    found = {line["name"]: line for line in command("doctor", "--json").lines}
    assert not found["frozen packages"]["ok"]
    assert not found["decides"]["ok"]
    assert "E-INSTALLATION-CHANGED" in found["decides"]["seen"]
    assert found["qualification"]["seen"].startswith("UNQUALIFIED")
    assert found["home"]["ok"]


@pytest.mark.verifies("SRS-HOM-001", "SRS-REL-008")
@pytest.mark.parametrize("installed", [["torch"], {"torch": 1}, "torch"])
@pytest.mark.usefixtures("home")
def test_a_home_whose_frozen_packages_are_no_digests_is_refused(
    command: Command, home: Path, installed: object
) -> None:
    state = yaml.safe_load((home / "home.yaml").read_bytes())
    (home / "home.yaml").write_text(yaml.safe_dump({**state, "installed": installed}))
    assert command("audit", "list").code == ExitCode.CONFIGURATION


def exchanged(folder: Path) -> None:
    """Two files of the release take each other's place."""
    one, two = folder / "model_card.json", folder / "training_record.json"
    held = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(held)


@pytest.mark.verifies("SRS-REL-002")
@pytest.mark.parametrize(
    ("touch", "code"),
    [
        (exchanged, "E-RELEASE-CHANGED"),
        (lambda folder: (folder / "tables.json").rename(folder / "table.json"), "E-RELEASE-UNLISTED"),
        (lambda folder: (folder / "tables.json").rename(folder / "Tables.json"), "E-RELEASE-CASE"),
        (lambda folder: (folder / "golden").rename(folder / "gold"), "E-RELEASE-UNLISTED"),
        (lambda folder: (folder / "x").hardlink_to(folder / "tables.json"), "E-RELEASE-LINK"),
    ],
    ids=["exchanged", "renamed", "other case", "folder renamed", "second name"],
)
def test_files_that_change_places_or_names_are_refused(
    tmp_path: Path, touch: Callable[[Path], object], code: str
) -> None:
    folder = Path(shutil.copytree(releases.default_folder(), tmp_path / "release"))
    touch(folder)
    with pytest.raises(IntegrityError) as caught:
        releases.open_release(folder)
    assert caught.value.code == code
