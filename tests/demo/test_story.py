# SPDX-License-Identifier: Apache-2.0
"""The demonstration comes to its end only when every part of it holds, and says which one did not."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from radiomicnet_md import io
from radiomicnet_md.demo import ground, run, story
from radiomicnet_md.errors import ConfigurationError, ExitCode, IntegrityError, Problem
from radiomicnet_md_audit import export
from tests.demo.conftest import Ended, Heard, KnowingEngine


@pytest.mark.verifies("SRS-REC-001", "SRS-LOG-005", "SRS-ENG-007", "SRS-DOC-002")
def test_the_story_ends_with_a_report_of_what_was_verified(ended: Ended) -> None:
    ((line, text),) = ended.heard.data
    assert json.loads(json.dumps(line)) == line
    states = {case["title"]: case["state"] for case in line["cases"]}
    assert states == {"Echocardiogram in colour": "REFUSED", "Breast phantom": "RESULT"}
    assert line["cases"][1]["dice"] == 1.0
    assert line["replay"]["verdict"] == "IDENTICAL"
    assert line["log"]["size"] == 5  # genesis, two cases, the replay, the export
    assert "Not a cleared device." in text
    steps = [note[:3] for note in ended.heard.notes if not note.startswith(" ")]
    assert steps == ["1/6", "2/6", "3/6", "4/6", "5/6", "6/6"]
    assert '<span class="badge bad">' not in ended.page
    # There is nobody outside: neither verification asks a witness or a time-stamping authority.
    assert ended.page.count("not asked") == 2 * 2
    assert line["cases"][1]["record_id"] in ended.page


@pytest.mark.verifies("SRS-OUT-001", "SRS-OUT-002", "SRS-OUT-004", "SRS-REC-005")
def test_an_accepted_case_leaves_its_files_and_a_refused_one_none(ended: Ended) -> None:
    assert {path.name for path in (ended.out / "out").iterdir()} == {"phantom"}
    files = {path.name for path in (ended.out / "out" / "phantom").iterdir()}
    objects = {"mask.dcm", "measurements.dcm", "picture.dcm", "contributions.dcm", "probability.dcm"}
    assert files == {"mask.png", "overlay.png", "why.png", "record.json"} | objects


@pytest.mark.verifies("SRS-OUT-003")
def test_nothing_of_an_earlier_run_is_left(ended: Ended) -> None:
    assert {path.name for path in ended.out.iterdir()} == {ground.MARKER, *ground.PARTS}
    assert not (ended.out / "export" / "old").exists()
    assert "of an earlier run" not in ended.page


@pytest.mark.verifies("SRS-CLI-004")
def test_the_next_commands_name_what_is_there(ended: Ended) -> None:
    ((_, text),) = ended.heard.data
    lines = [shlex.split(line) for line in text.splitlines() if re.match(r" {4}\S", line)]
    assert len(lines) >= 5
    named = {word for words in lines for word in words if word.startswith(str(ended.out))}
    assert len(named) >= 4
    assert [name for name in named if not Path(name).exists()] == []


@pytest.mark.verifies("SRS-INP-008")
def test_no_identity_of_the_inputs_reaches_report_or_summary(ended: Ended) -> None:
    said = ended.page + ended.heard.data[0][1] + "".join(ended.heard.notes)
    for path in (ended.out / "in").iterdir():
        values = [value for value in io.read(path).identity.values.values() if len(value) > 2]
        assert values
        assert [value for value in values if re.search(rf"\b{re.escape(value)}\b", said)] == []


@pytest.mark.verifies("SRS-MOD-004")
def test_a_phantom_that_is_missed_ends_the_demonstration(engine: KnowingEngine, heard: Heard, tmp_path: Path) -> None:
    engine.shift = 60
    with pytest.raises(Problem, match=r"Dice 0\.\d{3} against its known outline, below 0\.7") as raised:
        run(tmp_path / "demo", heard)
    assert raised.value.code == "E-DEMO-DICE"
    assert raised.value.exit_code == ExitCode.UNEXPECTED
    assert not (tmp_path / "demo" / "report.html").exists()
    assert heard.data == []


@pytest.mark.verifies("SRS-LOG-004", "SRS-LOG-005")
def test_an_export_that_was_changed_is_found_by_the_offline_process(
    engine: KnowingEngine, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = export.write

    def write_and_change(*arguments: object, **named: object) -> None:
        write(*arguments, **named)  # type: ignore[arg-type]
        entries = max((tmp_path / "demo" / "export").glob("entries*"))
        data = bytearray(entries.read_bytes())
        data[-100] ^= 1
        entries.write_bytes(data)

    monkeypatch.setattr(export, "write", write_and_change)
    with pytest.raises(IntegrityError, match="did not accept the export"):
        run(tmp_path / "demo", heard)
    assert not (tmp_path / "demo" / "report.html").exists()


@pytest.mark.verifies("SRS-ENG-007")
def test_a_replay_that_diverges_ends_the_demonstration(
    engine: KnowingEngine, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = story.replay

    def replay_moved(*arguments: object) -> object:
        engine.shift = 1
        return replay(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(story, "replay", replay_moved)
    with pytest.raises(Problem, match="FIRST DIVERGENCE") as raised:
        run(tmp_path / "demo", heard)
    assert raised.value.code == "E-DEMO-REPLAY"


@pytest.mark.verifies("SRS-OUT-003")
def test_a_folder_of_somebody_else_is_left_alone(heard: Heard, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years")
    with pytest.raises(ConfigurationError) as raised:
        run(tmp_path, heard)
    assert raised.value.code == "E-DEMO-OCCUPIED"
    assert (tmp_path / "home" / "thesis.tex").read_text() == "years"
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.verifies("SRS-OUT-003")
def test_a_link_in_the_place_of_a_part_is_removed_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("kept")
    ground.prepare(tmp_path / "demo")
    (tmp_path / "demo" / "out").symlink_to(elsewhere)
    ground.prepare(tmp_path / "demo")
    assert not (tmp_path / "demo" / "out").exists()
    assert (elsewhere / "kept").read_text() == "kept"


@pytest.mark.verifies("SRS-CLI-004")
def test_a_place_that_cannot_be_written_is_a_typed_problem(heard: Heard, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be written") as raised:
        run(tmp_path / "file" / "demo", heard)
    assert raised.value.code == "E-DEMO-WRITE"
