# SPDX-License-Identifier: Apache-2.0
"""``metrics``: what the log and the home hold in numbers, at an address of this machine, and nothing of anybody."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from radiomicnet_md import checkup
from radiomicnet_md import home as homes
from radiomicnet_md.config import load
from radiomicnet_md.engine import installation
from radiomicnet_md.engine.release import default_folder, open_release
from radiomicnet_md.errors import ExitCode
from radiomicnet_md.intent import new_id
from radiomicnet_md.metrics import serving
from radiomicnet_md.metrics.exposition import page
from radiomicnet_md.metrics.reading import Reader
from radiomicnet_md_audit.statement import SENDING, build
from tests import canaries, desks
from tests.cli.conftest import Command
from tests.metrics.test_exposition import read

pytestmark = [pytest.mark.usefixtures("engine", "home"), pytest.mark.verifies("SRS-OPR-005")]


def numbers(text: str) -> dict[str, float]:
    """Every sample by its name without our prefix, with the values of its labels."""
    found = {}
    for name, labels, value in read(text)[1]:
        said = [told for label, told in labels.items() if label != "le"]
        found[" ".join([name.removeprefix("radiomicnet_md_"), *said, *filter(None, [labels.get("le")])])] = value
    return found


@pytest.mark.verifies("SRS-OPR-005", "SRS-CLI-001")
def test_the_numbers_are_those_of_the_log_and_the_home(command: Command, home: Path, tmp_path: Path) -> None:
    images = desks.write_images(tmp_path, "one.png", "two.png")
    (tmp_path / "no.png").write_bytes(b"no image")
    assert command("segment", *images, tmp_path / "no.png", "--out", tmp_path / "out", "--format", "png").code
    (key := home / "keys" / "passphrase").rename(tmp_path / "passphrase")
    reader = Reader(load({"home": home}, {}))
    found = numbers(page(reader.families()))
    states = {state: found[f"decisions_total {state}"] for state in ("RESULT", "REFUSED", "ERROR")}
    assert states == {"RESULT": 2, "REFUSED": 1, "ERROR": 0}
    (reason,) = (name for name in found if name.startswith("reasons_total"))
    assert reason.startswith("reasons_total REFUSED E-INPUT")
    assert (found["log_entries"], found["records_total genesis"], found["records_total decision"]) == (4, 1, 3)
    assert found["log_bytes"] >= (home / "audit.db").stat().st_size
    assert found["anchor_bytes"] == homes.anchor_beside(home).stat().st_size
    assert 0 <= found["checkpoint_age_seconds"] < 600
    assert (found["qualified"], found["release_verified"]) == (0, 1)
    assert found["disk_free_bytes"] == pytest.approx(shutil.disk_usage(home).free, rel=0.05)
    assert [found[f"{box}_{what}"] for box in ("inbox", "outbox") for what in ("waiting", "set_aside")] == [0] * 4
    shipped = open_release(default_folder())
    (info,) = (name.split(" ") for name in found if name.startswith("info "))
    assert {installation.code()["sha256"], shipped.version, shipped.manifest_sha256, "demonstration"} <= set(info)

    (tmp_path / "passphrase").rename(key)
    assert command("segment", images[0], "--out", tmp_path / "again", "--format", "png").code == ExitCode.OK
    opened = homes.open_home(home)
    with opened.writing_ledger(opened.passphrase()) as ledger:
        of = next(iter(command("audit", "list", "--json").lines))["record_id"]
        ledger.append(build(SENDING, {"object-1": "0" * 64}, {"record_id": new_id(), "of": of}))
    for place in ("inbox/a.dcm", "inbox/b.dcm", "inbox/failed/c.dcm", "outbox/7abc/d.dcm", "outbox/failed/0abc/e.dcm"):
        (home / place).parent.mkdir(parents=True, exist_ok=True)
        (home / place).touch()
    found = numbers(page(reader.families()))
    assert found["decisions_total RESULT"] == 3
    assert (found["delivery_seconds_count"], found["delivery_seconds_bucket 300"]) == (1, 1)
    assert [found[f"{box}_{what}"] for box in ("inbox", "outbox") for what in ("waiting", "set_aside")] == [2, 1, 1, 1]


def test_once_on_stdout_it_is_the_same_page(command: Command) -> None:
    said = command("metrics")
    assert said.code == ExitCode.OK
    assert numbers(said.out)["log_entries"] == 1
    lines = command("metrics", "--json").lines
    assert {line["name"] for line in lines} == set(read(said.out)[0])


def test_a_release_that_does_not_verify_is_said_and_nothing_is_made_up(command: Command, tmp_path: Path) -> None:
    found = numbers(command("metrics", "--release", tmp_path / "nowhere").out)
    assert found["release_verified"] == 0
    assert "qualified" not in found


@pytest.mark.verifies("SRS-OPR-005", "SRS-PRV-009")
def test_no_canary_is_heard_in_the_numbers(command: Command, home: Path, tmp_path: Path) -> None:
    path = canaries.write(tmp_path / f"{canaries.WORD}.dcm")
    assert command("segment", path, "--out", tmp_path / "out", "--format", "png").code == ExitCode.OK
    settings = load({"home": home}, {})
    text = page(Reader(settings).families()) + serving.health(settings)[1]
    assert canaries.heard({"metrics": text.encode()}) == []
    listed = command("audit", "list", "--json").lines[0]
    assert not any(str(listed[name]) in text for name in ("record_id", "input_sha256"))


@pytest.fixture
def served(home: Path) -> Iterator[str]:
    """The address of a server in a process of its own."""
    arguments = [sys.executable, "-m", "radiomicnet_md", "metrics", "--port", "0", "--json", "--home", str(home)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=desks.environment(home.parent)) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        process.terminate()


def get(address: str, path: str, **headers: str) -> tuple[int, str, str]:
    answer = httpx.get(address.replace("/metrics", path), headers=headers, timeout=60)
    return answer.status_code, answer.headers["content-type"], answer.text


def test_it_answers_on_this_machine_and_to_its_names_alone(served: str, home: Path) -> None:
    assert urlsplit(served).hostname == "127.0.0.1"
    status, kind, text = get(served, "/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert numbers(text)["log_entries"] == 1
    assert get(served, "/metrics", host="evil.example:80")[0] == 421
    assert get(served, "/other")[0] == 404
    status, _, text = get(served, "/health")
    assert (status, json.loads(text)["status"]) == (200, "ok")
    homes.anchor_beside(home).rename(home.parent / "gone")
    status, _, text = get(served, "/health")
    assert (status, json.loads(text)["checks"]["anchor"]) == (503, "fail")
    (home / "audit.db").rename(home.parent / "gone.db")
    status, _, text = get(served, "/metrics")
    assert (status, text) == (503, "E-HOME-UNUSABLE\n")


def test_an_unqualified_clinical_home_is_not_well(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load({"home": home}, {})
    assert serving.health(settings)[0]
    monkeypatch.setitem(checkup.CHECKS, "qualification", lambda _: (False, "UNQUALIFIED", "qualify"))
    well, text = serving.health(settings)
    assert (well, json.loads(text)["checks"]["qualification"]) == (False, "fail")


def test_a_port_that_is_taken_is_refused(command: Command, served: str) -> None:
    assert command("metrics", "--port", str(urlsplit(served).port)).code == ExitCode.USAGE
