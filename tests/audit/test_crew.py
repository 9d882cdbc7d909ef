# SPDX-License-Identifier: Apache-2.0
"""Other processes find what one look after another finds, and one that dies is never passed over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiomicnet_md_audit import crew, dsse, statement
from radiomicnet_md_audit.errors import BusyError, ExitCode
from radiomicnet_md_audit.verify import Walk
from tests.audit.test_verify import ANCHOR, PAIRS, POLICY, Pair, flipped, honest, in_groups, one_by_one, outcome

pytestmark = pytest.mark.verifies("SRS-LOG-015")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes start after 40 entries, and there are two of them on any machine."""
    monkeypatch.setattr(crew, "AT_HOME", 40)
    monkeypatch.setattr(crew, "_cores", lambda: 2)


def children() -> set[int]:
    """The processes that this one has started and that still run."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:  # it ended in between
            continue
        if int(fields[1]) == os.getpid() and fields[0] != "Z":
            found.add(int(status.parent.name))
    return found


def test_an_honest_log_and_nothing_left_running() -> None:
    before = children()
    walk = in_groups(PAIRS)
    assert outcome(walk) == outcome(one_by_one(PAIRS, ANCHOR))
    assert walk.findings() == ()
    assert children() == before


@given(st.lists(st.tuples(st.integers(0, 149), st.integers(0, 10**6), st.booleans()), min_size=1, max_size=6))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_wrong_is_found_wherever_it_is_looked_at(changes: list[tuple[int, int, bool]]) -> None:
    pairs = list(PAIRS)
    for at, byte, of_note in changes:
        envelope, note = pairs[at]
        changed = flipped(note.encode(), byte).decode("utf-8", "replace")
        pairs[at] = (envelope, changed) if of_note else (flipped(envelope, byte), note)
    for policy in (POLICY, None):
        assert outcome(in_groups(pairs, ANCHOR, policy)) == outcome(one_by_one(pairs, ANCHOR, policy))


def test_of_a_decision_comes_back_what_later_checks_need_and_of_others_all() -> None:
    walk = Walk(POLICY, None)
    told = [seen.said for seen in walk.feed_all(PAIRS)]
    for index, said in enumerate(told):
        made = whole(index)
        assert said is not None
        assert (said.record_id, said.log, said.terminal_request) == (made.record_id, made.log, made.terminal_request)
        assert statement.event(said.document) == statement.event(made.document)
    assert told[0] is not None
    assert told[0].predicate == whole(0).predicate
    assert set(told[-1].predicate) == {"request_id", "state"}  # type: ignore[union-attr]


def whole(index: int) -> statement.Statement:
    return statement.parse(dsse.parse_unverified(PAIRS[index][0]).payload)


def test_a_process_that_is_killed_is_a_failure_that_may_be_tried_again() -> None:
    before = children()

    def murderous() -> Iterator[Pair]:
        for index, pair in enumerate(honest(2000)):
            if index == 600:
                for child in children() - before:
                    os.kill(child, signal.SIGKILL)
            yield pair

    walk = Walk(POLICY, None)
    with pytest.raises(BusyError) as caught:
        for _ in walk.feed_all(murderous()):
            pass
    assert (caught.value.code, caught.value.exit_code) == ("E-VERIFY-PROCESS", ExitCode.RETRY)
    assert children() == before


def test_who_stops_in_the_middle_leaves_nothing_running() -> None:
    before = children()
    looking = Walk(POLICY, None).feed_all(honest(2000))
    for seen in looking:
        if seen.task.index == 300:
            break
    assert len(children() - before) == 2
    looking.close()  # type: ignore[attr-defined]
    assert children() == before


def test_one_core_looks_at_everything_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "_cores", lambda: 1)
    before, most = children(), 0
    walk = Walk(POLICY, None)
    for _ in walk.feed_all(PAIRS):
        most = max(most, len(children() - before))
    assert most == 0
    assert outcome(walk) == outcome(one_by_one(PAIRS, None))


def test_an_interrupt_from_the_keyboard_ends_all_of_them(tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(
        "import itertools, sys\n"
        "from radiomicnet_md_audit import crew\n"
        "from radiomicnet_md_audit.verify import Walk\n"
        "from tests.audit.test_verify import POLICY, honest\n"
        "crew.AT_HOME, crew._cores = 40, lambda: 2\n"
        "for seen in Walk(POLICY, None).feed_all(honest(10**9)):\n"
        "    if seen.task.index == 200: print('on', flush=True)\n"
    )
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(root), *filter(None, sys.path)])
    with subprocess.Popen(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "on\n"
        os.killpg(program.pid, signal.SIGINT)  # a terminal sends it to all of them
        _, said = program.communicate(timeout=30)
        assert said.strip().endswith("KeyboardInterrupt")
        assert said.count("Traceback") == 1  # this script's own; the others say nothing
    for _ in range(100):
        if not group_is_alive(program.pid):
            return
        time.sleep(0.05)
    pytest.fail("a process is left")


def group_is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
