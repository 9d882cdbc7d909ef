# SPDX-License-Identifier: Apache-2.0
"""A statement that was taken is on the disk in one form; a crash loses the one that was being written and no other."""

from __future__ import annotations

import fcntl
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from radiomicnet_md_audit import testimony
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError
from radiomicnet_md_audit.testimony import OutsideFile, Stamping, Vouched, beside
from tests.audit.trees import Tree, leaves

pytestmark = pytest.mark.verifies("SRS-LOG-016", "SRS-LOG-017")

NOTES = [Tree(leaves(size)).note() for size in range(1, 5)]
LINES = [Vouched(note).line() for note in NOTES]
STAMPED = Vouched(NOTES[0], Stamping(0xA0B, b"\x30\x00"))


@pytest.fixture
def file(tmp_path: Path) -> OutsideFile:
    return OutsideFile(beside(tmp_path / "log.anchor"))


def test_a_line_has_one_form() -> None:
    for one in (Vouched(NOTES[0]), STAMPED):
        line = one.line()
        assert line.endswith(b"}\n")
        assert testimony.parse_line(line[:-1]) == one
    assert b'","nonce":"a0b","response":"MAA="}' in STAMPED.line()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"a0b"', b'"0a0b"'),
        (b'"a0b"', b'"A0B"'),
        (b'"a0b"', b'""'),
        (b'"a0b"', b'"-a0b"'),
        (b'"a0b"', b'"' + b"a" * 41 + b'"'),
        (b'"a0b"', b"5"),
        (b'"MAA="', b'"MAB="'),
        (b'"MAA="', b'"MAA"'),
        (b',"response":"MAA="', b""),
        (b',"nonce":"a0b"', b""),
        (b'"MAA="}', b'"MAA=","z":1}'),
        (b'{"checkpoint"', b'{"a":1,"checkpoint"'),
        (b'{"checkpoint":', b'{"checkpoint": '),
        (b"\\n1\\n", b"\\n01\\n"),
        (b"\\n1\\n", b"\\n"),
    ],
)
def test_every_other_form_is_refused(old: bytes, new: bytes) -> None:
    line = STAMPED.line()[:-1]
    assert old in line
    with pytest.raises(IntegrityError):
        testimony.parse_line(line.replace(old, new, 1))


def test_lines_are_appended_for_the_owner_alone(file: OutsideFile) -> None:
    assert file.read() == b""
    for note in NOTES:
        file.append(Vouched(note))
    assert file.read() == b"".join(LINES)
    assert testimony.split(file.read()) == [line[:-1] for line in LINES]
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert file.path.name == "log.anchor.outside"


def test_a_crash_anywhere_in_a_line_loses_that_line_alone(file: OutsideFile) -> None:
    for cut in range(len(LINES[1])):
        file.path.write_bytes(LINES[0] + LINES[1][:cut])
        whole = [LINES[0][:-1], *([LINES[1][:-1]] if cut == len(LINES[1]) - 1 else [])]
        assert testimony.split(file.read()) == whole
        file.append(Vouched(NOTES[2]))
        assert testimony.split(file.read()) == [*whole, LINES[2][:-1]], cut
        assert file.read().startswith(LINES[0])


def test_what_is_no_beginning_of_a_line_is_kept_and_found(file: OutsideFile) -> None:
    for rest in (b"x", b'{"checkpoint":5', b"\n\n", b'{"checkpoins'):
        file.path.write_bytes(LINES[0] + rest)
        file.append(Vouched(NOTES[2]))
        assert file.read().startswith(LINES[0] + rest)
        assert LINES[2][:-1] in testimony.split(file.read())


def test_a_line_may_be_longer_than_what_is_read_at_once(file: OutsideFile) -> None:
    long = Vouched(NOTES[1], Stamping(1, bytes(200_000)))
    file.append(Vouched(NOTES[0]))
    file.append(long)
    file.append(Vouched(NOTES[2]))
    assert file.read() == LINES[0] + long.line() + LINES[2]
    file.path.write_bytes(LINES[0] + long.line()[:-9])
    file.append(Vouched(NOTES[2]))
    assert file.read() == LINES[0] + LINES[2]


def test_writers_take_turns(file: OutsideFile) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda index: file.append(Vouched(NOTES[index % 4])), range(80)))
    assert sorted(testimony.split(file.read())) == sorted(line[:-1] for line in LINES * 20)


def test_a_writer_waits_for_the_one_before_it(file: OutsideFile) -> None:
    file.append(Vouched(NOTES[0]))
    with file.path.open("ab") as other, ThreadPoolExecutor(1) as thread:
        fcntl.flock(other, fcntl.LOCK_EX)
        waiting = thread.submit(file.append, Vouched(NOTES[2]))
        other.write(LINES[1])
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.2)
        other.flush()
        fcntl.flock(other, fcntl.LOCK_UN)
        waiting.result(timeout=30)
    assert file.read() == LINES[0] + LINES[1] + LINES[2]


def test_a_file_that_cannot_be_used_says_so(file: OutsideFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.path.mkdir()
    for use in (file.read, lambda: file.append(Vouched(NOTES[0]))):
        with pytest.raises(ConfigurationError) as caught:
            use()
        assert caught.value.code == "E-OUTSIDE-WRITE"
    other = OutsideFile(tmp_path / "other")

    def full(handle: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ConfigurationError) as caught:
        other.append(Vouched(NOTES[0]))
    assert "No space left" in str(caught.value)


def test_a_checkpoint_by_itself_is_a_statement_too() -> None:
    assert testimony.of_copy(NOTES[0].encode()) == LINES[0]
    for data in (b"", b"x", b"\xff", LINES[0], LINES[0] + LINES[1], NOTES[0].encode()[:-1]):
        assert testimony.of_copy(data) == data
