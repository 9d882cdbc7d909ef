# SPDX-License-Identifier: Apache-2.0
"""Ways in which a small checkout can be broken, each of which one rule of the trace alone reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import yaml

from radiomicnet_md_audit import sign
from radiomicnet_md_audit.encoding import b64encode
from radiomicnet_md_traceability import command, environment, graph, load, mutants, reviews, soup, stamp

if TYPE_CHECKING:
    from tests.traceability.conftest import Tree

NODEID = "tests/test_part.py::test_holds"
ATTACK = "tests/test_attack.py::test_breaks"
HEAD = "import pytest\n\n"
GOOD = '@pytest.mark.verifies("SRS-ABC-001")\ndef test_holds():\n    assert True\n'
ATTACKING = '@pytest.mark.verifies("SRS-ABC-001", rc=("RC-001",))\ndef test_breaks(): pass\n'
NEED, SYSTEM, SOFTWARE = "requirements/need.yaml", "requirements/system.yaml", "requirements/software.yaml"
HAZARD, CONTROL, SOUP = "risks/hazards.yaml", "risks/controls.yaml", "soup/pyyaml.yaml"
KEY = sign.from_seed(bytes(32))


def _unused_need(tree: Tree) -> None:
    tree.write(
        "traceability/requirements/more.yaml",
        "id: UN-ABC-002\ntitle: Alone\ntext: Nobody answers this.\nrationale: It was forgotten.\n",
    )


def _second_requirement(tree: Tree, code: str = "") -> None:
    text = (tree.root / "traceability" / SOFTWARE).read_text(encoding="utf-8")
    text = (
        text.replace("SRS-ABC-001", "SRS-ABC-002")
        .replace("- RC-001", "[]")
        .replace("risk_controls:\n", "risk_controls: ")
    )
    tree.write("traceability/requirements/more.yaml", text)
    tree.write("tests/test_part.py", HEAD + GOOD + code)


def _orphan(tree: Tree) -> None:
    _second_requirement(tree, '\n\n@pytest.mark.verifies("SRS-ABC-002")\ndef test_two():\n    assert True\n')
    tree.item("requirements/more.yaml", lambda item: item.update(parents=[]))
    tree.outcomes((NODEID, "passed", ""), ("tests/test_part.py::test_two", "passed", ""))
    command.write_pages(tree.root)


def _stray_test(tree: Tree, mark: str = "") -> None:
    tree.write("tests/test_part.py", f"{HEAD}{GOOD}\n\n{mark}def test_stray():\n    pass\n")
    tree.outcomes((NODEID, "passed", ""), ("tests/test_part.py::test_stray", "passed", ""))
    command.write_pages(tree.root)


def write_json(tree: Tree, name: str, values: object) -> None:
    tree.write(name, json.dumps(values))


def review(tree: Tree, changed: str = "", signer: dict[str, str] | None = None, **other: str) -> None:
    """A review of one link by somebody else than its author; then one thing about it is wrong."""
    items = load.load(tree.root / "traceability").by_id
    entry = {
        "parent": "SYS-ABC-001",
        "child": "SRS-ABC-001",
        "parent_stamp": stamp.of(items["SYS-ABC-001"]),
        "child_stamp": stamp.of(items["SRS-ABC-001"]),
        "by": "reviewer",
        "utc": "2026-11-20T08:00:00Z",
        **other,
    }
    entry["sig"] = b64encode(KEY.sign(reviews.message(entry)))
    known = {"id": "reviewer", "key": b64encode(KEY.public.raw), "valid_from": "2026-01-01", "valid_to": "2026-12-31"}
    tree.write("traceability/locks/reviews.yaml", yaml.safe_dump([entry]))
    tree.write("traceability/locks/signers.yaml", yaml.safe_dump([{**known, **(signer or {})}]))
    if changed:
        _changed_after(tree, changed, lambda item: item.update(rationale="Another reason than before."))


def _changed_after(tree: Tree, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change an item, and run the tests and write the pages after it, as a careful person would."""
    tree.item(name, change)
    _settle(tree)


def _settle(tree: Tree) -> None:
    tree.outcomes((NODEID, "passed", ""))
    if not load.load(tree.root / "traceability").faults:
        command.write_pages(tree.root)


def passed(tree: Tree, **more: object) -> None:
    tree.results([tree.line(**more), tree.line(ATTACK)])


def _head(tree: Tree, **head: object) -> None:
    tree.results([tree.line(), tree.line(ATTACK)], **head)


def accepted(tree: Tree, **more: object) -> None:
    item = load.load(tree.root / "traceability").by_id["AC-ONE-01"]
    row = {"id": "AC-ONE-01", "sha256": stamp.of(item), "n": 12, "value": 0.6, "status": "PASS", **more}
    write_json(tree, ".results/acceptance.jsonl", row)


def lobster(tree: Tree, *ids: str) -> None:
    items = [{"name": id_, "ref_down": ["act x"]} for id_ in ids]
    write_json(tree, ".results/lobster.json", {"levels": [{"name": "Requirements", "items": items}]})


def mutated(tree: Tree, fate: str = mutants.KILLED) -> None:
    """``trace mutate`` has run, and every mutant came to this."""
    seen = graph.build(tree.root, structure=True)
    broken = (mutant for control in seen.items.of("control") for mutant in mutants.of(control))
    mutants.write(seen, [mutants.Fate(mutant.name, fate, ATTACK, "", 0.1) for mutant in broken])


def vulnerabilities(tree: Tree, **more: object) -> None:
    lock = environment.digest(soup.locks(tree.root))
    seen = {"retrieved": "2026-11-20", "lock_sha256": lock, "findings": [], **more}
    write_json(tree, "traceability/soup/vulnerabilities.json", seen)


def _attack_only(tree: Tree) -> None:
    """The one test of the requirement is also the one that says it attacks the control."""
    (tree.root / "tests/test_part.py").unlink()
    tree.results([tree.line(ATTACK)])


def _soup_version(tree: Tree, version: str) -> None:
    tree.item(SOUP, lambda item: item.update(version=version))
    command.write_pages(tree.root)


def _relock(tree: Tree, lock: str) -> None:
    tree.write("requirements/lock-py311.txt", lock)
    _settle(tree)


BAD_ACTUAL = {"name": "error", "value": 3, "unit": "px", "criterion": "<= 1"}

# Each fault, and the only rule that reports it.
FAULTS: dict[str, tuple[str, Callable[[Tree], object]]] = {
    "unknown field": ("T01", lambda tree: tree.item(NEED, lambda item: item.update(colour="red"))),
    "wrong type": ("T01", lambda tree: tree.item(HAZARD, lambda item: item["initial"].update(severity="high"))),
    "item in the wrong folder": ("T01", lambda tree: tree.write("traceability/soup/x.yaml", "id: UN-ABC-009\n")),
    "no YAML": ("T01", lambda tree: tree.write("traceability/risks/x.yaml", "a: [\n")),
    "object tag": ("T01", lambda tree: tree.write("traceability/risks/x.yaml", "!!python/object/apply:os.getcwd []\n")),
    "id used twice": (
        "T02",
        lambda tree: tree.write(
            "traceability/requirements/zz.yaml", (tree.root / "traceability" / NEED).read_text(encoding="utf-8")
        ),
    ),
    "dangling link": (
        "T03",
        lambda tree: _changed_after(tree, SYSTEM, lambda item: item["parents"].append("UN-ABC-404")),
    ),
    "unknown id in a mark": ("T03", lambda tree: _stray_test(tree, '@pytest.mark.verifies("SRS-ABC-404")\n')),
    "unknown control in a mark": (
        "T03",
        lambda tree: _stray_test(tree, '@pytest.mark.verifies("SRS-ABC-001", rc=("RC-404",))\n'),
    ),
    "orphan requirement": ("T04", _orphan),
    "test without a mark": ("T04", _stray_test),
    "mark that cannot be read": ("T04", lambda tree: _stray_test(tree, "@pytest.mark.verifies(*IDS)\n")),
    "childless need": ("T05", lambda tree: (_unused_need(tree), command.write_pages(tree.root))),
    "untested requirement": ("T06", lambda tree: (_second_requirement(tree), _settle(tree))),
    "test at another level": (
        "T06",
        lambda tree: (
            _second_requirement(
                tree, '\n\n@pytest.mark.verifies("SRS-ABC-002", level="system")\ndef test_two():\n    pass\n'
            ),
            tree.outcomes((NODEID, "passed", ""), ("tests/test_part.py::test_two", "passed", "")),
            command.write_pages(tree.root),
        ),
    ),
    "test failed": ("T07", lambda tree: tree.outcomes((NODEID, "failed", "assert 0"))),
    "test torn down badly": ("T07", lambda tree: tree.outcomes((NODEID, "error", "RuntimeError"))),
    "test failed for one parameter": (
        "T07",
        lambda tree: tree.outcomes((f"{NODEID}[1]", "passed", ""), (f"{NODEID}[2]", "failed", "")),
    ),
    "all tests skipped for an absent part": (
        "T07",
        lambda tree: tree.results(
            [tree.line(NODEID, "skipped", "absent: x"), tree.line(ATTACK, "skipped", "absent: x")]
        ),
    ),
    "test not run": ("T07", lambda tree: tree.outcomes()),
    "requirement changed since": (
        "T08",
        lambda tree: tree.item(SOFTWARE, lambda item: item.update(rationale="Another one.")),
    ),
    "test changed since": ("T08", lambda tree: tree.write("tests/test_part.py", HEAD + GOOD.replace("True", "1"))),
    "code changed since": ("T08", lambda tree: _head(tree, code_sha256="0" * 64)),
    "lock changed since": ("T08", lambda tree: _head(tree, lock_sha256="0" * 64)),
    "release changed since": ("T08", lambda tree: _head(tree, model_sha256="0" * 64)),
    "parent changed after review": ("T09", lambda tree: review(tree, changed=SYSTEM)),
    "child changed after review": ("T09", lambda tree: review(tree, changed=SOFTWARE)),
    "two shalls": (
        "T10",
        lambda tree: _changed_after(tree, SOFTWARE, lambda item: item.update(text="It shall do one and shall do two.")),
    ),
    "no shall": ("T10", lambda tree: _changed_after(tree, SYSTEM, lambda item: item.update(text="It does something."))),
    "vague word": (
        "T10",
        lambda tree: _changed_after(tree, SOFTWARE, lambda item: item.update(text="The part shall be user-friendly.")),
    ),
    "hazard without control": (
        "T11",
        lambda tree: _changed_after(tree, HAZARD, lambda item: item.update(controls=[])),
    ),
    "control with code that is gone": (
        "T12",
        lambda tree: _changed_after(tree, CONTROL, lambda item: item.update(code=["part:Part.three"])),
    ),
    "control without code": ("T12", lambda tree: _changed_after(tree, CONTROL, lambda item: item.update(code=[]))),
    "link on one side": (
        "T12",
        lambda tree: _changed_after(tree, SOFTWARE, lambda item: item.update(risk_controls=[])),
    ),
    "control broken where there is no code": (
        "T12",
        lambda tree: _changed_after(tree, CONTROL, lambda item: item["breaks"][0].update(symbol="part:Part.three")),
    ),
    "control without a way to break it": ("T01", lambda tree: tree.item(CONTROL, lambda item: item["breaks"].pop())),
    "control that survives being broken": ("T13", lambda tree: mutated(tree, mutants.SURVIVED)),
    "control whose break could not be judged": ("T13", lambda tree: mutated(tree, mutants.ERROR)),
    "control that nobody broke": (
        "T13",
        lambda tree: write_json(tree, ".results/mutants.json", {"format": mutants.FORMAT, "controls": {}}),
    ),
    "control whose attack was changed since it was broken": (
        "T13",
        lambda tree: (
            mutated(tree),
            tree.write("tests/test_attack.py", HEAD + ATTACKING.replace("pass", "assert True")),
            _settle(tree),
        ),
    ),
    "control that is broken otherwise since": (
        "T13",
        lambda tree: (
            mutated(tree),
            _changed_after(tree, CONTROL, lambda item: item["breaks"][0].update({"return": "3"})),
        ),
    ),
    "control attacked by the tests of its presence": ("T14", _attack_only),
    "control attacked by no test": (
        "T14",
        lambda tree: (
            tree.write("tests/test_attack.py", HEAD + GOOD.replace("test_holds", "test_breaks")),
            _settle(tree),
        ),
    ),
    "dependency without item": (
        "T15",
        lambda tree: tree.write("audit/pyproject.toml", '[project]\ndependencies = ["new-thing>=1"]\n'),
    ),
    "item without dependency": ("T15", lambda tree: tree.write("pyproject.toml", "[project]\ndependencies = []\n")),
    "other version in the item": ("T15", lambda tree: _soup_version(tree, "0.1")),
    "other version in the lock": ("T15", lambda tree: _relock(tree, "pyyaml==0.1\n")),
    "not in the lock": ("T15", lambda tree: _relock(tree, "other==1.0\n")),
    "anomalies reviewed long ago": (
        "T16",
        lambda tree: _changed_after(tree, SOUP, lambda item: item["anomalies"].update(reviewed="2026-07-01")),
    ),
    "vulnerabilities retrieved long ago": ("T16", lambda tree: vulnerabilities(tree, retrieved="2026-10-01")),
    "vulnerabilities of other packages": ("T16", lambda tree: vulnerabilities(tree, lock_sha256="0" * 64)),
    "vulnerability without analysis": ("T16", lambda tree: vulnerabilities(tree, findings=[{"id": "V-1"}])),
    "anomaly without rationale": (
        "T17",
        lambda tree: _changed_after(tree, "risks/anomalies.yaml", lambda item: item.pop("rationale")),
    ),
    "clause without evidence": (
        "T18",
        lambda tree: _changed_after(tree, "checklists/rows.yaml", lambda item: item.pop("evidence")),
    ),
    "clause resting on a page that is gone": (
        "T18",
        lambda tree: _changed_after(tree, "checklists/rows.yaml", lambda item: item.update(pages=["docs/gone.md"])),
    ),
    "verdict that does not follow": ("T19", lambda tree: passed(tree, actual=[BAD_ACTUAL])),
    "nothing expected": ("T19", lambda tree: passed(tree, expected="")),
    "nobody ran it": ("T19", lambda tree: _head(tree, tester="")),
    "no processor": ("T19", lambda tree: _head(tree, processor="")),
    "dirty source": ("T19", lambda tree: _head(tree, dirty=True)),
    "listed platform without tests": (
        "T20",
        lambda tree: tree.item("acceptance/platform.yaml", lambda item: item["python"].append("3.99")),
    ),
    "label that the instructions lack": ("T21", lambda tree: tree.write("docs/regulatory/ifu.md", "# Instructions\n")),
    "acceptance object edited": (
        "T22",
        lambda tree: tree.item("acceptance/object.yaml", lambda item: item.update(criterion=">= 0.1")),
    ),
    "acceptance object edited after the set was opened": ("T22", lambda tree: accepted(tree, sha256="0" * 64)),
    "too few cases that passed": ("T22", lambda tree: accepted(tree, n=9)),
    "acceptance that is no number": ("T22", lambda tree: accepted(tree, value=float("nan"))),
    "acceptance missed and called met": ("T22", lambda tree: accepted(tree, value=0.4)),
    "design with code that is gone": (
        "T23",
        lambda tree: _changed_after(tree, "requirements/design.yaml", lambda item: item.update(code=["part:Gone"])),
    ),
    "code without a design": (
        "T23",
        lambda tree: (tree.write("radiomicnet_md/stray.py", "x = 1\n"), _settle(tree)),
    ),
    "test skipped": ("T24", lambda tree: tree.outcomes((NODEID, "skipped", "later"))),
    "test expected to fail": ("T24", lambda tree: tree.outcomes((NODEID, "xfailed", "some day"))),
    "SOUP.md changed": ("T25", lambda tree: tree.write("SOUP.md", "all is well\n")),
    "SOUP.md missing": ("T25", lambda tree: (tree.root / "SOUP.md").unlink()),
    "hazards' page changed": ("T25", lambda tree: tree.write("docs/regulatory/hazard_analysis.md", "none\n")),
    "the other tool misses a requirement": ("T26", lobster),
    "the other tool has one more": ("T26", lambda tree: lobster(tree, "SRS-ABC-001", "SRS-ABC-002")),
    "reviewed by its author": (
        "T27",
        lambda tree: (_changed_after(tree, SOFTWARE, lambda item: item.update(author="reviewer")), review(tree)),
    ),
    "reviewed with an expired key": ("T28", lambda tree: review(tree, signer={"valid_to": "2026-02-01"})),
    "reviewed with a revoked key": ("T28", lambda tree: review(tree, signer={"revoked": "2026-11-01"})),
    "reviewed by nobody known": ("T28", lambda tree: review(tree, by="stranger")),
    "review with another's signature": (
        "T28",
        lambda tree: review(tree, signer={"key": b64encode(sign.from_seed(bytes(31) + b"1").public.raw)}),
    ),
}
