# SPDX-License-Identifier: Apache-2.0
"""Each status is reached by a state of its own, and only PASS stands for a requirement that holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import yaml

from radiomicnet_md_traceability import graph, load, stamp, status

if TYPE_CHECKING:
    from tests.traceability.conftest import Tree

pytestmark = pytest.mark.verifies("SRS-TRC-006")

NODEID = "tests/test_part.py::test_holds"


def _few_cases(tree: Tree) -> None:
    item = load.load(tree.root / "traceability").by_id["AC-ONE-01"]
    row = {"id": item.id, "sha256": stamp.of(item), "n": 3, "value": 0.9, "status": "INCONCLUSIVE"}
    tree.write(".results/acceptance.jsonl", json.dumps(row))


def _missed(tree: Tree) -> None:
    item = load.load(tree.root / "traceability").by_id["AC-ONE-01"]
    row = {"id": item.id, "sha256": stamp.of(item), "n": 30, "value": 0.1, "status": "FAIL"}
    tree.write(".results/acceptance.jsonl", json.dumps(row))


def _reviewed_before(tree: Tree) -> None:
    entry = {"parent": "SYS-ABC-001", "child": "SRS-ABC-001", "parent_stamp": "0" * 64, "child_stamp": "0" * 64}
    entry |= {"by": "reviewer", "utc": "2026-11-20T08:00:00Z"}
    tree.write("traceability/locks/reviews.yaml", yaml.safe_dump([entry]))


def _excused(tree: Tree) -> None:
    deviation = {"id": "DEV-001", "title": "Not today", "tests": [NODEID], "rationale": "It is Monday.", "hazards": []}
    tree.write("traceability/risks/deviations.yaml", yaml.safe_dump(deviation))
    tree.outcomes((NODEID, "xfailed", "some day"))


def _wrong_verdict(tree: Tree) -> None:
    actual = [{"name": "error", "value": 3, "unit": "px", "criterion": "<= 1"}]
    tree.results([tree.line(actual=actual), tree.line("tests/test_attack.py::test_breaks")])


STATES: dict[str, tuple[str, Callable[[Tree], object]]] = {
    "all is well": ("PASS", lambda _: None),
    "a test failed": ("FAIL", lambda tree: tree.outcomes((NODEID, "failed", "assert 0"))),
    "a verdict that does not follow": ("FAIL", _wrong_verdict),
    "acceptance was missed": ("FAIL", _missed),
    "a fixture failed": ("ERROR", lambda tree: tree.outcomes((NODEID, "error", "boom"))),
    "a test was skipped": ("SKIP", lambda tree: tree.outcomes((NODEID, "skipped", "later"))),
    "a test may fail": ("XFAIL", lambda tree: tree.outcomes((NODEID, "xfailed", "later"))),
    "a test did not run": ("NOT_RUN", lambda tree: tree.outcomes()),
    "a test was changed": (
        "STALE",
        lambda tree: tree.write(
            "tests/test_part.py", 'import pytest\n@pytest.mark.verifies("SRS-ABC-001")\ndef test_holds(): pass\n'
        ),
    ),
    "the requirement was changed": (
        "STALE",
        lambda tree: tree.item("requirements/software.yaml", lambda item: item.update(measure="It returns one.")),
    ),
    "an end of a review was changed": ("SUSPECT", _reviewed_before),
    "too few cases": ("INCONCLUSIVE", _few_cases),
    "a deviation": ("DEVIATED", _excused),
    "a part is absent beside a test that passed": (
        "PASS",
        lambda tree: tree.outcomes((NODEID, "skipped", "absent: data")),
    ),
    "no results": ("NOT_JUDGED", lambda tree: (tree.root / ".results" / "latest.jsonl").unlink()),
}


@pytest.mark.parametrize("state", STATES)
def test_each_state_has_its_word_and_parents_share_it(tree: Tree, state: str) -> None:
    expected, make = STATES[state]
    make(tree)
    seen = graph.build(tree.root)
    assert status.of_requirement(seen, "SRS-ABC-001") == expected
    assert status.of_parent(seen, "SYS-ABC-001") == status.of_parent(seen, "UN-ABC-001") == expected


def test_every_word_is_reached() -> None:
    assert {word for word, _ in STATES.values()} | {"UNTESTED"} == set(status.WORST_FIRST)


def test_a_requirement_without_a_test_is_untested(tree: Tree) -> None:
    (tree.root / "tests" / "test_part.py").unlink()
    (tree.root / "tests" / "test_attack.py").unlink()
    assert status.of_requirement(graph.build(tree.root), "SRS-ABC-001") == "UNTESTED"
