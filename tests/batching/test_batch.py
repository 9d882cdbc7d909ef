# SPDX-License-Identifier: Apache-2.0
"""A batch records each case once and gives what `segment` gives, whatever dies in it and however often it is begun."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from radiomicnet_md import batching, config, phantom, standing
from radiomicnet_md import home as homes
from radiomicnet_md.batching import deciding, planning, pool, summarising, tables
from radiomicnet_md.errors import BusyError, ExitCode, UsageError
from radiomicnet_md_audit.stored import verify_ledger
from tests import desks
from tests.io import samples

RELEASE = "0" * 64


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> homes.Home:
    """A home whose processes are forks of this one, with the engine of the tests."""
    desks.remember_keys(monkeypatch)
    made = homes.create(tmp_path / "home")
    monkeypatch.setattr(deciding, "open_desk", opened)
    forking = multiprocessing.get_context("fork")
    monkeypatch.setattr(pool.multiprocessing, "get_context", lambda _: forking)
    return made


@contextmanager
def opened(settings: config.Settings, _: bytes) -> Iterator[Any]:
    yield desks.make_desk(homes.open_home(settings.home), desks.FakeEngine())


def told(home: homes.Home, source: Path, out: Path, *, resume: bool = False, jobs: int = 2) -> list[batching.Told]:
    made = batching.plan(source, out, "png", RELEASE, resume=resume)
    dealer = batching.Pool(config.Settings(home=home.folder), b"", jobs)
    return list(batching.run(made, batching.Book(made), dealer, threading.Event()))


def requests(home: homes.Home) -> Counter[str]:
    """How many terminal records each request has; the log verifies."""
    with home.reading_ledger() as ledger:
        assert verify_ledger(ledger, ledger.anchor_text()).ok
        said = [ledger.read(entry).predicate for entry in ledger.entries(1)]
    return Counter(one["request_id"] for one in said if one.get("state") in {"RESULT", "REFUSED"})


@pytest.mark.verifies("SRS-BAT-001", "SRS-BAT-002")
def test_each_case_is_recorded_once_and_a_second_run_decides_nothing(home: homes.Home, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    desks.write_images(source, *(f"scan-{n}.png" for n in range(6)))
    (source / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno image")
    first = told(home, source, out)
    assert sorted(one.row for one in first) == list(range(1, 8))
    assert Counter(one.line["status"] for one in first) == {"accepted": 6, "refused": 1}
    for one in first:
        for name in one.line["outputs"]:
            assert Path(name).exists()
    stems = [one.line["outputs"] for one in first if one.line["status"] == "accepted"]
    assert all(any("mask" in Path(name).name and "scan-" in name for name in names) for names in stems)
    before = requests(home)
    assert len(before) == 7
    assert set(before.values()) == {1}
    again = told(home, source, out, resume=True)
    assert [one.line for one in again] == [one.line for one in sorted(first, key=lambda one: one.row)]
    assert requests(home) == before
    (out / "scan-3" / "mask.png").unlink()
    third = told(home, source, out, resume=True)
    assert (out / "scan-3" / "mask.png").exists()
    assert requests(home) == before
    assert {one.line["record_id"] for one in third} == {one.line["record_id"] for one in first}


@pytest.mark.verifies("SRS-BAT-003")
def test_a_case_that_kills_its_process_is_refused_by_name_and_takes_no_other_with_it(
    home: homes.Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "in"
    desks.write_images(source, *(f"scan-{n}.png" for n in range(5)), "poison.png")
    answer = standing.answer_request

    def deadly(item: Any, *given: Any) -> Any:  # noqa: ANN401
        if "poison" in item.shown:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer(item, *given)

    monkeypatch.setattr(standing, "answer_request", deadly)
    found = {Path(one.line["input"]).name: one for one in told(home, source, tmp_path / "out")}
    assert len(found) == 6
    poison = found.pop("poison.png")
    assert (poison.line["status"], poison.line["reason"]["code"]) == ("refused", "E-BATCH-ATTEMPTS")
    assert {one.line["status"] for one in found.values()} == {"accepted"}
    assert set(requests(home).values()) == {1}


@pytest.mark.verifies("SRS-BAT-004")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name\nx\n", "columns"),
        ("input,other\na.png,1\n", "columns"),
        ("input,input\na.png,a.png\n", "columns"),
        ("input\nnot-there.png\n", "missing in row 1"),
        ("input\na.png\nb.png\na.png\n", "more than once in rows 1, 3"),
        ("input\na.png\n./a.png\n", "more than once in rows 1, 2"),
        ("input,name\na.png,x\nb.png,x\n", "name is given more than once in rows 1, 2"),
        ("input,name\na.png,../x\n", "no plain name in row 1"),
        ("input\na.png,b.png\n", "too many values"),
        ('input\n"a.png\n', "unexpected end"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said_before_work_starts(tmp_path: Path, text: str, words: str) -> None:
    desks.write_images(tmp_path, "a.png", "b.png")
    (tmp_path / "cases.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=words) as raised:
        batching.plan(tmp_path / "cases.csv", tmp_path / "out", None, RELEASE, resume=False)
    assert raised.value.code == "E-BATCH-MANIFEST"
    assert not (tmp_path / "out").exists()


@pytest.mark.verifies("SRS-BAT-004")
def test_other_encodings_and_too_many_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cases.csv").write_bytes("input\nü.png\n".encode("latin-1"))
    with pytest.raises(UsageError, match="UTF-8"):
        batching.plan(tmp_path / "cases.csv", tmp_path / "out", None, RELEASE, resume=False)
    monkeypatch.setattr(planning, "MOST_ROWS", 3)
    (tmp_path / "cases.csv").write_text("input\n" + "x\n" * 5)
    with pytest.raises(UsageError, match="more than 3 rows"):
        batching.plan(tmp_path / "cases.csv", tmp_path / "out", None, RELEASE, resume=False)
    with pytest.raises(UsageError, match="not there"):
        batching.plan(tmp_path / "absent.csv", tmp_path / "out", None, RELEASE, resume=False)


@pytest.mark.verifies("SRS-BAT-004")
def test_a_folder_belongs_to_one_batch(tmp_path: Path) -> None:
    desks.write_images(tmp_path / "in", "a.png", "b.png")
    (tmp_path / "cases.csv").write_text("\ufeffinput,name\nin/a.png,first\nin/b.png,\n", encoding="utf-8")
    out = tmp_path / "out"
    made = batching.plan(tmp_path / "cases.csv", out, "png", RELEASE, resume=False)
    assert [(row.number, row.name) for row in made.rows] == [(1, "first"), (2, "b")]
    for given, code in (
        ({"resume": False}, "E-BATCH-FOLDER"),
        ({"resume": True, "form": "nifti"}, "E-BATCH-OTHER"),
        ({"resume": True, "release": "1" * 64}, "E-BATCH-OTHER"),
        ({"resume": True, "source": tmp_path / "in"}, "E-BATCH-OTHER"),
    ):
        asked = {"source": tmp_path / "cases.csv", "form": "png", "release": RELEASE, **given}
        with pytest.raises(UsageError) as raised:
            batching.plan(asked["source"], out, asked["form"], asked["release"], resume=asked["resume"])  # type: ignore[arg-type]
        assert raised.value.code == code
    again = batching.plan(tmp_path / "cases.csv", out, "png", RELEASE, resume=True)
    assert [again.request(row) for row in again.rows] == [made.request(row) for row in made.rows]
    (tmp_path / "in" / "a.png").write_bytes(b"changed")
    assert again.request(again.rows[0]) != made.id
    with pytest.raises(UsageError, match="no image"):
        batching.plan(_empty(tmp_path), tmp_path / "other", None, RELEASE, resume=False)


def _empty(folder: Path) -> Path:
    (folder / "empty.csv").write_text("input\n")
    return folder / "empty.csv"


@pytest.mark.verifies("SRS-BAT-002")
def test_two_of_one_name_get_a_folder_each(home: homes.Home, tmp_path: Path) -> None:
    for number, folder in enumerate(("one", "two")):
        desks.write_images(tmp_path / folder, "scan.png")
        levels = np.full((96, 128), 90 + number, dtype=np.uint8)
        levels[20:40, 30:60] = 20
        Image.fromarray(levels).save(tmp_path / folder / "scan.png")
    (tmp_path / "cases.csv").write_text("input\none/scan.png\ntwo/scan.png\n")
    found = told(home, tmp_path / "cases.csv", tmp_path / "out", jobs=1)
    folders = {Path(one.line["outputs"][0]).parent.name for one in found}
    assert len(folders) == 2
    assert all(name.startswith("scan-") for name in folders)


@pytest.mark.verifies("SRS-BAT-002")
def test_a_folder_of_many_patients_is_found_with_what_lies_below_it(tmp_path: Path) -> None:
    for number, folder in enumerate((".", "ward", "ward/two", ".hidden")):
        place = tmp_path / "in" / folder
        place.mkdir(parents=True, exist_ok=True)
        dataset = samples.ultrasound(lambda one, number=number: setattr(one, "PatientID", f"P-{number}"))
        samples.put(place, dataset, f"scan-{number}.dcm")
    (tmp_path / "in" / "notes.txt").write_text("no image")
    (tmp_path / "in" / "without").mkdir()
    out = tmp_path / "in" / "results"  # an earlier run's pictures in it are no images of this batch
    desks.write_images(out / "scan-0", "mask.png")
    made = batching.plan(tmp_path / "in", out, None, RELEASE, resume=False)
    assert [row.name for row in made.rows] == ["scan-0", "scan-1", "scan-2"]
    assert all(row.item.problem is None for row in made.rows)
    with pytest.raises(UsageError, match="no image"):
        batching.plan(tmp_path / "in" / "without", tmp_path / "other", None, RELEASE, resume=False)


@pytest.mark.verifies("SRS-BAT-001", "SRS-BAT-002")
def test_a_batch_killed_with_all_its_processes_goes_on_and_gives_what_segment_gives(tmp_path: Path) -> None:
    homes.create(tmp_path / "home")
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for seed in range(8):
        phantom.write_dicom(phantom.make(seed), source / f"case-{seed}.dcm")
    program = [sys.executable, "-m", "radiomicnet_md", "--home", str(tmp_path / "home"), "--json"]
    environment = desks.environment(tmp_path, XDG_CACHE_HOME=str(Path.home() / ".cache"))
    batch = [*program, "batch", str(source), "--out", str(out), "--format", "png", "--jobs", "2"]
    process = subprocess.Popen(
        batch, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    for _ in range(2):
        assert process.stdout.readline()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(0.2)
    assert subprocess.run(batch, env=environment, capture_output=True, check=False).returncode == ExitCode.USAGE
    done = subprocess.run([*batch, "--resume"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(line["row"] for line in lines) == list(range(1, 9))
    assert set(requests(homes.open_home(tmp_path / "home")).values()) == {1}
    assert len((out / "cases.csv").read_text().splitlines()) == 9
    paths = [str(source / f"case-{seed}.dcm") for seed in (0, 5)]
    alone = subprocess.run(
        [*program, "segment", *paths, "--out", str(tmp_path / "alone"), "--format", "png"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    masks = {Path(line["input"]).name: line["mask_sha256"] for line in lines}
    for text in alone.stdout.splitlines():
        one = json.loads(text)
        assert masks[Path(one["input"]).name] == one["mask_sha256"]
        name = Path(one["input"]).stem
        assert (out / name / "mask.png").read_bytes() == (tmp_path / "alone" / name / "mask.png").read_bytes()


@pytest.mark.verifies("SRS-BAT-009")
def test_the_tables_hold_every_case_and_every_value_of_its_record(home: homes.Home, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    desks.write_images(source, *(f"scan-{n}.png" for n in range(3)))
    (source / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno image")
    Image.fromarray(np.random.default_rng(1).integers(120, 240, (96, 128), np.uint8)).save(source / "none.png")
    found = {one.row: one for one in told(home, source, out)}
    made = batching.plan(source, out, "png", RELEASE, resume=True)
    summary = summarising.Summary(made)
    summary.write(batching.Book(made).answers(), {"id": "fake", "version": "1.2.3"}, ("demonstration",))
    with home.reading_ledger() as ledger:
        tables.write(out, tables.lines(batching.Book(made).answers(), home, ledger))
        records = {row: ledger.read(ledger.find(one.line["record_id"])).predicate for row, one in found.items()}
    cases = list(csv.DictReader((out / "cases.csv").read_text().splitlines()))
    assert [int(case["row"]) for case in cases] == [1, 2, 3, 4, 5]
    lines = list(csv.DictReader((out / "values.csv").read_text().splitlines()))
    assert list(lines[0]) == list(tables.COLUMNS)
    assert Counter(int(line["row"]) for line in lines) == {row: max(1, one.regions or 0) for row, one in found.items()}
    for line in lines:
        record = records[int(line["row"])]
        assert line["record_id"] == found[int(line["row"])].line["record_id"]
        if not line["region"]:
            assert not any(value for name, value in line.items() if name.startswith(("region: ", "lesion: ")))
            continue
        region = record["decision"]["chosen"][int(line["region"]) - 1]
        assert float(line["region: score"]) == region["score"] / (1 << record["decision"]["score_bits"])
        assert float(line["lesion: firstorder_Mean"]) == 1.5
        assert line["lesion: firstorder_Energy"] == ""  # the record has none: not 0
        assert float(line["glcm_Contrast"]) == float.fromhex(record["radiomics"]["paper"]["glcm_Contrast"])
    rows = parquet.read_table(out / "values.parquet").to_pylist()
    assert len(rows) == len(lines)
    for one, line in zip(rows, lines, strict=True):
        assert {name: "" if value is None else value for name, value in one.items()} == {
            name: type(one[name])(value) if value else "" for name, value in line.items()
        }
    page = (out / "summary.html").read_text()
    assert "E-INPUT" in page
    assert "broken.png" in page
    assert summary.states == {"accepted": 4, "refused": 1}


@pytest.mark.verifies("SRS-BAT-009", "SRS-BAT-001")
def test_a_line_that_a_crash_cut_short_is_asked_for_again(home: homes.Home, tmp_path: Path) -> None:
    desks.write_images(tmp_path / "in", "a.png", "b.png")
    told(home, tmp_path / "in", tmp_path / "out", jobs=1)
    lines = tmp_path / "out" / "batch.jsonl"
    whole = lines.read_bytes()
    lines.write_bytes(whole[:-20])
    made = batching.plan(tmp_path / "in", tmp_path / "out", "png", RELEASE, resume=True)
    assert [one.row for one in batching.Book(made).finished()] == [1]
    again = told(home, tmp_path / "in", tmp_path / "out", jobs=1, resume=True)
    assert [one.row for one in again] == [1, 2]
    assert [one.row for one in batching.Book(made).answers()] == [1, 2]
    assert set(requests(home).values()) == {1}


@pytest.mark.verifies("SRS-BAT-010")
def test_a_device_that_may_not_decide_any_more_stops_its_batch(
    home: homes.Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "CASES_BETWEEN_TESTS", 3)

    @contextmanager
    def failing(settings: config.Settings, _: bytes) -> Iterator[Any]:
        yield desks.make_desk(homes.open_home(settings.home), desks.FakeEngine(fails_test_after=0))

    monkeypatch.setattr(deciding, "open_desk", failing)
    desks.write_images(tmp_path / "in", *(f"scan-{n:02}.png" for n in range(20)))
    found = told(home, tmp_path / "in", tmp_path / "out", jobs=1)
    states = Counter(one.line["status"] for one in found)
    assert states["accepted"] == 3
    assert 1 <= states["refused"] <= 2
    assert {one.code for one in found if one.line["status"] == "refused"} == {"E-KAT"}


@pytest.mark.verifies("SRS-BAT-006")
def test_what_passes_by_itself_is_asked_again_and_no_more_than_three_times(tmp_path: Path) -> None:
    desks.write_images(tmp_path / "in", "a.png", "b.png")
    made = batching.plan(tmp_path / "in", tmp_path / "out", "png", RELEASE, resume=False)
    busy = BusyError("E-LOG-BUSY", "Busy.", remedy="Wait.")
    asked: Counter[int] = Counter()

    class Dealer:
        def deal(self, _: batching.Plan, rows: Any, __: Any) -> Iterator[batching.Told]:  # noqa: ANN401
            for row in rows:
                asked[row.number] += 1
                told_now = batching.Told.stopped(row, busy)
                yield told_now if row.number == 1 or asked[2] < 2 else replace(told_now, line={
                    **told_now.line, "reason": None, "status": "accepted"
                })  # fmt: skip

    answers = list(batching.run(made, batching.Book(made), Dealer(), threading.Event()))
    assert asked == {1: 3, 2: 2}
    assert {one.row: one.line["status"] for one in answers} == {1: "error", 2: "accepted"}
