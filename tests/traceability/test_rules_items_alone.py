# SPDX-License-Identifier: Apache-2.0
"""The rules of items and risks on graphs made by hand: each place that breaks one is named, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from radiomicnet_md_audit import sign
from radiomicnet_md_audit.encoding import b64encode
from radiomicnet_md_traceability import mutants, stamp
from radiomicnet_md_traceability import reviews as signed
from radiomicnet_md_traceability import rules_items as rules
from radiomicnet_md_traceability import rules_risk as risk
from radiomicnet_md_traceability.environment import CODE
from radiomicnet_md_traceability.load import Fault
from radiomicnet_md_traceability.results import Outcome
from radiomicnet_md_traceability.reviews import Reviews
from tests.traceability.graphs import bound, item, made, places

pytestmark = pytest.mark.verifies("SRS-TRC-001", "SRS-TRC-002")

SHALL = "It shall hold."
UNIT = {"method": "test", "level": "unit"}


def test_faults_of_reading_are_told_by_their_kind() -> None:
    faults = [Fault("schema", "a.yaml", "is no item"), Fault("duplicate", "b.yaml", "already used")]
    graph = made(faults=faults)
    assert list(rules.schema(graph)) == [("a.yaml", "is no item")]
    assert list(rules.duplicate(graph)) == [("b.yaml", "already used")]


def test_links_and_marks_end_at_items_of_the_right_kind() -> None:
    items = [
        item("SRS-A-1", parents=["SYS-A-1", "SYS-A-9"], risk_controls=["RC-1"]),
        item("SYS-A-1", parents=[]),
        item("RC-1", implements=["SRS-A-1"]),
        item("DEV-1", tests=["test_it.py::a", "test_it.py::gone"]),
        item("HAZ-1", tests=["test_it.py::gone"]),
    ]
    tests = [
        bound("a", "SRS-A-1", controls=("RC-1",)),
        bound("b", "SYS-A-1", "SRS-A-8", "SRS-A-1", controls=("RC-2", "SRS-A-1", "RC-1")),
    ]
    found = list(rules.dangling(made(items, tests)))
    assert places(found) == ["SRS-A-1", *["test_it.py::b"] * 4, "DEV-1"]
    assert [text.split()[:2] for _, text in found] == [
        ["parents", "names"],
        ["verifies", "SRS-A-8,"],
        ["verifies", "SYS-A-1,"],
        ["attacks", "RC-2,"],
        ["attacks", "SRS-A-1,"],
        ["names", "test_it.py::gone,"],
    ]
    assert "SYS-A-9" in found[0][1]


def test_what_stands_alone_is_named() -> None:
    items = [
        item("UN-A-1"),
        item("UN-A-2"),
        item("SYS-A-1", parents=["UN-A-1"]),
        item("SYS-A-2"),
        item("SRS-A-1", parents=["SYS-A-1"]),
        item("SRS-A-2", parents=[]),
        item("RC-1"),
    ]
    graph = made(items, [bound("a"), bound("b", "SRS-A-1")])
    assert places(rules.orphan(graph)) == ["SYS-A-2", "SRS-A-2", "test_it.py::a"]
    assert places(rules.childless(graph)) == ["UN-A-2", "SYS-A-2"]
    grandchild = made([item("UN-A-1"), item("SRS-A-1", parents=["UN-A-1"])])
    assert places(rules.childless(grandchild)) == []


def test_a_requirement_needs_a_test_at_its_level() -> None:
    items = [item(f"SRS-A-{number}", verification=UNIT) for number in range(1, 6)]
    tests = [
        bound("a", "SRS-A-1"),
        bound("b", "SRS-A-2", level="unit"),
        bound("c", "SRS-A-3", level="system"),
        bound("d", "SRS-A-4", level="system"),
        bound("e", "SRS-A-4", level="unit"),
    ]
    found = list(rules.untested(made(items, tests)))
    assert places(found) == ["SRS-A-3", "SRS-A-5"]
    assert ["level" in text for _, text in found] == [True, False]
    bare = made([item("SRS-A-1")], [bound("a", "SRS-A-1", level="unit")])
    assert places(rules.untested(bare)) == ["SRS-A-1"], "a level that nobody asked for is none"


def entry(parent: str, child: str, **more: str) -> dict[str, str]:
    items = {one.id: stamp.of(one) for one in REVIEWED}
    stamps = {"parent_stamp": items.get(parent, "0"), "child_stamp": items.get(child, "0")}
    return {"parent": parent, "child": child, **stamps, "by": "eve", "utc": "2026-11-20T08:00:00Z", **more}


REVIEWED = [item("SYS-A-1", text=SHALL, author="adam"), item("SRS-A-1", text=SHALL, author="eve")]


def test_a_review_lapses_with_either_end() -> None:
    entries = (
        entry("SYS-A-1", "SRS-A-1", by="third"),
        entry("SYS-A-1", "SRS-A-1", parent_stamp="1"),
        entry("SYS-A-1", "SRS-A-1", child_stamp="1"),
        entry("SYS-A-1", "SRS-A-9"),
    )
    found = list(rules.suspect(made(REVIEWED, reviews=Reviews(entries, {}))))
    assert places(found) == ["SYS-A-1 - SRS-A-1", "SYS-A-1 - SRS-A-1", "SYS-A-1 - SRS-A-9"]
    assert [text.split()[0] for _, text in found] == ["SYS-A-1", "SRS-A-1", "SRS-A-9"]


def test_nobody_reviews_their_own_words() -> None:
    entries = (
        entry("SYS-A-1", "SRS-A-1"),
        entry("SYS-A-1", "SRS-A-1", by="third"),
        entry("SYS-A-1", "SRS-A-9", by="adam"),
    )
    found = list(rules.self_approved(made(REVIEWED, reviews=Reviews(entries, {}))))
    assert places(found) == ["SYS-A-1 - SRS-A-1", "SYS-A-1 - SRS-A-9"]
    assert ["SRS-A-1" in found[0][1], "SYS-A-1" in found[1][1]] == [True, True]


@pytest.mark.parametrize(
    ("signer", "more", "broken"),
    [
        ({}, {}, False),
        ({"valid_from": "2026-11-20", "valid_to": "2026-11-20"}, {}, False),
        ({"valid_from": "2026-11-21"}, {}, True),
        ({"valid_to": "2026-11-19"}, {}, True),
        ({"revoked": "2026-11-20"}, {}, True),
        ({"revoked": "2026-11-21"}, {}, False),
        ({}, {"by": "nobody"}, True),
        ({}, {"sig": ""}, True),
        ({}, {"utc": "2026-11-20T09:00:00Z"}, True),
    ],
)
def test_a_review_is_signed_with_a_key_that_was_valid(
    signer: dict[str, str], more: dict[str, str], *, broken: bool
) -> None:
    key = sign.from_seed(bytes(32))
    known = {"key": b64encode(key.public.raw), "valid_from": "2026-01-01", "valid_to": "2026-12-31", **signer}
    one = entry("SYS-A-1", "SRS-A-1")
    one["sig"] = b64encode(key.sign(signed.message(one)))
    graph = made(REVIEWED, reviews=Reviews(({**one, **more},), {"eve": known}))
    assert places(rules.unsigned(graph)) == ["SYS-A-1 - SRS-A-1"] * broken


def test_a_requirement_has_one_shall_and_no_vague_word() -> None:
    items = [
        item("SRS-A-1", text=SHALL, measure="It is 3."),
        item("SRS-A-2", text="It shall and shall."),
        item("SRS-A-3", text="It does."),
        item("SRS-A-4", text="It shall be FAST.", measure="It is easy and quick."),
        item("SYS-A-1", text="It shall be shallow."),
        item("SYS-A-2"),
        item("UN-A-1", text="Several, if possible."),
    ]
    found = list(rules.wording(made(items)))
    assert places(found) == ["SYS-A-2", "SRS-A-2", "SRS-A-3", *["SRS-A-4"] * 3]
    assert [text for _, text in found][1:3] == ['the text has "shall" 2 times', 'the text has "shall" 0 times']
    assert [word for _, text in found[3:] for word in ("FAST", "easy", "quick") if f'"{word}"' in text] == [
        "FAST",
        "easy",
        "quick",
    ]


def test_a_clause_has_evidence_or_somebody_who_supplies_it(tmp_path: Path) -> None:
    (tmp_path / "page.md").touch()
    items = [
        item("CHK-1"),
        item("CHK-2", evidence=["SRS-A-1"]),
        item("CHK-3", pages=["page.md", "gone.md"]),
        item("CHK-4", manufacturer="An address."),
        item("CHK-5", not_applicable="There is no needle."),
        item("CHK-6", evidence=[], pages=[], manufacturer=""),
    ]
    found = list(rules.clause(made(items, root=tmp_path)))
    assert places(found) == ["CHK-1", "CHK-3", "CHK-6"]
    assert "gone.md" in found[1][1]


def test_the_instructions_say_what_labelling_demands_and_define_their_measures(tmp_path: Path) -> None:
    items = [item("LBL-1", phrases=["not a  cleared", "a cleared device", "use it well"])]
    assert places(rules.labelling(made(items, root=tmp_path))) == ["LBL-1"] * 3
    page = tmp_path / "docs" / "regulatory" / "ifu.md"
    page.parent.mkdir(parents=True)
    page.write_text(
        "Not a cleared\ndevice. Use: {{name}}, TODO, {{name}}. **Dice** is dice; HD95, AUC and hd95 too; **auc**\n"
    )
    found = list(rules.labelling(made(items, root=tmp_path)))
    ifu = "docs/regulatory/ifu.md"
    assert places(found) == ["LBL-1", "LBL-1", ifu, ifu, ifu]
    assert [text.split('"')[1] for _, text in found] == ["not a  cleared", "use it well", "TODO", "{{name}}", "hd95"]


def test_code_and_designs_name_each_other(tmp_path: Path) -> None:
    for name in ("__init__", "one", "two", "other"):
        file = tmp_path / CODE[0] / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("def door(): pass\n")
    for name in ("__init__", "deep"):
        file = tmp_path / CODE[1] / "room" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    one, room = CODE[0], f"{Path(CODE[1]).name}.room"
    items = [
        item("SDS-1", modules=[f"{one}.one", room], code=[f"{one}.one:door", f"{one}.one:gone"]),
        item("SDS-2", modules=[f"{one}.tw"], code=[f"{one}.nowhere:door"]),
    ]
    assert places(rules.design(made(items, root=tmp_path))) == ["SDS-1", "SDS-2", f"{one}.other", f"{one}.two"]
    more = [*items, item("SDS-3", modules=[f"{one}.two", f"{one}.other"])]
    assert places(rules.design(made(more, root=tmp_path))) == ["SDS-1", "SDS-2"]


# ------------------------------------------------------------------------------------------ risks


def test_a_hazard_has_a_control_and_a_rating() -> None:
    items = [
        item("HAZ-1", controls=["RC-1"], residual={}),
        item("HAZ-2", residual={}),
        item("HAZ-3", controls=["RC-1"]),
    ]
    found = list(risk.uncontrolled(made(items)))
    assert places(found) == ["HAZ-2", "HAZ-3"]
    assert ["control" in text for _, text in found] == [True, False]


def control(id_: str = "RC-1", **more: object) -> object:
    breaks = [{"way": "absent", "symbol": "part:door", "return": "None"}]
    return item(id_, **{"implements": ["SRS-A-1"], "code": ["part:door"], "breaks": breaks, **more})


def test_a_control_is_carried_out_and_linked_on_both_sides(tmp_path: Path) -> None:
    (tmp_path / "part.py").write_text("def door(): pass\n")
    srs = item("SRS-A-1", risk_controls=["RC-1"])
    tests = [bound("a", "SRS-A-1")]

    def found(*items: object) -> list[tuple[str, str]]:
        return list(risk.hollow(made(items, tests, root=tmp_path)))  # type: ignore[arg-type]

    used = item("HAZ-1", controls=["RC-1"])
    assert found(control(), srs, used) == []
    assert [text for _, text in found(control(), srs)] == ["no hazard is controlled by it"]
    assert [text.split()[0] for _, text in found(control(code=[]), srs, used)] == ["names"]
    gone = {"code": ["part:gone"], "breaks": [{"way": "absent", "symbol": "part:lost", "return": "None"}]}
    assert [text.split()[1:3] for _, text in found(control(**gone), srs, used)] == [
        ["part:gone,", "which"],
        ["broken", "in"],
    ]
    alone = found(control(implements=[]), item("SRS-A-1"), used)
    assert [text.split()[0] for _, text in alone] == ["implements", "no"]
    untested = found(control(implements=["SRS-A-2"]), item("SRS-A-2", risk_controls=["RC-1"]), used)
    assert [text.split()[:2] for _, text in untested] == [["no", "test"]]
    for one in (item("SRS-A-1"), item("SRS-A-2", risk_controls=["RC-1"])):
        both = found(control(), *{one.id: one, **({srs.id: srs} if one.id != srs.id else {})}.values(), used)
        assert [text.split()[0] for _, text in both] == ["the"]
        assert one.id in both[0][1]
    field = found(control(), srs, item("THR-1", hazards=["RC-1"]))
    assert [text.split()[0] for _, text in field] == ["no"], "another field is no use of it"


def test_a_control_is_attacked_by_a_test_of_its_own() -> None:
    srs = item("SRS-A-1", verification=UNIT)
    cases = {
        "no test says that it attacks it": [bound("a", "SRS-A-1")],
        "the tests of its effect are those of its presence": [bound("a", "SRS-A-1", controls=("RC-1",))],
        "no test that attacks it is": [bound("a", "SRS-A-1"), bound("b", "SRS-A-2", controls=("RC-1",))],
        "no test that attacks": [
            bound("a", "SRS-A-1"),
            bound("b", "SRS-A-1", controls=("RC-1",), level="system"),
        ],
        "": [bound("a", "SRS-A-1"), bound("b", "SRS-A-1", controls=("RC-1",), level="unit")],
    }
    silent = [bound("a", "SRS-A-1"), bound("b", "SRS-A-1", controls=("RC-1",))]
    for one in (srs, item("SRS-A-1")):
        assert list(risk.same_tests(made([control(), one], silent))) == []  # type: ignore[list-item]
    for reason, tests in cases.items():
        found = list(risk.same_tests(made([control(), srs, item("SRS-A-2")], tests)))  # type: ignore[list-item]
        assert [text.startswith(reason) for _, text in found] == [True] * bool(reason), reason
    assert list(risk.same_tests(made([control(), srs]))) == [], "T06 and T12 have said that there is no test"  # type: ignore[list-item]
    foreign = made([control(implements=["SRS-A-9"])], [bound("b", "SRS-A-2", controls=("RC-1",))])  # type: ignore[list-item]
    assert places(risk.same_tests(foreign)) == ["RC-1"]


def test_a_deferred_anomaly_has_hazards_and_a_rationale() -> None:
    items = [
        item("ANO-1", decision="defer", rationale="Rare.", hazards=["HAZ-1"]),
        item("ANO-2", decision="defer", rationale="Rare."),
        item("ANO-3", decision="defer", hazards=["HAZ-1"]),
        item("ANO-4", decision="fix"),
    ]
    assert places(risk.unrated(made(items))) == ["ANO-2", "ANO-3"]


def test_fates_of_broken_controls_are_asked_for_where_there_are_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "read", lambda root: {"of": root} if root == Path("broken") else None)
    monkeypatch.setattr(mutants, "faults", lambda graph, one, seen: [f"{one.id} {seen['of']} {graph.root}", "more"])
    items = [control(), item("RC-2"), item("SRS-A-1")]

    def found(root: str, outcomes: dict[str, Outcome] | None) -> list[tuple[str, str]]:
        return list(risk.survived(made(items, outcomes=outcomes, root=Path(root))))  # type: ignore[arg-type]

    first, second = (
        (("RC-1", "RC-1 broken broken"), ("RC-1", "more")),
        (("RC-2", "RC-2 broken broken"), ("RC-2", "more")),
    )
    assert found("broken", {}) == [*first, *second]
    assert found("broken", None) == found("whole", {}) == []
