# SPDX-License-Identifier: Apache-2.0
"""What ``evidence build --release`` demands: all of it gives a release, and each part that is missing none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from radiomicnet_md_audit import sign
from radiomicnet_md_audit.encoding import b64encode
from radiomicnet_md_traceability import command, evidence, graph, load, reviews, stamp, verify
from tests.traceability.faults import ATTACK, KEY, NODEID, SOFTWARE, accepted, mutated, vulnerabilities

if TYPE_CHECKING:
    from pathlib import Path

    from tests.traceability.conftest import Tree

pytestmark = pytest.mark.verifies("SRS-TRC-010")

BUILDER = sign.from_seed(bytes(31) + b"2")
LOCKS = "traceability/locks/"


def review_all(tree: Tree) -> None:
    """Every link reviewed, over the words that are there, with a valid key."""
    seen = graph.build(tree.root, structure=True)
    entries = []
    for item, _, target in seen.links():
        parent = seen.items.by_id[target]
        entry = {
            "parent": parent.id,
            "child": item.id,
            "parent_stamp": stamp.of(parent),
            "child_stamp": stamp.of(item),
            "by": "reviewer",
            "utc": "2026-11-20T08:00:00Z",
        }
        entries.append({**entry, "sig": b64encode(KEY.sign(reviews.message(entry)))})
    known = {"id": "reviewer", "key": b64encode(KEY.public.raw), "valid_from": "2026-01-01", "valid_to": "2026-12-31"}
    tree.write(f"{LOCKS}reviews.yaml", yaml.safe_dump(entries))
    tree.write(f"{LOCKS}signers.yaml", yaml.safe_dump([known]))


@pytest.fixture
def complete(tree: Tree) -> Tree:
    review_all(tree)
    vulnerabilities(tree)
    mutated(tree)
    accepted(tree)
    return tree


def test_with_everything_there_a_release_is_built(complete: Tree) -> None:
    bundle = evidence.build(graph.build(complete.root), BUILDER, release=True)
    said = verify.verify(bundle, BUILDER.public.to_pem())
    assert (said["release"], said["gaps"], said["findings"]) == (True, 0, 0)


def _remove(name: str) -> Callable[[Tree], None]:
    return lambda tree: (tree.root / name).unlink()


def _one_review_less(tree: Tree) -> None:
    file = tree.root / LOCKS / "reviews.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text(encoding="utf-8"))[1:]), encoding="utf-8")


def _awaited(tree: Tree) -> None:
    row = {"id": "CHK-PEOPLE-X", "title": "A thing", "document": "Work of people"}
    tree.write("traceability/checklists/people.yaml", yaml.safe_dump({**row, "manufacturer": "something by a person"}))
    command.write_pages(tree.root)


def _supplied(row: dict[str, Any]) -> None:
    del row["manufacturer"]
    row["pages"] = ["docs/clinical.md"]


LACKS: dict[str, Callable[[Tree], object]] = {
    "no review": _remove(f"{LOCKS}reviews.yaml"),
    "one review less": _one_review_less,
    "no data on vulnerabilities": _remove("traceability/soup/vulnerabilities.json"),
    "controls that were never broken": _remove(".results/mutants.json"),
    "acceptance that was not judged": _remove(".results/acceptance.jsonl"),
    "acceptance with too few cases": lambda tree: accepted(tree, n=9, status="INCONCLUSIVE"),
    "acceptance that was missed": lambda tree: accepted(tree, value=0.4, status="FAIL"),
    "a person's work that is awaited": _awaited,
    "a failed test": lambda tree: tree.outcomes((NODEID, "failed", "assert 0")),
    "a finding": lambda tree: tree.write("SOUP.md", "all is well\n"),
    "an uncommitted source": lambda tree: tree.results([tree.line(), tree.line(ATTACK)], dirty=True),
    "a requirement changed since": lambda tree: tree.item(SOFTWARE, lambda item: item.update(rationale="Another.")),
}


@pytest.mark.parametrize("lack", LACKS)
def test_whatever_is_missing_there_is_no_release(complete: Tree, lack: str) -> None:
    LACKS[lack](complete)
    with pytest.raises(evidence.GapsError) as caught:
        evidence.build(graph.build(complete.root), BUILDER, release=True)
    assert (caught.value.code, caught.value.exit_code) == ("E-EVIDENCE-GAPS", 6)


def test_a_gap_of_people_is_closed_by_the_pages_that_they_supply(complete: Tree) -> None:
    _awaited(complete)
    complete.write("docs/clinical.md", "# Clinical evaluation\n")
    complete.item("checklists/people.yaml", _supplied)
    command.write_pages(complete.root)
    assert evidence.build(graph.build(complete.root), BUILDER, release=True)


def test_the_project_awaits_what_no_program_can_do(root: Path) -> None:
    waiting = {item.id for item in load.load(root / "traceability").of("clause") if "manufacturer" in item.values}
    people = {f"CHK-PEOPLE-{word}" for word in ("CLINICAL", "USABILITY", "QMS", "VALIDATION", "BENEFIT")}
    assert people <= waiting
