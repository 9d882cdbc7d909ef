# SPDX-License-Identifier: Apache-2.0
"""An anchor has one form, goes on from what it holds, and says which of its troubles stopped it."""

from __future__ import annotations

import fcntl
import mmap
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from radiomicnet_md_audit import anchor, canonical
from radiomicnet_md_audit.anchor import Anchored, AnchorFile
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError, Problem
from tests.audit.trees import Tree, leaves

pytestmark = pytest.mark.verifies("SRS-LOG-006")

TIME = "2026-01-01T00:00:00.000000Z"
LOG = {size: Anchored(size, Tree(leaves(size)).note(), TIME) for size in range(1, 7)}
WHOLE = b"".join(line.line() for line in LOG.values())


@contextmanager
def refused(code: str, kind: type[Problem] = IntegrityError) -> Iterator[None]:
    with pytest.raises(kind) as caught:
        yield
    assert caught.value.code == code


def test_a_line_is_canonical_json_of_three_parts() -> None:
    line = LOG[3].line()
    assert line.endswith(b"\n")
    assert canonical.loads(line[:-1]) == {"checkpoint": LOG[3].note, "place": "same-machine", "time_utc": TIME}
    assert anchor.parse_line(line[:-1]) == LOG[3]
    elsewhere = Anchored(3, LOG[3].note, TIME, "external")
    assert anchor.parse_line(elsewhere.line()[:-1]) == elsewhere


PARTS = {"checkpoint": LOG[3].note, "place": "same-machine", "time_utc": TIME}


@pytest.mark.parametrize(
    "line",
    [
        [],
        {},
        *({key: value for key, value in PARTS.items() if key != missing} for missing in PARTS),
        *({**PARTS, key: other} for key in PARTS for other in (None, 5, [])),
        {**PARTS, "more": ""},
    ],
)
def test_another_form_of_line_is_refused(line: object) -> None:
    with refused("E-ANCHOR-FORM"):
        anchor.parse_line(canonical.dumps(line))


def test_a_whole_anchor_is_read_line_by_line() -> None:
    assert list(anchor.parse(WHOLE)) == list(LOG.values())
    some = b"".join(LOG[size].line() for size in (2, 3, 6))
    assert [line.size for line in anchor.parse(some)] == [2, 3, 6]


@pytest.mark.parametrize("sizes", [(1, 1), (2, 1), (1, 3, 2)])
def test_sizes_grow(sizes: tuple[int, ...]) -> None:
    with refused("E-ANCHOR-FORM"):
        list(anchor.parse(b"".join(LOG[size].line() for size in sizes)))


@pytest.mark.parametrize("text", [b"", WHOLE[:-1], WHOLE + b"{"])
def test_an_unfinished_anchor_is_refused(text: bytes) -> None:
    with refused("E-ANCHOR-FORM"):
        list(anchor.parse(text))


def test_an_anchor_of_no_entry_is_refused() -> None:
    empty = Anchored(0, Tree([]).note(), TIME)
    with refused("E-ANCHOR-FORM"):
        list(anchor.parse(empty.line()))


class TestFile:
    """The file of a log that runs here."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> AnchorFile:
        made = AnchorFile(tmp_path / "log.anchor")
        made.create()
        return made

    def test_a_new_one_is_private_and_empty_and_may_be_made_again(self, file: AnchorFile) -> None:
        file.create()
        assert file.read()[:] == b""
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
        file.path.write_bytes(b"x")
        with refused("E-ANCHOR-EXISTS", ConfigurationError):
            file.create()

    @pytest.mark.verifies("SRS-LOG-006", rc=("RC-005",))
    def test_what_is_missing_is_written(self, file: AnchorFile) -> None:
        for size in (1, 4, 4, 6):
            file.catch_up(size, LOG.get)
            assert file.path.read_bytes() == b"".join(LOG[n].line() for n in range(1, size + 1))
        file.catch_up(3, LOG.get)  # another writer went on already
        assert file.read()[:] == WHOLE
        assert isinstance(file.read(), mmap.mmap)
        assert file.path.read_bytes() == WHOLE

    @pytest.mark.parametrize("cut", [1, 20, 400, len(WHOLE) - 1])
    def test_what_a_crash_left_is_completed(self, file: AnchorFile, cut: int) -> None:
        file.path.write_bytes(WHOLE[:cut])
        file.catch_up(6, LOG.get)
        assert file.path.read_bytes() == WHOLE

    @pytest.mark.parametrize(
        ("there", "size"), [(WHOLE, 1), (LOG[1].line() + LOG[2].line()[:9], 1), (LOG[1].line()[:9], 0)]
    )
    def test_an_anchor_that_knows_more_than_the_log_stops_it(self, file: AnchorFile, there: bytes, size: int) -> None:
        file.path.write_bytes(there)
        with refused("E-ANCHOR-LEADS"):
            file.catch_up(size, {1: LOG[1]}.get)
        assert file.path.read_bytes() == there

    @pytest.mark.parametrize("there", [LOG[1].line().replace(b"2026", b"2025"), LOG[1].line() + b"x", b"x"])
    @pytest.mark.verifies("SRS-LOG-006", rc=("RC-005",))
    def test_an_anchor_of_another_history_stops_the_log(self, file: AnchorFile, there: bytes) -> None:
        file.path.write_bytes(there)
        with refused("E-ANCHOR-DIFFERS"):
            file.catch_up(6, LOG.get)
        assert file.path.read_bytes() == there

    def test_a_file_that_is_gone_or_cannot_be_used_says_so(self, file: AnchorFile, tmp_path: Path) -> None:
        file.path.unlink()
        for use in (file.read, lambda: file.catch_up(1, LOG.get)):
            with refused("E-ANCHOR-MISSING"):
                use()
        file.path.mkdir()
        for use in (file.read, file.create, lambda: file.catch_up(1, LOG.get)):
            with refused("E-ANCHOR-WRITE", ConfigurationError):
                use()
        with refused("E-ANCHOR-WRITE", ConfigurationError):
            AnchorFile(tmp_path / "none" / "log.anchor").create()

    def test_a_full_disk_stops_the_receipt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(anchor, "_tail", lambda _: (None, b""))
        with refused("E-ANCHOR-WRITE", ConfigurationError):
            AnchorFile(Path("/dev/full")).catch_up(1, LOG.get)

    def test_the_last_whole_line_is_told(self, file: AnchorFile) -> None:
        assert file.last() is None
        for text, size in ((WHOLE, 6), (WHOLE + b"{", 6), (LOG[1].line(), 1)):
            file.path.write_bytes(text)
            assert file.last() == LOG[size]
        file.path.chmod(0o400)
        assert file.last() == LOG[1]  # nothing is written
        file.path.unlink()
        with refused("E-ANCHOR-MISSING"):
            file.last()

    def test_a_line_is_on_the_disk_before_the_receipt(self, file: AnchorFile, monkeypatch: pytest.MonkeyPatch) -> None:
        synced = []
        monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
        file.catch_up(6, LOG.get)
        assert synced == [len(WHOLE)]

    def test_nothing_stays_open(self, file: AnchorFile) -> None:
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(3):
            file.create()
            file.read()
            file.path.write_bytes(b"")
            file.catch_up(2, LOG.get)
            file.path.write_bytes(b"")
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    def test_writers_take_turns(self, file: AnchorFile) -> None:
        with file.path.open("rb") as other, ThreadPoolExecutor(1) as thread:
            fcntl.flock(other, fcntl.LOCK_EX)
            waiting = thread.submit(file.catch_up, 6, LOG.get)
            with pytest.raises(TimeoutError):
                waiting.result(0.2)
            assert file.path.read_bytes() == b""
            fcntl.flock(other, fcntl.LOCK_UN)
            waiting.result(10)
        assert file.path.read_bytes() == WHOLE

    def test_the_last_line_of_a_long_anchor_is_found(self, file: AnchorFile) -> None:
        line = LOG[6].line()
        file.path.write_bytes(
            b"".join(LOG[n].line() for n in range(1, 6)) + line * (3 * anchor._LONGEST_LINE // len(line))
        )
        file.catch_up(6, LOG.get)
        assert file.path.read_bytes().endswith(line)
