# SPDX-License-Identifier: Apache-2.0
"""Statuses, and the rules of packages and pages, on graphs made by hand: each has its states, and no other."""

from __future__ import annotations

import dataclasses
import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from radiomicnet_md_traceability import documents, environment, rules, soup, stamp, status
from radiomicnet_md_traceability import rules_soup as packages
from radiomicnet_md_traceability.graph import Graph
from radiomicnet_md_traceability.load import Fault, Item
from radiomicnet_md_traceability.results import Outcome, Results
from radiomicnet_md_traceability.reviews import Reviews
from tests.traceability.graphs import LOCK, STARTED, bound, item, made, outcome, places

pytestmark = pytest.mark.verifies("SRS-TRC-003", "SRS-TRC-006")

BAD = {"name": "error", "value": 2, "criterion": "<= 1"}
GOOD = {"name": "error", "value": 1, "criterion": "<= 1"}
SRS = item("SRS-A-1", text="It shall hold.")
EXCUSE = item("DEV-1", tests=["test_it.py::a"])


# ------------------------------------------------------------------------------------------ one word


@pytest.mark.parametrize(
    ("seen", "items", "word"),
    [
        (outcome(), [], "PASS"),
        (outcome(actual=(GOOD, BAD)), [], "FAIL"),
        (outcome(actual=(GOOD,)), [], "PASS"),
        (outcome("failed"), [], "FAIL"),
        (outcome("failed", actual=(GOOD,)), [EXCUSE], "FAIL"),
        (outcome("error", actual=(BAD,)), [], "ERROR"),
        (outcome("error"), [], "ERROR"),
        (outcome("skipped"), [], "SKIP"),
        (outcome("skipped"), [EXCUSE], "DEVIATED"),
        (outcome("skipped"), [item("DEV-1", tests=["test_it.py::b"])], "SKIP"),
        (outcome("skipped"), [item("HAZ-1", tests=["test_it.py::a"])], "SKIP"),
        (outcome("xfailed"), [], "XFAIL"),
        (outcome("xfailed"), [EXCUSE], "DEVIATED"),
        (outcome(), [EXCUSE], "PASS"),
        (outcome(of="an older source"), [], "STALE"),
    ],
)
def test_a_test_has_one_word(seen: Outcome, items: list[Item], word: str) -> None:
    graph = made([SRS, *items], [bound("a", "SRS-A-1")], {"a": seen})
    assert status.of_test(graph, graph.tests[0]) == word
    assert status.of_requirement(graph, "SRS-A-1") == word


def test_without_outcome_or_results_there_is_no_verdict() -> None:
    tests = [bound("a", "SRS-A-1")]
    assert status.of_test(made([SRS], tests, {}), tests[0]) == "NOT_RUN"
    assert status.of_test(made([SRS], tests), tests[0]) == "NOT_JUDGED"
    assert status.of_requirement(made([SRS], tests), "SRS-A-1") == "NOT_JUDGED"
    assert status.of_requirement(made([SRS], [bound("a")], {}), "SRS-A-1") == "UNTESTED"


ABSENT = outcome("skipped", "absent: data", of="b")


@pytest.mark.parametrize(
    ("first", "second", "word"),
    [
        (outcome(), ABSENT, "PASS"),
        (outcome("failed"), ABSENT, "FAIL"),
        (outcome("skipped", "absent: data"), ABSENT, "SKIP"),
        (outcome("xfailed"), ABSENT, "XFAIL"),
        (outcome(), outcome("skipped", "later", of="b"), "SKIP"),
        (outcome(), outcome(of="an older source"), "STALE"),
        (outcome(of="an older source"), ABSENT, "STALE"),
    ],
)
def test_a_part_that_is_absent_counts_for_nothing_beside_a_test_that_passed(
    first: Outcome, second: Outcome, word: str
) -> None:
    graph = made([SRS], [bound("a", "SRS-A-1"), bound("b", "SRS-A-1")], {"a": first, "b": second})
    assert status.of_requirement(graph, "SRS-A-1") == word
    never = made([SRS], [bound("a", "SRS-A-1"), bound("b", "SRS-A-1")], {"a": first})
    assert status.of_requirement(never, "SRS-A-1") in {"NOT_RUN", "FAIL", "STALE"}


def test_an_absent_part_alone_is_a_skip_also_where_a_deviation_excuses_it() -> None:
    graph = made([SRS, EXCUSE], [bound("a", "SRS-A-1")], {"a": outcome("skipped", "absent: data")})
    assert status.of_test(graph, graph.tests[0]) == "DEVIATED"
    assert status.of_requirement(graph, "SRS-A-1") == "SKIP"
    excuse = item("DEV-1", tests=["test_it.py::a"])
    beside = made(
        [SRS, excuse],
        [bound("a", "SRS-A-1"), bound("b", "SRS-A-1")],
        {"a": outcome("skipped", "later"), "b": ABSENT},
    )
    assert status.of_requirement(beside, "SRS-A-1") == "SKIP", "b weighs more than the excused one, where none passed"


def good(*items: Item, reviews: Reviews | None = None, root: Path = Path("nowhere"), **head: object) -> Graph:
    """A requirement whose one test passed."""
    return made([SRS, *items], [bound("a", "SRS-A-1")], {"a": outcome()}, reviews=reviews, root=root, head=head)


def test_a_requirement_that_was_changed_after_the_run_is_stale() -> None:
    assert status.of_requirement(good(stamps={"SRS-A-1": stamp.of(SRS)}), "SRS-A-1") == "PASS"
    assert status.of_requirement(good(stamps={"SRS-A-1": "0"}), "SRS-A-1") == "STALE"
    assert status.of_requirement(good(stamps={}), "SRS-A-1") == "STALE"
    older = dataclasses.replace(good(), results=Results(STARTED, {"test_it.py::a": outcome()}, {}))
    assert status.of_requirement(older, "SRS-A-1") == "STALE"


def test_a_requirement_whose_review_lapsed_is_suspect() -> None:
    system = item("SYS-A-1", text="It shall.")
    right = {"parent": "SYS-A-1", "child": "SRS-A-1", "parent_stamp": stamp.of(system), "child_stamp": stamp.of(SRS)}

    def word(**more: str) -> str:
        graph = good(system, reviews=Reviews(({**right, **more},), {}))
        return status.of_requirement(graph, "SRS-A-1")

    assert word() == "PASS"
    assert word(parent_stamp="0") == word(child_stamp="0") == word(parent="SYS-A-9") == "SUSPECT"
    assert word(child="SRS-A-9", parent_stamp="0") == "PASS", "a review of something else"
    lower = Reviews(({**right, "parent": "SRS-A-1", "child": "SYS-A-1"},), {})
    assert status.of_requirement(good(system, reviews=lower), "SRS-A-1") == "SUSPECT"


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ({}, "PASS"),
        ({"value": 0.4}, "FAIL"),
        ({"n": 9}, "INCONCLUSIVE"),
        ({"id": "AC-2", "value": 0.4}, "PASS"),
        ({"id": "AC-3", "value": 0.4}, "PASS"),
    ],
)
def test_acceptance_counts_for_the_requirements_that_it_verifies(
    tmp_path: Path, row: dict[str, object], word: str
) -> None:
    needed = {"criterion": ">= 0.5", "n_required": 10}
    items = [item("AC-1", verified_by=["SRS-A-1"], **needed), item("AC-2", verified_by=["SRS-A-2"], **needed)]
    (tmp_path / ".results").mkdir()
    line = {"id": "AC-1", "sha256": "0", "n": 10, "value": 0.5, "status": "PASS", **row}
    (tmp_path / ".results" / "acceptance.jsonl").write_text(json.dumps(line))
    assert status.of_requirement(good(*items, root=tmp_path), "SRS-A-1") == word
    unjudged = made([SRS, *items], [bound("a", "SRS-A-1")], root=tmp_path)
    assert status.of_requirement(unjudged, "SRS-A-1") == "NOT_JUDGED"


def test_a_parent_is_as_bad_as_the_worst_below_it() -> None:
    items = [
        item("UN-1"),
        item("SYS-A-1", parents=["UN-1"]),
        item("SYS-A-2", parents=["UN-2"]),
        item("SRS-A-1", parents=["SYS-A-1"]),
        item("SRS-A-2", parents=["SYS-A-1", "UN-3"]),
        item("LBL-1", parents=["UN-4"]),
    ]
    tests = [bound("a", "SRS-A-1"), bound("b", "SRS-A-2")]
    graph = made(items, tests, {"a": outcome(), "b": outcome("failed", of="b")})
    words = {id_: status.of_parent(graph, id_) for id_ in ("UN-1", "SYS-A-1", "UN-2", "SYS-A-2", "UN-3", "UN-4")}
    assert words == {
        **dict.fromkeys(("UN-1", "SYS-A-1", "UN-3"), "FAIL"),
        **dict.fromkeys(("UN-2", "SYS-A-2", "UN-4"), "UNTESTED"),
    }
    assert status.worst({"PASS", "SKIP", "STALE"}) == "STALE"


# ------------------------------------------------------------------------------------------ packages and pages


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two dependencies, locked; what is installed is what the lock file says."""
    for name in ("requirements", "audit", "traceability/soup"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / LOCK).write_text("# locked\nPyYAML==6.0\nother_one==1.0\n")
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["PyYAML>=6", "other.one"]\n')
    (tmp_path / "audit" / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(soup, "installed", {"PyYAML": "6.0", "other-one": "1.0"}.get)
    return tmp_path


def package(id_: str = "SOUP-1", **more: object) -> Item:
    usual = {"name": "PyYAML", "version": "6.0", "scope": "device", "anomalies": {"reviewed": "2026-11-01"}}
    return item(id_, **{**usual, **more})


OTHER = package("SOUP-2", name="other-one", version="1.0")


@pytest.mark.parametrize(
    ("items", "broken"),
    [
        ([package(), OTHER], []),
        ([OTHER], ["pyyaml"]),
        ([], ["other-one", "pyyaml"]),
        ([package(), OTHER, package("SOUP-3", name="third", version=None, scope="test")], ["SOUP-3"]),
        ([package(version="5.0"), OTHER], ["SOUP-1", "SOUP-1"]),
        ([package(), package("SOUP-2", name="Other_One", version="1.0", scope="training")], []),
        ([package(), package("SOUP-2", name="Other_One", version="1.0")], ["SOUP-2"]),
    ],
)
def test_items_dependencies_lock_and_environment_agree(checkout: Path, items: list[Item], broken: list[str]) -> None:
    """``Other_One`` is not installed under this name, which matters for what is in the device alone."""
    assert places(packages.unequal(made(items, root=checkout))) == broken


def test_what_is_installed_in_another_version_is_told_for_every_scope(checkout: Path) -> None:
    (checkout / LOCK).write_text("PyYAML==5.0\nother_one==1.0\n")
    for scope in ("device", "training"):
        graph = made([package(version="5.0", scope=scope), OTHER], root=checkout)
        assert places(packages.unequal(graph)) == ["SOUP-1"]
    assert places(packages.unequal(made([package(), OTHER], root=checkout))) == ["SOUP-1"], "the lock file differs"


def test_reviews_of_anomalies_grow_old(checkout: Path) -> None:
    ran = date.fromisoformat(STARTED[:10])
    days = {"SOUP-1": 0, "SOUP-2": 90, "SOUP-3": 91}
    items = [package(id_, anomalies={"reviewed": str(ran - timedelta(days=age))}) for id_, age in days.items()]
    items.append(item("SOUP-4", name="never"))
    found = list(packages.outdated(made(items, outcomes={}, root=checkout)))
    assert places(found) == ["SOUP-3", "SOUP-4"]
    assert found[1][1].endswith("1970-01-01")


@pytest.mark.parametrize(
    ("more", "count"),
    [
        ({}, 0),
        ({"retrieved": "2026-10-24"}, 0),
        ({"retrieved": "2026-10-23"}, 1),
        ({"lock_sha256": "0"}, 1),
        ({"findings": [{"id": "CVE-1", "analysis": "Not reached."}]}, 0),
        ({"findings": [{"id": "CVE-1"}, {"id": "CVE-2", "analysis": ""}]}, 2),
    ],
)
def test_data_on_vulnerabilities_are_young_of_this_lock_and_analysed(
    checkout: Path, more: dict[str, object], count: int
) -> None:
    assert list(packages.outdated(made(outcomes={}, root=checkout))) == []
    seen = {
        "retrieved": STARTED[:10],
        "lock_sha256": environment.digest(soup.locks(checkout)),
        "findings": [],
        **more,
    }
    (checkout / "traceability" / "soup" / "vulnerabilities.json").write_text(json.dumps(seen))
    found = places(packages.outdated(made(outcomes={}, root=checkout)))
    assert found == ["traceability/soup/vulnerabilities.json"] * count


def test_generated_pages_are_what_the_items_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "pages", lambda graph: {"a.md": "α", "b.md": "b", "c.md": str(len(graph.tests))})
    (tmp_path / "a.md").write_text("α", encoding="utf-8")
    (tmp_path / "b.md").write_text("other", encoding="utf-8")
    assert places(packages.drifted(made(root=tmp_path))) == ["b.md", "c.md"]
    assert list(packages.drifted(made(root=tmp_path, faults=[Fault("schema", "x", "y")]))) == []


def test_the_gate_runs_its_rules_in_their_order_and_says_how_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = made()
    table = tuple(
        rules.Rule(
            f"T{number}",
            "demand",
            f"remedy {number}",
            lambda seen, n=number: iter([("here", f"{n}")] * (seen is graph)),
        )
        for number in (2, 1)
    )
    monkeypatch.setattr(rules, "RULES", table)
    assert [(one.rule, one.where, one.message, one.remedy) for one in rules.run(graph)] == [
        ("T2", "here", "2", "remedy 2"),
        ("T1", "here", "1", "remedy 1"),
    ]
