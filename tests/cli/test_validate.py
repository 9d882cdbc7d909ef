# SPDX-License-Identifier: Apache-2.0
"""``validate``: from a folder to a signed verdict, opened on the record, safe to stop, and refused where it must be."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from radiomicnet_md import config, io, opening, phantom, shelf
from radiomicnet_md import home as homes
from radiomicnet_md.batching import deciding, pool
from radiomicnet_md.engine.release import Release
from radiomicnet_md.errors import IntegrityError
from radiomicnet_md.io.masks import png
from radiomicnet_md_audit import canonical, dsse
from radiomicnet_md_audit.statement import DECISION, QUALIFICATION, UNSEALING
from radiomicnet_md_audit.stored import verify_ledger
from radiomicnet_md_traceability import acceptance as trace
from radiomicnet_md_traceability import load
from radiomicnet_md_validation import acceptance, performance_report, validating
from radiomicnet_md_validation.qualification import reports
from radiomicnet_md_validation.validating import Asked
from tests import desks
from tests.cli.conftest import Command
from tests.validation.cases import write_folder

SPLIT = [(f"lesion_{n}", "test", f"g{n // 2}", ("benign", "malignant")[n % 2]) for n in range(5)]
ROWS = [
    *SPLIT,
    ("plain_0", "test", "h0", "normal"),
    ("learned", "train", "t0", "benign"),
    ("odd", "quarantine", "g0", "benign"),
]


@pytest.fixture
def forks(engine: desks.FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of a batch are forks of this one, with the engine of the tests."""
    forking = multiprocessing.get_context("fork")
    monkeypatch.setattr(pool.multiprocessing, "get_context", lambda _: forking)


@pytest.fixture
def folder(tmp_path: Path, forks: None) -> Path:
    return write_folder(tmp_path / "cases", ROWS)


def entries(home: Path) -> list[tuple[str, dict[str, object]]]:
    with homes.open_home(home).reading_ledger() as ledger:
        said = [ledger.read(entry) for entry in ledger.entries(1)]
    return [(one.predicate_type, one.predicate) for one in said]


def signed(home: Path, out: Path) -> dict[str, object]:
    """The signed account, opened with the home's own key."""
    keys = homes.open_home(home).policy().engine_keys_at(1)
    opened = dsse.open_((out / performance_report.JSON).read_bytes(), keys, performance_report.PAYLOAD_TYPE)
    content = canonical.loads(opened.payload)
    assert isinstance(content, dict)
    return content


@pytest.mark.verifies("SRS-PRF-004", "SRS-PRF-005", "SRS-PRF-006")
def test_a_small_test_split_is_opened_decided_scored_and_told_to_be_too_small(
    home: Path, command: Command, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    said = command("validate", folder, "--split", "test", "--out", out, "--jobs", "2", "--json")
    assert said.code == 3, said.err
    line = said.lines[-1]
    assert {one["id"]: one["verdict"] for one in line["acceptance"]} == dict.fromkeys(
        ("AC-DSC-01", "AC-MIS-01", "AC-FAL-01"), "INCONCLUSIVE"
    )
    kinds = [kind for kind, _ in entries(home)]
    assert kinds[0] == UNSEALING
    assert kinds[1:] == [DECISION] * 6
    opened = entries(home)[0][1]
    assert (opened["split"], opened["cases"], opened["reuse_count"]) == ("test", 6, 0)
    assert opened["acceptance"] == {one["id"]: one["sha256"] for one in line["acceptance"]}
    content = signed(home, out)
    assert content["unsealing"]["record_id"] == opened["record_id"]  # type: ignore[index]
    assert sorted(one["id"] for one in content["cases"]) == sorted(row[0] for row in ROWS[:6])  # type: ignore[index,attr-defined]
    dice = [float(one["dice"]) for one in content["cases"]]  # type: ignore[index,attr-defined]
    assert dice == sorted(dice)
    assert min(dice) > 0.99  # dark is lesion, and the engine of the tests says so
    with homes.open_home(home).reading_ledger() as ledger:
        assert verify_ledger(ledger, ledger.anchor_text()).ok
    records = {one["record_id"] for one in content["cases"]}  # type: ignore[index,attr-defined]
    assert records == {predicate["record_id"] for kind, predicate in entries(home) if kind == DECISION}


@pytest.mark.verifies("SRS-PRF-006")
@pytest.mark.usefixtures("home")
def test_page_and_pdf_name_every_case_and_what_the_figures_are_not(
    command: Command, folder: Path, tmp_path: Path, require: Callable[[str], Path]
) -> None:
    out = tmp_path / "out"
    said = command("validate", folder, "--split", "test", "--out", out, "--site")
    assert said.code == 3, said.err
    assert "reuse_count 0" in said.out
    page = (out / performance_report.PAGE).read_text(encoding="utf-8")
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    program = require("pdftotext")
    printed = subprocess.run([program, "-layout", out / performance_report.PDF, "-"], capture_output=True, check=True)
    text = " ".join(printed.stdout.decode().split())
    for shown in (page, text):
        assert "not clinical evidence" in shown
        assert "descriptive only" in shown
        assert "no calibrated probability" in shown
        for row in ROWS[:6]:
            assert row[0] in shown
    assert "Site verification" in page
    assert (out / performance_report.PDF).read_bytes()[:5] == b"%PDF-"


@pytest.mark.verifies("SRS-QUA-008")
@pytest.mark.parametrize("enough", [False, True])
def test_a_performance_qualification_is_what_was_measured_and_a_record_of_this_installation(  # noqa: PLR0913 - fixtures
    home: Path, command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, enough: bool
) -> None:
    demands = acceptance.objectives()
    if enough:  # the two shares, of as few cases as there are, with a limit that every answer meets
        demands = tuple(dataclasses.replace(one, n_required=1, criterion="<= 1") for one in demands[1:])
        monkeypatch.setattr(acceptance, "objectives", lambda: demands)
    out = tmp_path / "pq"
    said = command("qualify", "pq", folder, "--split", "test", "--out", out, "--json")
    assert said.code == (0 if enough else 3), said.err
    last = said.lines[-1]
    assert (last["kind"], last["verdict"]) == ("pq", "PASS" if enough else "INCONCLUSIVE")
    kind, predicate = entries(home)[-1]
    assert (kind, predicate["kind"], predicate["record_id"]) == (QUALIFICATION, "pq", last["record_id"])
    keys = homes.open_home(home).policy().engine_keys_at(1)
    opened = canonical.loads(dsse.open_((out / "report.json").read_bytes(), keys, reports.TYPE).payload)
    digest = hashlib.sha256((out / "performance" / performance_report.JSON).read_bytes()).hexdigest()
    checks = opened["results"]  # type: ignore[index,call-overload]
    assert [one["id"] for one in checks] == [f"PQ-{number:03}" for number in range(1, len(demands) + 1)]
    assert all(digest in one["actual"] for one in checks)
    again = command("qualify", "pq", folder, "--split", "test", "--out", out)
    assert (again.code, "E-QUALIFY-OUT" in again.err) == (2, True)


@pytest.mark.verifies("SRS-PRF-006")
def test_a_changed_byte_of_the_signed_account_does_not_open(
    home: Path, command: Command, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command("validate", folder, "--split", "test", "--out", out)
    path = out / performance_report.JSON
    assert signed(home, out)["verdict"] == "INCONCLUSIVE"
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"payload":"ey', b'"payload":"eZ', 1))
    assert path.read_bytes() != data
    with pytest.raises(IntegrityError):
        signed(home, out)


@pytest.mark.verifies("SRS-PRF-004")
def test_a_second_opening_of_the_same_images_is_counted_under_other_names_too(
    home: Path, command: Command, folder: Path, tmp_path: Path
) -> None:
    command("validate", folder, "--split", "test", "--out", tmp_path / "first")
    again = command("validate", folder, "--split", "test", "--out", tmp_path / "first", "--json")
    assert again.lines[-1]["unsealing"]["reuse_count"] == 0
    assert [kind for kind, _ in entries(home)].count(UNSEALING) == 1  # the same measurement goes on
    renamed = tmp_path / "renamed"
    shutil.copytree(folder, renamed)
    table = (renamed / "splits.csv").read_text()
    for kind in ("images", "masks"):
        (renamed / kind / "lesion_0.png").rename(renamed / kind / "other_0.png")
    (renamed / "splits.csv").write_text(table.replace("lesion_0,", "other_0,"))
    second = command("validate", renamed, "--split", "test", "--out", tmp_path / "second", "--json")
    assert second.lines[-1]["unsealing"]["reuse_count"] == 1
    train = command("validate", folder, "--split", "train", "--out", tmp_path / "train", "--json")
    assert train.lines[-1]["unsealing"] is None
    assert (tmp_path / "train" / performance_report.FOR_TRACE).read_text() == ""
    assert [kind for kind, _ in entries(home)].count(UNSEALING) == 2


@pytest.mark.verifies("SRS-PRF-004", "SRS-PRF-005")
def test_a_run_that_is_stopped_goes_on_and_opens_and_decides_nothing_twice(
    home: Path, folder: Path, tmp_path: Path
) -> None:
    asked = Asked(folder, "test", tmp_path / "out", jobs=1)
    settings = config.load({"home": str(home)})
    passphrase = homes.open_home(home).passphrase()
    stop = threading.Event()
    with pytest.raises(KeyboardInterrupt):
        validating.measured(settings, passphrase, asked, stop, lambda *_: stop.set())
    decided = [kind for kind, _ in entries(home)].count(DECISION)
    assert 0 < decided < 6
    assert not (tmp_path / "out" / performance_report.JSON).exists()
    found = validating.measured(settings, passphrase, asked, threading.Event())
    assert [kind for kind, _ in entries(home)] == [UNSEALING, *[DECISION] * 6]
    for case in (tmp_path / "out" / "cases").glob("*/mask.png"):
        case.write_bytes(png(np.zeros((96, 128), dtype=np.uint8)))
    again = validating.measured(settings, passphrase, asked, threading.Event())
    assert again.report.scored == found.report.scored
    assert [kind for kind, _ in entries(home)].count(DECISION) == 6


@pytest.mark.verifies("SRS-PRF-001", "SRS-PRF-006")
@pytest.mark.usefixtures("home")
def test_a_device_that_finds_nothing_has_the_worst_scores_in_the_report(
    engine: desks.FakeEngine, command: Command, folder: Path, tmp_path: Path
) -> None:
    engine.level = 0
    said = command("validate", folder, "--split", "test", "--out", tmp_path / "out", "--json")
    figures = {one["name"]: one for one in said.lines[-1]["figures"]}
    assert (figures["Dice"]["point"], figures["Dice"]["n"]) == ("0.000000", 5)
    assert figures["Hausdorff distance, 95 %"]["point"] == "160.000000"  # the diagonal of 96 × 128
    assert figures["Missed lesions (no true pixel, or no answer)"]["point"] == "1.000000"
    assert figures["Dice"]["note"] == "descriptive only"


@pytest.mark.verifies("SRS-PRF-005")
@pytest.mark.usefixtures("home")
def test_a_device_that_becomes_unfit_while_it_is_measured_is_told_and_not_scored(
    engine: desks.FakeEngine, command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "CASES_BETWEEN_TESTS", 2)
    engine.fails_test_after = 0
    asked = ("validate", folder, "--split", "test", "--out", tmp_path / "out", "--jobs", "1")
    for _ in range(2):  # nor when it is asked again
        said = command(*asked)
        assert (said.code, "E-KAT" in said.err) == (6, True)
    assert not (tmp_path / "out" / performance_report.JSON).exists()


@pytest.mark.verifies("SRS-PRF-002")
@pytest.mark.usefixtures("home")
def test_cases_that_training_has_seen_fail_and_write_nothing_for_the_trace(
    command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = {"id": "fake", "version": "1.2.3", "created": "2026-01-01", "files": {}}
    record = {"training_record.json": json.dumps({"training_cases": ["lesion_0", "learned"]}).encode()}
    release = Release(Path("fake"), manifest, "0" * 64, "0" * 64, record)
    monkeypatch.setattr(opening, "verified_release", lambda *_: release)
    said = command("validate", folder, "--split", "test", "--out", tmp_path / "out", "--json")
    line = said.lines[-1]
    assert (said.code, line["verdict"]) == (3, "FAIL")
    assert {one["verdict"] for one in line["acceptance"]} == {"FAIL"}
    assert all(one["why"].startswith("leaking") for one in line["acceptance"])
    assert line["set"]["seen_in_training"] == ["lesion_0", "lesion_1"]  # its duplicate too
    assert (tmp_path / "out" / performance_report.FOR_TRACE).read_text() == ""


@pytest.mark.verifies("SRS-PRF-005")
def test_a_folder_of_another_measurement_is_refused(home: Path, command: Command, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command("validate", folder, "--split", "test", "--out", out)
    before = len(entries(home))
    for arguments in (("--split", "train"), ("--split", "test", "--site")):
        said = command("validate", folder, *arguments, "--out", out)
        assert said.code == 2
        assert "E-VALIDATE-OTHER" in said.err
    (folder / "masks" / "lesion_1.png").write_bytes(png(np.zeros((96, 128), dtype=np.uint8)))
    assert "it differs in cases" in command("validate", folder, "--split", "test", "--out", out).err
    noted = json.loads((out / validating.NOTE).read_text())
    for changed in ({"log": "example.org/other"}, {"release": {**noted["release"], "manifest_sha256": "1" * 64}}):
        (out / validating.NOTE).write_text(json.dumps(noted | changed))
        said = command("validate", folder, "--split", "test", "--out", out)
        assert (said.code, f"cases, {next(iter(changed))}" in said.err) == (2, True)
    (out / validating.NOTE).write_text("no JSON")
    said = command("validate", folder, "--split", "test", "--out", out)
    assert (said.code, "E-VALIDATE-NOTE" in said.err) == (7, True)
    assert len(entries(home)) == before


@pytest.mark.verifies("SRS-PRF-001", "SRS-PRF-006")
@pytest.mark.usefixtures("home")
def test_what_meets_every_demand_ends_with_0_and_goes_to_the_trace(
    command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = {"mean Dice of a case": ">= 0.90"}
    fixed = [
        dataclasses.replace(one, n_required=1, criterion=met.get(one.statistic, "<= 0.99"))
        for one in acceptance.objectives()
    ]
    monkeypatch.setattr(acceptance, "objectives", lambda: tuple(fixed))
    for number in range(5):  # answers that are equal to the truth have no spread, and no bound
        path = folder / "masks" / f"lesion_{number}.png"
        mask = io.read(path).image.pixels[0, :, :, 0].copy()
        mask[: np.flatnonzero(mask.any(axis=1))[number]] = 0
        path.write_bytes(png(mask))
    table = folder / "splits.csv"
    table.write_text(re.sub(r"(lesion_\d),test,g\d", r"\1,test,\1", table.read_text()))  # 5 groups bear an interval
    said = command("validate", folder, "--split", "test", "--out", tmp_path / "out")
    assert said.code == 0, said.out + said.err
    assert said.out.count("PASS") == 4
    lines = (tmp_path / "out" / performance_report.FOR_TRACE).read_text().splitlines()
    for line, one in zip(map(json.loads, lines), fixed, strict=True):
        assert (line["id"], line["sha256"], line["status"]) == (one.id, one.sha256, "PASS")
        assert trace.judge(load.Item(one.id, "acceptance", dataclasses.asdict(one), ""), trace.Seen(**line)) == "PASS"


@pytest.mark.verifies("SRS-PRF-005")
def test_a_mask_that_is_not_kept_or_not_as_recorded_cannot_be_scored(
    home: Path, command: Command, folder: Path, tmp_path: Path
) -> None:
    asked = ("validate", folder, "--split", "test", "--out", tmp_path / "out")
    command(*asked)
    digest = next(predicate["outputs"]["mask_sha256"] for kind, predicate in entries(home) if kind == DECISION)  # type: ignore[index]
    mask = shelf.artefact(home, digest)
    data = mask.read_bytes()
    mask.chmod(0o600)
    mask.write_bytes(data[:-1] + b"\x01")
    said = command(*asked)
    assert (said.code, "E-ARTEFACT-CHANGED" in said.err) == (4, True)
    mask.unlink()
    said = command(*asked)
    assert (said.code, "E-VALIDATE-RECORD" in said.err) == (4, True)


@pytest.mark.verifies("SRS-PRF-005", "SRS-PRF-008")
def test_the_release_that_ships_outlines_phantoms_and_is_scored_by_its_records(
    home: Path, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(Path(os.environ["NUMBA_CACHE_DIR"]).parents[1]))  # compiled once
    folder = tmp_path / "phantoms"
    rows = ["id,split,group,class_label"]
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for seed in (1, 2):
        made = phantom.make(seed)
        phantom.write_dicom(made, folder / "images" / f"phantom_{seed}.dcm")
        (folder / "masks" / f"phantom_{seed}.png").write_bytes(png(made.truth * np.uint8(255)))
        rows.append(f"phantom_{seed},site,p{seed},drawn")
    (folder / "splits.csv").write_text("\n".join(rows) + "\n")
    said = command("validate", folder, "--out", tmp_path / "out", "--site", "--jobs", "1", "--json")
    line = said.lines[-1]
    assert said.code == 3, said.err
    assert line["verdict"] == "INCONCLUSIVE"
    cases = {one["id"]: one for one in signed(home, tmp_path / "out")["cases"]}  # type: ignore[index,attr-defined]
    assert float(cases["phantom_1"]["dice"]) > 0.8
    assert line["pixel_probability"]["cases"] == 2
    assert 0 < float(line["pixel_probability"]["calibration error, all pixels"]) < 0.5
