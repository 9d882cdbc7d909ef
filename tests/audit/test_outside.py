# SPDX-License-Identifier: Apache-2.0
"""Tables of the log's records: nothing lost, nothing added, and never a formula."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given

from radiomicnet_md_audit import outside, statement
from radiomicnet_md_audit.canonical import Value
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError
from radiomicnet_md_audit.outside import Form, events
from radiomicnet_md_audit.outside.rows import COLUMNS, Logged, text
from tests.audit import outside_log
from tests.audit.sites import Site

# docs/reference/outside-formats.md: where one apostrophe is taken away to get the text back.
GUARD = re.compile(r"((?:\A|[,;\t\r\n])[\s\"\x00-\x1f\u200b-\u200f\u2060\ufeff]*)'")
FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
INVISIBLE = '\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"' + "".join(map(chr, range(0x20)))


def written(form: Form, *records: Logged) -> str:
    return b"".join(outside.write(form, records)).decode("utf-8")


def table(file: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(file, newline=""), delimiter=delimiter))


def rows(file: str) -> list[dict[str, str]]:
    head, *lines = table(file)
    return [dict(zip(head, (GUARD.sub(r"\1", cell) for cell in line), strict=True)) for line in lines]


@pytest.fixture
def records(site: Site, tmp_path: Path) -> list[Logged]:
    """Every kind of record."""
    made = Site(tmp_path / "outside", origin=site.origin)
    made.folder.mkdir()
    outside_log.fill(made)
    with made.read() as ledger:
        return [*outside_log.read(ledger), outside_log.key_event()]


@pytest.mark.verifies("SRS-OUT-010")
def test_every_kind_is_there(records: list[Logged]) -> None:
    assert {record.kind for record in records} == set(outside_log.KINDS)
    assert [record.row()["state"] for record in records][:4] == [None, "RESULT", "REFUSED", "ERROR"]


@pytest.mark.verifies("SRS-OUT-010")
def test_rows_equal_the_log(tmp_path: Path) -> None:
    """Index, digest and record id are computed here from the stored bytes alone."""
    site = Site(tmp_path)
    outside_log.fill(site)
    with site.read() as ledger:
        stored = [(entry.index, entry.envelope) for entry in ledger.entries()]
        ids = [ledger.read(entry).record_id for entry in ledger.entries()]
        records = outside_log.read(ledger)
    expected = [
        (index, hashlib.sha256(envelope).hexdigest(), record_id)
        for (index, envelope), record_id in zip(stored, ids, strict=True)
    ]
    assert len(expected) == 6
    lines = [json.loads(line) for line in written(Form.JSONL, *records).splitlines()]
    assert [(line["log_index"], line["envelope_sha256"], line["record_id"]) for line in lines] == expected
    cells = rows(written(Form.CSV, *records))
    assert [(int(one["log_index"]), one["envelope_sha256"], one["record_id"]) for one in cells] == expected


@pytest.mark.verifies("SRS-OUT-010")
def test_a_result_is_told_in_full(records: list[Logged]) -> None:
    row = records[1].row()
    assert tuple(row) == COLUMNS
    assert (row["kind"], row["operator"], row["input_modality"]) == ("decision", "pacs:breast-us", "US")
    assert (row["input_sha256"], row["mask_sha256"], row["release_sha256"]) == ("e" * 64, "3" * 64, "a" * 64)
    assert row["commitments"] == {"PatientID": "1" * 64, "StudyInstanceUID": "2" * 64}
    assert row["subjects"][0] == {"name": "input", "sha256": "e" * 64}  # type: ignore[index]
    refused, replayed = records[2].row(), records[4].row()
    assert (refused["reason_code"], refused["mask_sha256"]) == ("E-INPUT-SMALL", None)
    assert (replayed["replay_of"], replayed["replay_stage"]) == (row["record_id"], "trunk")


def leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


@pytest.mark.verifies("SRS-OUT-010")
@given(outside_log.foreign_records())
def test_nothing_is_said_that_the_record_does_not_say(record: Logged) -> None:
    said = {repr(leaf) for leaf in leaves(record.said.document)}
    own = {"log_index", "envelope_sha256", "kind"}
    for column, value in record.row().items():
        if column not in own and value is not None:
            assert {repr(leaf) for leaf in leaves(value)} <= said | {"'name'", "'sha256'"}


@pytest.mark.verifies("SRS-OUT-010")
@given(outside_log.foreign_records())
def test_both_tables_give_every_value_back(record: Logged) -> None:
    row: dict[str, Value] = record.row()
    (line,) = written(Form.JSONL, record).splitlines()
    assert json.loads(line) == row
    (cells,) = rows(written(Form.CSV, record))
    assert cells == {column: "" if value is None else text(value) for column, value in row.items()}


@pytest.mark.verifies("SRS-OUT-010")
@given(outside_log.foreign_records())
def test_no_cell_is_a_formula_whatever_the_spreadsheet_cuts_at(record: Logged) -> None:
    file = written(Form.CSV, record)
    cut = [cell for delimiter in ",;\t" for line in table(file, delimiter) for cell in line]
    naive = re.split(r"[;\t\r\n]|(?<=\"),(?=\")", file)  # a reader that knows no quotes
    for cell in (*cut, *naive):
        assert not cell.strip().strip(INVISIBLE).strip().startswith(FORMULA), cell


@pytest.mark.verifies("SRS-OUT-010")
def test_a_place_that_is_no_object_has_no_values() -> None:
    row = outside_log.by_hand("urn:other:1", {"a": "0" * 64}, input="text", reason=["list"], outputs=None).row()
    assert [row[column] for column in ("kind", "input_sha256", "reason_code", "mask_sha256")] == ["other"] + [None] * 3


@pytest.mark.verifies("SRS-OUT-010")
@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r\n=1",
        " =1",
        '"=1',
        "\uff1d1",
        "\ufeff=1",
        "a;=1",
        'a;"=1',
        "a\n-1",
        "'=1",
    ],
)
def test_known_injections_are_disarmed(text: str) -> None:
    record = outside_log.by_hand(statement.DECISION, {"input": "0" * 64}, operator=text)
    (cells,) = rows(written(Form.CSV, record))
    assert cells["operator"] == text
    place = COLUMNS.index("operator")
    raw = table(written(Form.CSV, record))[1][place]
    assert raw.count("'") == text.count("'") + 1
    assert raw != text


@pytest.mark.verifies("SRS-OUT-010")
def test_the_file_has_the_form_of_rfc_4180(records: list[Logged]) -> None:
    file = written(Form.CSV, *records)
    assert file.endswith('"\r\n')
    assert file.split("\r\n")[0] == ",".join(f'"{column}"' for column in COLUMNS)
    assert [len(line) for line in table(file)] == [len(COLUMNS)] * (len(records) + 1)


@pytest.mark.verifies("SRS-OUT-010", "SRS-OUT-011", "SRS-OUT-012")
@pytest.mark.parametrize("form", Form)
def test_the_same_records_give_the_same_bytes(records: list[Logged], form: Form, tmp_path: Path) -> None:
    told: list[tuple[int, str]] = []

    def release(count: int, digest: str) -> None:
        told.append((count, digest))

    assert outside.save(form, iter(records), tmp_path / "one", release) == len(records)
    outside.save(form, records, tmp_path / "two", release)
    digest = hashlib.sha256((tmp_path / "one").read_bytes()).hexdigest()
    assert told == [(len(records), digest)] * 2
    one = (tmp_path / "one").read_bytes()
    assert one == (tmp_path / "two").read_bytes() == b"".join(outside.write(form, records))
    assert all(record.envelope_sha256.encode() in one for record in records) is (form is not Form.DICOM)


@pytest.mark.verifies("SRS-OUT-010", "SRS-OUT-011", "SRS-OUT-012")
@pytest.mark.parametrize("form", Form)
def test_a_file_is_written_whole_or_not_at_all(records: list[Logged], form: Form, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()

    def untold(*_: object) -> None:
        pytest.fail("what is not written whole is not released")

    def unrecorded(*_: object) -> None:
        assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == []
        raise ConfigurationError("E-STORE-WRITE", "The log cannot be written.", remedy="Free space.")

    def broken() -> Iterator[Logged]:
        yield from records
        raise IntegrityError("E-TEST", "A signature does not hold.", remedy="None.")

    with pytest.raises(IntegrityError):
        outside.save(form, broken(), folder / "report", untold)
    with pytest.raises(ConfigurationError, match="The log cannot be written"):
        outside.save(form, records, folder / "report", unrecorded)
    assert list(folder.iterdir()) == []
    (folder / "report").write_bytes(b"mine")
    (folder / "link").symlink_to("nowhere")
    for name in ("report", "link"):
        with pytest.raises(ConfigurationError) as there:
            outside.save(form, records, folder / name, untold)
        assert there.value.code == "E-REPORT-EXISTS"
    with pytest.raises(ConfigurationError) as unwritable:
        outside.save(form, records, folder / "none" / "report", untold)
    assert unwritable.value.code == "E-REPORT-WRITE"
    assert (folder / "report").read_bytes() == b"mine"
    assert {path.name for path in folder.iterdir()} == {"link", "report"}


@pytest.mark.verifies("SRS-OUT-011", "SRS-OUT-012")
def test_a_report_is_told_of_as_a_use_of_the_log() -> None:
    record = outside_log.by_hand(statement.REPORT, {"report": "8" * 64}, form="csv", records=5)
    used = events.event(record)
    assert (record.kind, used.id.value, used.action) == ("report", "110101", "R")
    assert events.part(record, "report") == events.Part(events.REPORT, events.EXPORTED)
