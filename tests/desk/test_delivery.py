# SPDX-License-Identifier: Apache-2.0
"""Files of one input are never taken for, or lost to, those of another; a replacement is whole or did not happen."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from radiomicnet_md import delivery, io
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Desk, segment_file, segment_files
from radiomicnet_md.errors import ConfigurationError, ExitCode, InputError
from tests import desks


def sha256(path: Path) -> str:
    """Digest of an input."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def failing_rename(monkeypatch: pytest.MonkeyPatch, fails: Callable[[Path, Path], bool]) -> None:
    """A disk that has no room for the first rename that ``fails`` picks; later ones succeed."""
    rename = Path.rename
    failed: list[Path] = []

    def full(self: Path, to: Path) -> Path:
        if not failed and fails(self, Path(to)):
            failed.append(to)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", full)


@pytest.mark.verifies("SRS-OUT-003")
@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("1.2.840.1.111", "1.2.840.1.111"),
        ("1.2.840.1.111.dcm", "1.2.840.1.111"),
        ("IM-0001.DCM", "IM-0001"),
        ("scan.nii.gz", "scan"),
        ("scan.nii", "scan"),
        ("scan.v2.jpeg", "scan.v2"),
        ("scan.v2", "scan.v2"),
        (".hidden.png", "hidden"),
        (".png", "input"),
        ("...", "input"),
    ],
)
def test_only_a_known_suffix_is_taken_off_a_name(file: str, folder: str) -> None:
    assert io.Input(Path(file)).name == folder


@pytest.mark.verifies("SRS-OUT-003")
def test_two_files_named_by_uid_get_two_folders(desk: Desk, tmp_path: Path, out: Path) -> None:
    for path in desks.write_images(tmp_path, "1.2.840.1.111", "1.2.840.1.112"):
        list(segment_files([path], desk, out))
    assert sorted(path.name for path in out.iterdir()) == ["1.2.840.1.111", "1.2.840.1.112"]


@pytest.mark.verifies("SRS-OUT-003")
def test_a_second_input_of_the_same_name_leaves_the_first_ones_files(desk: Desk, tmp_path: Path, out: Path) -> None:
    one, two = desks.write_images(tmp_path, "one/IM-0001.png", "two/IM-0001.png")
    (first,) = segment_files([one], desk, out)
    before = desks.tree(out)
    (second,) = segment_files([two], desk, out)
    (again,) = segment_files([two], desk, out)
    assert desks.tree(out).items() >= before.items()
    other = f"IM-0001-{sha256(two)[:8]}"
    assert sorted(path.name for path in out.iterdir()) == ["IM-0001", other]
    assert again.outputs == second.outputs
    assert {Path(name).parent for name in second.outputs} == {out / other}
    assert json.loads((out / "IM-0001" / "record.json").read_bytes()) == {
        "record_id": first.record_id,
        "input_sha256": sha256(one),
    }
    assert json.loads((out / other / "record.json").read_bytes())["record_id"] == again.record_id


@pytest.mark.verifies("SRS-OUT-003")
@pytest.mark.parametrize("said", [None, b"", b"[1]", b'{"input_sha256":7}', b"\xff"])
def test_files_of_our_names_and_unknown_origin_are_left_alone(
    desk: Desk, tmp_path: Path, out: Path, said: bytes | None
) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    (out / "scan").mkdir(parents=True)
    (out / "scan" / "mask.png").write_bytes(b"drawn by hand")
    if said is not None:
        (out / "scan" / "record.json").write_bytes(said)
    before = desks.tree(out)
    answer = segment_file(path, desk, Target(out, "scan"))
    assert answer.status == "accepted"
    assert desks.tree(out).items() >= before.items()
    assert (out / f"scan-{sha256(path)[:8]}" / "mask.png").exists()


@pytest.mark.verifies("SRS-OUT-003")
def test_where_both_names_are_taken_nothing_is_replaced(desk: Desk, tmp_path: Path, out: Path) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    for name in ("scan", f"scan-{sha256(path)[:8]}"):
        (out / name).mkdir(parents=True)
        (out / name / "why.png").write_bytes(b"another's")
    before = desks.tree(out)
    answer = segment_file(path, desk, Target(out, "scan"))
    assert answer.reason is not None
    assert (answer.status, answer.reason.code, answer.outputs) == ("error", "E-OUTPUT-OCCUPIED", ())
    assert desks.tree(out) == before


@pytest.mark.verifies("SRS-OUT-003")
def test_a_link_in_the_folder_s_place_is_refused_before_anything_is_decided(
    desk: Desk, engine: desks.FakeEngine, tmp_path: Path, out: Path
) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out.mkdir(exist_ok=True)
    (out / "scan").symlink_to(elsewhere)
    answer = segment_file(path, desk, Target(out, "scan"))
    assert answer.reason is not None
    assert (answer.status, answer.reason.code) == ("error", "E-OUTPUT-LINK")
    assert answer.exit_code == ExitCode.CONFIGURATION
    assert engine.asked == 0
    assert desks.tree(elsewhere) == {}
    assert (out / "scan").is_symlink()


@pytest.mark.verifies("SRS-OUT-003")
def test_a_link_that_appears_while_the_case_is_decided_is_not_followed(
    desk: Desk, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out.mkdir(exist_ok=True)
    (out / "scan").symlink_to(elsewhere)
    monkeypatch.setattr(delivery, "check", lambda _: None)
    answer = segment_file(path, desk, Target(out, "scan"))
    assert answer.reason is not None
    assert answer.reason.code == "E-OUTPUT-LINK"
    assert [item.name for item in out.iterdir()] == ["scan"]
    assert desks.tree(elsewhere) == {}


@pytest.mark.verifies("SRS-OUT-003")
@pytest.mark.parametrize("step", ["aside", "in", "foreign", "last foreign"])
@pytest.mark.verifies("SRS-OUT-003", rc=("RC-026",))
def test_a_replacement_that_fails_leaves_the_former_files(
    desk: Desk, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    segment_file(path, desk, Target(out, "scan"))
    for name in ("a.txt", "b.txt"):
        (out / "scan" / name).write_text(name)
    before = desks.tree(out)
    folder = out / "scan"
    carried: list[Path] = []

    def fails(source: Path, to: Path) -> bool:
        if to.parent == folder:
            carried.append(to)
        return {
            "aside": source == folder,
            "in": to == folder and not folder.exists(),
            "foreign": len(carried) == 1,
            "last foreign": len(carried) == 2,
        }[step]

    failing_rename(monkeypatch, fails)
    answer = segment_file(path, desk, Target(out, "scan", "nifti"))
    assert (answer.status, answer.outputs) == ("error", ())
    assert desks.tree(out) == before
    assert [item.name for item in out.iterdir()] == ["scan"]


@pytest.mark.verifies("SRS-OUT-003")
def test_only_a_folder_that_is_not_empty_is_replaced(
    desk: Desk, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    segment_file(path, desk, Target(out, "scan"))
    before = desks.tree(out)
    failing_rename(monkeypatch, lambda _, to: to == out / "scan")
    answer = segment_file(path, desk, Target(out, "scan"))
    assert answer.status == "error"
    assert desks.tree(out) == before


@pytest.mark.verifies("SRS-OUT-003")
def test_files_of_an_input_that_is_refused_now_are_set_aside(
    desk: Desk, engine: desks.FakeEngine, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    first = segment_file(path, desk, Target(out, "scan"))
    before = {Path(name).name: data for name, data in desks.tree(out).items()}

    def refuses(*arguments: object) -> None:
        raise InputError("E-SCREEN", "Outside.", remedy="Look.")

    monkeypatch.setattr(engine, "decide", refuses)
    answer = segment_file(path, desk, Target(out, "scan"))
    assert (answer.status, answer.exit_code) == ("refused", ExitCode.INTENDED_USE)
    aside = f"scan-withdrawn-{first.record_id[:8]}"
    assert [item.name for item in out.iterdir()] == [aside]
    assert {Path(name).name: data for name, data in desks.tree(out).items()} == before


@pytest.mark.verifies("SRS-OUT-003")
def test_files_of_another_content_of_the_same_name_stay_with_their_record(
    desk: Desk, tmp_path: Path, out: Path
) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    segment_file(path, desk, Target(out, "scan"))
    before = desks.tree(out)
    path.write_bytes(b"GIF89a....")
    assert segment_file(path, desk, Target(out, "scan")).status == "refused"
    assert desks.tree(out) == before


@pytest.mark.verifies("SRS-OUT-003")
def test_a_case_that_ends_in_an_error_leaves_the_former_files(
    desk: Desk, engine: desks.FakeEngine, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    segment_file(path, desk, Target(out, "scan"))
    before = desks.tree(out)

    def broken(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(engine, "decide", broken)
    assert segment_file(path, desk, Target(out, "scan")).status == "error"
    assert desks.tree(out) == before


@pytest.mark.verifies("SRS-OUT-003")
def test_files_that_cannot_be_set_aside_are_told(
    desk: Desk, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    segment_file(path, desk, Target(out, "scan"))
    refusing = InputError("E-SCREEN", "Outside.", remedy="Look.")
    failing_rename(monkeypatch, lambda source, _: source == out / "scan")
    answer = segment_file(path, replace(desk, engine=refusing), Target(out, "scan"))
    assert answer.reason is not None
    assert (answer.status, answer.reason.code) == ("error", "E-OUTPUT-STALE")


@pytest.mark.verifies("SRS-OUT-003")
def test_nothing_is_set_aside_where_there_is_nothing(out: Path) -> None:
    delivery.withdraw(Target(out, "scan"), None)
    delivery.withdraw(Target(out, "scan"), "0" * 64)
    with pytest.raises(ConfigurationError):
        delivery.check(Target(Path("/dev/null/out"), "scan"))
