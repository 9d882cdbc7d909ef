# SPDX-License-Identifier: Apache-2.0
"""A process may die at any moment, and several may write at once; what was acknowledged stays, and the log verifies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from radiomicnet_md_audit.errors import Problem
from radiomicnet_md_audit.ledger import Ledger
from tests.audit.sites import Site

WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.audit.sites import Site
site = Site(Path(sys.argv[2]), count=int(sys.argv[3]))
with site.open() as ledger:
    print("open", flush=True)
    for _ in range(int(sys.argv[4])):
        print(site.append(ledger)[0].record_id, flush=True)
"""


def writer(root: Path, site: Site, first: int, records: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WRITER, str(root), str(site.folder), str(first), str(records)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def acknowledged(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return [line.strip() for line in process.stdout if len(line.strip()) == 26]


@pytest.mark.verifies("SRS-LOG-008")
def test_killed_writers_lose_nothing_they_acknowledged(site: Site, root: Path) -> None:
    kept = []
    for number in range(4):
        process = writer(root, site, 1000 * (number + 1), 10_000)
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        time.sleep(0.05 * number)
        process.send_signal(signal.SIGKILL)
        kept += acknowledged(process)
        process.wait()
        process.communicate()
        assert site.verify().ok
    with site.open() as ledger:
        for record_id in kept:
            ledger.find(record_id)
        site.append(ledger)
    report = site.verify()
    assert report.ok
    assert report.claims[3].ok is True


@pytest.mark.verifies("SRS-LOG-008")
def test_a_crash_between_commit_and_anchor_is_made_good(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    whole = site.anchor.read_bytes()
    with site.open() as ledger:
        monkeypatch.setattr(Ledger, "_anchor_up_to", die)
        with pytest.raises(KeyboardInterrupt):
            site.append(ledger)
    monkeypatch.undo()
    assert site.anchor.read_bytes() == whole
    assert site.verify().ok
    with site.open() as ledger:
        assert ledger.size == 7
    assert len(site.anchor.read_bytes().splitlines()) == 7


@pytest.mark.verifies("SRS-LOG-008")
def test_a_crash_inside_the_transaction_leaves_no_record(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with site.open() as ledger:
        moment = ledger.writer.clock
        calls = iter((moment(),))
        monkeypatch.setattr("radiomicnet_md_audit.checkpoint.issue", lambda *_: next(iter(())))
        with pytest.raises(StopIteration):
            site.append(ledger)
        monkeypatch.undo()
        assert ledger.size == 6
        assert next(calls)
    assert site.verify().ok


@pytest.mark.verifies("SRS-LOG-008")
def test_an_interrupted_creation_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path)
    monkeypatch.setattr("radiomicnet_md_audit.checkpoint.issue", lambda *_: next(iter(())))
    with pytest.raises((StopIteration, RuntimeError)):
        site.create()
    monkeypatch.undo()
    with pytest.raises(Problem):
        site.open()
    site.create().close()
    assert site.verify().ok


@pytest.mark.verifies("SRS-LOG-004", "SRS-LOG-008")
def test_what_a_killed_writer_left_behind_cannot_be_changed_unnoticed(site: Site, root: Path) -> None:
    process = writer(root, site, 1000, 10_000)
    assert process.stdout is not None
    for _ in range(4):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wal = site.folder / "audit.db-wal"
    whole, database = wal.read_bytes(), site.database.read_bytes()
    frame = 24 + int.from_bytes(whole[8:12], "big")  # sqlite.org/fileformat2.html section 4.1
    commits = [at for at in range(32, len(whole), frame) if any(whole[at + 4 : at + 8])]
    last = commits[-2] + frame  # where it begins: a commit has several frames, and its last one says so
    for place in range(5, len(whole), len(whole) // 40):
        changed = bytearray(whole)
        changed[place] ^= 0x10
        site.database.write_bytes(database)
        wal.write_bytes(bytes(changed))
        (site.folder / "audit.db-shm").unlink(missing_ok=True)
        try:
            noticed = not site.verify().ok
        except Problem:
            noticed = True
        assert noticed or place >= last, place  # the last commit may not have been anchored yet


@pytest.mark.verifies("SRS-LOG-007")
def test_two_processes_write_one_history(site: Site, root: Path) -> None:
    processes = [writer(root, site, 1000 * (number + 1), 15) for number in range(2)]
    ids = [set(acknowledged(process)) for process in processes]
    assert [(process.communicate()[1], process.returncode) for process in processes] == [("", 0), ("", 0)]
    assert [len(one) for one in ids] == [15, 15]
    report = site.verify()
    assert report.ok
    assert report.size == 36
    assert len(site.anchor.read_bytes().splitlines()) == 36


@pytest.mark.verifies("SRS-LOG-008")
def test_a_receipt_comes_after_the_disk(site: Site, require: object, tmp_path: Path, root: Path) -> None:
    """The order of system calls: log synced, then anchor written, then anchor synced, then the answer."""
    strace = require("strace")  # type: ignore[operator]
    trace = tmp_path / "trace"
    command = [str(strace), "-f", "-y", "-o", str(trace), "-e", "trace=write,pwrite64,fsync,fdatasync"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    arguments = [sys.executable, "-c", WRITER, str(root), str(site.folder), "1000", "1"]
    subprocess.run([*command, *arguments], check=True, capture_output=True, env=environment)
    lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()
    after_open = next(n for n, line in enumerate(lines) if '"open' in line)
    order = []
    for line in lines[after_open + 1 :]:
        synced = "sync(" in line
        if "audit.db-wal>" in line and synced:
            order.append("log synced")
        elif "log.anchor>" in line:
            order.append("anchor synced" if synced else "anchor written")
        elif "write(1<" in line and '"0000' in line:
            order.append("answer")
            break
    assert order[-4:] == ["log synced", "anchor written", "anchor synced", "answer"]
