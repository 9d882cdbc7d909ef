# SPDX-License-Identifier: Apache-2.0
"""The rules of outcomes, and verdicts, on graphs made by hand: each place that breaks one is named, and no other."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md_traceability import environment, lobster, soup, stamp, verdict
from radiomicnet_md_traceability import rules_results as results
from radiomicnet_md_traceability import rules_soup as packages
from radiomicnet_md_traceability.load import Item
from radiomicnet_md_traceability.results import Results
from tests.traceability.graphs import LOCK, STARTED, bound, item, made, outcome, places

pytestmark = pytest.mark.verifies("SRS-TRC-001", "SRS-TRC-006")

GOOD = {"name": "error", "value": 1, "criterion": "<= 1"}
BAD = {"name": "error", "value": 2, "criterion": "<= 1"}
LATEST = ".results/latest.jsonl"


@pytest.mark.parametrize(
    ("criterion", "holding", "failing"),
    [
        ("<= 0.5", [0.5, -1, 0], [0.51, 1]),
        (">= 3", [3, 3.5], [2.99, -3]),
        ("== 7", [7, 7.0], [6.9, 8]),
        ("< 1", [0.99], [1, 2]),
        ("> -2", [-1.9, 0], [-2, -3]),
        ("<= 1e-3", [0.001], [0.002]),
        ("is green", ["green"], ["red", "is green", 1]),
        ("is 3", [3, "3"], [4]),
        ("<= many", [], [0, "many"]),
        ("~ 3", [], [3]),
        (" <= 3", [], [3]),
        ("<= 3 px", [], [3]),
    ],
)
def test_a_verdict_follows_from_value_and_criterion(criterion: str, holding: list[Any], failing: list[Any]) -> None:
    assert all(verdict.holds(value, criterion) for value in holding)
    assert not any(verdict.holds(value, criterion) for value in (*failing, math.nan, math.inf, None, True, "1"))


def test_without_results_nothing_is_said_of_them() -> None:
    graph = made([item("SRS-A-1")], [bound("a", "SRS-A-1")])
    judged = (results.not_passed, results.stale, results.incomplete, results.platform, results.deviated)
    assert [list(rule(graph)) for rule in (*judged, results.second_opinion, packages.outdated)] == [[]] * 7


def test_every_test_ran_and_none_failed() -> None:
    tests = [bound("a", "SRS-A-1"), bound("b", "SRS-A-1"), bound("c", "SRS-A-2"), bound("d", "SRS-A-1"), bound("e")]
    seen = {
        "a": outcome(),
        "b": outcome("skipped", "absent: data"),
        "c": outcome("skipped", "absent: data"),
        "e": outcome("failed", "assert 0"),
    }
    found = list(results.not_passed(made([], tests, seen)))
    assert places(found) == ["test_it.py::c", "test_it.py::d", "test_it.py::e"]
    assert [text.endswith("; not verified: SRS-A-2") for _, text in found] == [True, False, False]
    assert found[2][1] == "failed (assert 0)"
    error = made([], [bound("a", "SRS-A-1", "SRS-A-2")], {"a": outcome("error", "boom")})
    assert list(results.not_passed(error)) == [("test_it.py::a", "error (boom); not verified: SRS-A-1, SRS-A-2")]
    partly = made([], [bound("a", "SRS-A-1"), bound("b", "SRS-A-1", "SRS-A-2")], {"a": outcome(), "b": seen["b"]})
    assert [text.partition("; ")[2] for _, text in results.not_passed(partly)] == ["not verified: SRS-A-2"]
    missing = made([], [bound("b", "SRS-A-1"), bound("c", "SRS-A-1")], {"b": seen["b"]})
    assert places(results.not_passed(missing)) == ["test_it.py::b", "test_it.py::c"]
    others = {"a": outcome("skipped", "not today"), "b": outcome("xfailed")}
    assert places(results.not_passed(made([], [bound("a"), bound("b")], others))) == [], "T24 looks at these"


def head(root: Path, **more: object) -> dict[str, object]:
    """What results of this checkout say of it."""
    return {
        "code_sha256": environment.code_digest(root),
        "lock_sha256": environment.digest(soup.locks(root)),
        "model_sha256": environment.model_digest(root),
        **more,
    }


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "requirements").mkdir()
    (tmp_path / LOCK).write_text("# locked\nPyYAML==6.0\nother_one==1.0\n")
    (tmp_path / "audit").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["PyYAML>=6", "radiomicnet-md-audit==1"]\n')
    (tmp_path / "audit" / "pyproject.toml").write_text("[project]\noptional-dependencies = {store = ['other.One']}\n")
    return tmp_path


@pytest.mark.parametrize("field", ["code_sha256", "lock_sha256", "model_sha256"])
def test_results_are_of_this_source_lock_and_release(checkout: Path, field: str) -> None:
    assert list(results.stale(made(outcomes={}, head=head(checkout), root=checkout))) == []
    told = list(results.stale(made(outcomes={}, head=head(checkout, **{field: "0"}), root=checkout)))
    assert places(told) == [LATEST]
    words = {"code_sha256": "the source of the product", "lock_sha256": "the lock file", "model_sha256": "the release"}
    assert told[0][1] == f"{words[field]} has changed since {STARTED}"


def test_results_are_of_these_requirements_and_tests(checkout: Path) -> None:
    items = [item("SRS-A-1", text="one"), item("SRS-A-2", text="two"), item("SYS-A-1", text="three")]
    stamps = {"SRS-A-1": stamp.of(items[0]), "SRS-A-2": "0", "SYS-A-1": "0"}
    tests = [bound("a", "SRS-A-1"), bound("b", "SRS-A-1"), bound("c", "SRS-A-1")]
    seen = {"a": outcome(of="a"), "b": outcome(of="a")}
    graph = made(items, tests, seen, head=head(checkout, stamps=stamps), root=checkout)
    assert places(results.stale(graph)) == ["SRS-A-2", "test_it.py::b"]
    fresh = made(items, tests[:1], seen, head=head(checkout, stamps={}), root=checkout)
    assert places(results.stale(fresh)) == [], "T07 tells of a requirement whose tests did not run"
    older = dataclasses.replace(fresh, results=Results(STARTED, {}, head(checkout)))
    assert places(results.stale(older)) == [], "results that know no stamps"


SURROUNDINGS = dict.fromkeys(environment.MANDATORY, "said") | {"dirty": False}


def test_results_say_where_they_are_from() -> None:
    assert list(results.incomplete(made(outcomes={}, head=SURROUNDINGS))) == []
    for field in environment.MANDATORY:
        (told,) = results.incomplete(made(outcomes={}, head={**SURROUNDINGS, field: ""}))
        assert told == (LATEST, f"does not say the {field.replace('_', ' ')}")
    for dirty in ({"dirty": True}, {"dirty": None}):
        (told,) = results.incomplete(made(outcomes={}, head={**SURROUNDINGS, **dirty}))
        assert told == (LATEST, "was not obtained on a committed source")


@pytest.mark.parametrize(
    ("seen", "expected", "count"),
    [
        (outcome(), "", 0),
        (outcome(expected=""), "", 1),
        (outcome("failed", expected=""), "1 px", 1),
        (outcome("failed", actual=(BAD,)), "1 px", 0),
        (outcome(), "1 px", 1),
        (outcome(actual=(GOOD,)), "1 px", 0),
        (outcome(actual=(BAD, GOOD, BAD)), "", 2),
    ],
)
def test_a_result_says_what_was_expected_and_found(seen: Any, expected: str, count: int) -> None:  # noqa: ANN401
    tests = [bound("a", "SRS-A-1", expected=expected), bound("b", expected="x"), bound("c", "SRS-A-1")]
    graph = made([], tests, {"a": seen, "b": outcome(expected="")}, head=SURROUNDINGS)
    assert places(results.incomplete(graph)) == ["test_it.py::a"] * count


def test_a_listed_platform_was_tested() -> None:
    def platform(**more: object) -> Item:
        usual = {"listed": True, "system": "Linux", "machine": "x86_64", "python": ["3.11"], "accelerator": "none"}
        return item("PLT-1", **{**usual, **more})

    def told(one: Item, **more: object) -> list[str]:
        here = {"system": "Linux", "machine": "x86_64", "python": "3.11.7", "accelerator": "none", **more}
        return places(results.platform(made([one], outcomes={}, head=here)))

    assert told(platform()) == []
    assert told(platform(listed=False), system="Plan 9") == []
    for other in ({"system": "Darwin"}, {"machine": "arm64"}, {"python": ["3.12"]}, {"accelerator": "cuda"}):
        assert told(platform(**other)) == ["PLT-1"]
    assert told(platform(python=["3.11", "3.12", "3.13"])) == ["PLT-1"] * 2
    assert told(platform(accelerator="cuda"), accelerator="H200") == []
    assert told(platform(), accelerator="H200") == ["PLT-1"]
    unlisted = made([item("PLT-0", listed=False), platform(system="Darwin")], outcomes={}, head={})
    assert places(results.platform(unlisted)) == ["PLT-1"]
    bare = made([platform(), item("PLT-2", listed=False)], outcomes={}, head={"system": "Linux", "machine": "x86_64"})
    assert places(results.platform(bare)) == ["PLT-1"], "no version of Python is none"
    unsaid = {"system": "Linux", "machine": "x86_64", "python": "3.11.7"}
    assert places(results.platform(made([platform()], outcomes={}, head=unsaid))) == [], "no accelerator is none"


def acceptance(**more: object) -> Item:
    one = {"criterion": ">= 0.5", "n_required": 10, **more}
    return item("AC-1", sha256=stamp.of_values({"id": "AC-1", **one}), **one)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, []),
        ({"value": 0.4, "status": "FAIL"}, []),
        ({"n": 9, "status": "INCONCLUSIVE"}, []),
        ({"value": 0.4}, ["PASS, and is FAIL"]),
        ({"n": 9}, ["PASS, and is INCONCLUSIVE"]),
        ({"sha256": "0"}, ["changed after"]),
        ({"value": math.nan}, ["its value is nan"]),
        ({"id": "AC-2"}, ["no acceptance object"]),
        ({"id": "SRS-A-1"}, ["no acceptance object"]),
    ],
)
def test_acceptance_was_fixed_beforehand_and_its_words_follow(
    tmp_path: Path, more: dict[str, object], words: list[str]
) -> None:
    one = acceptance()
    row = {"id": "AC-1", "sha256": stamp.of(one), "n": 10, "value": 0.5, "status": "PASS", **more}
    (tmp_path / ".results").mkdir()
    (tmp_path / ".results" / "acceptance.jsonl").write_text(f"{json.dumps(row)}\n" * 2)
    told = list(results.acceptance_objects(made([one, item("SRS-A-1")], outcomes={}, root=tmp_path)))
    assert places(told) == [str(row["id"])] * len(words) * 2
    assert all(word in text for word, (_, text) in zip(words * 2, told, strict=True))
    assert list(results.acceptance_objects(made([one], root=tmp_path))) == [], "there are no results"


def test_an_acceptance_object_is_what_its_hash_says() -> None:
    edited = item("AC-1", **{**acceptance().values, "n_required": 3})
    for graph in (made([edited]), made([edited], outcomes={})):
        assert places(results.acceptance_objects(graph)) == ["AC-1"]
    assert places(results.acceptance_objects(made([item("AC-1")]))) == ["AC-1"]


def test_a_skip_has_a_deviation() -> None:
    tests = [bound(name) for name in "abcdef"]
    seen = {
        "a": outcome("skipped", "absent: data"),
        "b": outcome("skipped", "later"),
        "c": outcome("xfailed", "later"),
        "d": outcome("skipped", "later"),
        "e": outcome("failed", "assert 0"),
    }
    told = list(results.deviated(made([item("DEV-1", tests=["test_it.py::d"])], tests, seen)))
    assert told == [("test_it.py::b", "skipped (later)"), ("test_it.py::c", "xfailed (later)")]


def test_a_second_opinion_is_asked_for_where_there_are_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lobster, "disagreements", lambda graph: [(str(graph.root), "otherwise")])
    assert list(results.second_opinion(made(outcomes={}))) == [("nowhere", "otherwise")]
    assert list(results.second_opinion(made())) == []
