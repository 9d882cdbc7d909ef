# SPDX-License-Identifier: Apache-2.0
"""``doctor --plan``: every row follows from this home's own files or from a page that holds its figure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md import capacity
from radiomicnet_md.errors import ExitCode
from radiomicnet_md.home import anchor_beside
from tests import desks
from tests.cli.conftest import Command

pytestmark = [pytest.mark.usefixtures("engine"), pytest.mark.verifies("SRS-OPR-006")]


def planned(command: Command, a_day: int) -> dict[str, dict[str, Any]]:
    said = command("doctor", "--plan", f"{a_day}/day", "--json")
    assert said.code == ExitCode.OK, said.err
    assert all(f"assumed: {one}" in said.err for one in capacity.ASSUMED)
    return {line["name"]: line for line in said.lines}


def decide(command: Command, folder: Path, *numbers: int) -> None:
    images = desks.write_images(folder, *(f"{number}.png" for number in numbers))
    assert command("segment", *images, "--out", folder / "out", "--format", "png").code == ExitCode.OK


def test_a_home_that_has_decided_enough_is_measured_and_nothing_is_changed(
    command: Command, home: Path, tmp_path: Path
) -> None:
    decide(command, tmp_path, *range(19))
    recorded = planned(command, 1000)
    assert recorded["log a year"]["value"] == pytest.approx(capacity.RECORDED["log_bytes"].value * 365_000)
    assert recorded["files a year"]["value"] == pytest.approx(capacity.RECORDED["file_bytes"].value * 365_000)
    decide(command, tmp_path / "more", 19)
    before = desks.tree(home)
    found = planned(command, 1000)
    assert desks.tree(home) == before
    kept = sum(path.stat().st_blocks * 512 for path in (home / "artefacts").rglob("*") if path.is_file())
    expected = {
        "log a year": (home / "audit.db").stat().st_size / 21,
        "anchor a year": anchor_beside(home).stat().st_size / 21,
        "files a year": kept / 20,
        "records a year": 1,
    }
    for name, each in expected.items():
        assert found[name]["value"] == pytest.approx(each * 365_000), name
        assert "measured here" in found[name]["how"]
    disk = sum(found[name]["value"] for name in ("log a year", "anchor a year", "files a year"))
    assert found["disk a year"]["value"] == found["backup after a year"]["value"] == pytest.approx(disk)
    assert planned(command, 2000)["disk a year"]["value"] == pytest.approx(2 * disk)


def test_time_and_processors_follow_from_the_recorded_speed(command: Command, home: Path) -> None:
    assert home.exists()
    found = planned(command, 10_000)
    assert found["seconds a case"]["value"] == pytest.approx(2 / 3.07)
    assert found["processor cores"]["value"] == 1  # 6,515 s of work in 8 hours at 70 %
    assert planned(command, 40_000)["processor cores"]["value"] == 2  # 26,059 s
    assert found["verification of a year"]["value"] == pytest.approx(3_650_000 * 332 / 1_000_400 * 28_344 / 9_830.4)
    text = command("doctor", "--plan", "10000/day").out
    assert re.search(r"processor cores +1 +a day's cases in 8 hours", text)
    assert re.search(r"log a year +103\.5 GB", text)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("wanted", ["0/day", "ten/day", "10", "10/week", "-3/day", "1e3/day", "999999999999/day"])
def test_what_is_no_number_of_cases_a_day_is_refused(command: Command, wanted: str) -> None:
    said = command("doctor", f"--plan={wanted}")
    assert (said.code, "as 10000/day" in said.err) == (ExitCode.USAGE, True)


@pytest.mark.parametrize(
    ("name", "row", "figure"),
    [
        ("case_s", r"^\| `batch --jobs 2` \| ([\d.]+) ", lambda text: 2 / float(text)),
        ("verify_s", r"^\| verify the database: every signature \| (\d+) s", lambda text: int(text) / 1_000_400),
        (
            "verified_bytes",
            r"^\| database, per record \| [\d.]+ KiB \| ([\d.]+) KiB \|",
            lambda text: float(text) * 1024,
        ),
        ("log_bytes", r"^\| log, a record \| ([\d,]+) \|", lambda text: int(text.replace(",", ""))),
        ("anchor_bytes", r"^\| anchor, a record \| ([\d,]+) \|", lambda text: int(text.replace(",", ""))),
        ("file_bytes", r"^\| files kept of a decision .*\| ([\d,]+) \|", lambda text: int(text.replace(",", ""))),
    ],
)
def test_each_recorded_figure_is_that_of_the_page_it_names(root: Path, name: str, row: str, figure: Any) -> None:  # noqa: ANN401
    measure = capacity.RECORDED[name]
    (found,) = re.findall(row, (root / measure.source).read_text(encoding="utf-8"), re.MULTILINE)
    assert measure.value == pytest.approx(figure(found))
