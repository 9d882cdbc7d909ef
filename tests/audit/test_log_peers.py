# SPDX-License-Identifier: Apache-2.0
"""What the comparison of logs says of each side is what that side does."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import log_peers
from benchmarks.log import draft
from benchmarks.log_pymerkle import Pymerkle
from benchmarks.log_sides import BarePostgreSQL, BareSQLite, Chain, Ours, another
from tests.audit.postgresql import Cluster

ENTRIES = 20


@pytest.mark.verifies("SRS-LOG-004")
def test_a_changed_byte_is_noticed_by_the_logs_that_look(tmp_path: Path) -> None:
    ours = {
        name: Ours(tmp_path / name, cosigned=name == log_peers.COSIGNED) for name in log_peers.GIVES if "this" in name
    }
    others = {log_peers.CHAIN: Chain(tmp_path), log_peers.SQLITE: BareSQLite(tmp_path)}
    figures = log_peers.grow(ours, others, draft(), ENTRIES)
    log_peers.look({**ours, **others}, figures, ENTRIES)
    assert {side for side, _ in figures.turns} == {*ours, *others}
    found = {name: log_peers.noticed(side) for name, side in {**ours, **others}.items()}
    for side in (*ours.values(), *others.values()):
        side.close()
    assert found == {**dict.fromkeys((*ours, log_peers.CHAIN), "yes"), log_peers.SQLITE: "no: nothing looks"}


@pytest.mark.verifies("SRS-LOG-004")
def test_pymerkle_keeps_the_same_bytes_in_a_process_of_its_own(tmp_path: Path) -> None:
    try:
        side = Pymerkle(tmp_path)
    except ModuleNotFoundError:
        pytest.skip("absent: pymerkle")  # `make bench-log-peers` brings it
    assert len(side.append([b"entry %d" % n for n in range(ENTRIES)])) == ENTRIES
    assert side.verify() > 0
    assert min(side.prove([0, 7, ENTRIES - 1])) > 0
    assert log_peers.noticed(side) == "yes"
    side.close()


@pytest.mark.verifies("SRS-LOG-013")
def test_the_server_of_the_comparison_waits_for_the_disk(cluster: Cluster) -> None:
    side = BarePostgreSQL(cluster)
    assert len(side.append([b"entry"] * ENTRIES)) == ENTRIES
    assert cluster.administrate("SELECT count(*) FROM entry") == [(ENTRIES,)]
    side.close()
    cluster.administrate("ALTER ROLE postgres SET synchronous_commit = off")
    with pytest.raises(RuntimeError, match="synchronous_commit"):
        BarePostgreSQL(cluster)
    cluster.administrate("ALTER ROLE postgres RESET synchronous_commit", "DROP TABLE entry")


@pytest.mark.verifies("SRS-LOG-002")
def test_the_same_record_is_another_under_another_identity() -> None:
    first = draft()
    second = another(first)
    one, other = (document["predicate"] for document in (first, second))
    assert isinstance(one, dict)
    assert isinstance(other, dict)
    assert {name for name in one if one[name] != other[name]} == {"record_id", "request_id"}


@pytest.mark.verifies("SRS-LOG-002")
def test_a_ratio_is_taken_within_a_turn_and_shown_with_its_spread() -> None:
    figures = log_peers.Figures()
    for ours, theirs in ((2.0, 1.0), (4.0, 1.0), (1.0, 1.0)):
        figures.add(log_peers.OURS, "append", ours)
        figures.add(log_peers.CHAIN, "append", theirs)
    text = log_peers.tables({1000: figures}, {}, {log_peers.PYMERKLE: "not installed"})
    assert f"| {log_peers.CHAIN} | 1 | 0.50 (0.25–1.00) | — | — | — | — |" in text
    assert f"| {log_peers.PYMERKLE} | not installed |  |  |  |  |  |" in text
