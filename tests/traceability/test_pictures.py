# SPDX-License-Identifier: Apache-2.0
"""The pictures of the architecture show what source, contracts and threats say, and change when these do."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from radiomicnet_md_traceability import boundary, contents, documents, drawing, floors, graph, load, walk
from radiomicnet_md_traceability.load import Item

pytestmark = pytest.mark.verifies("SRS-DOC-005")

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("data-walk", "floor-plan", "trust-boundary")
OTHERS = ("audit", "traceability", "training", "validation")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def seen() -> graph.Graph:
    return graph.build(ROOT, structure=True)


@pytest.fixture(scope="module")
def drawn(seen: graph.Graph) -> dict[str, str]:
    pages = documents.pages(seen)
    return {name: pages[f"{documents.PICTURES}/{name}.svg"] for name in NAMES}


def test_each_picture_is_the_one_in_the_checkout_and_in_the_bundle(seen: graph.Graph, drawn: dict[str, str]) -> None:
    files, _ = contents.of(seen)
    for name in NAMES:
        assert (ROOT / documents.PICTURES / f"{name}.svg").read_text(encoding="utf-8") == drawn[name]
        assert files[f"04_architecture/{name}.svg"].decode("utf-8") == drawn[name]


@pytest.mark.parametrize("name", NAMES)
def test_words_can_be_read_and_stay_inside_and_nothing_is_loaded(drawn: dict[str, str], name: str) -> None:
    picture = ET.fromstring(drawn[name])  # noqa: S314 - our own bytes
    texts = list(picture.iter(f"{SVG}text"))
    assert len(texts) > 15
    for text in texts:
        size, x = int(text.attrib["font-size"]), int(text.attrib["x"])
        long = drawing.wide(text.text or "", size)
        left = x - {"start": 0, "middle": long // 2, "end": long}[text.attrib["text-anchor"]]
        assert size >= 11
        assert left >= 0
        assert left + long <= int(picture.attrib["width"]) + 4, text.text
        assert 0 < int(text.attrib["y"]) <= int(picture.attrib["height"])
    assert re.search(r"href|<script|<style|<image", drawn[name]) is None


def test_every_threat_stands_on_its_flow_and_every_end_has_a_place(drawn: dict[str, str]) -> None:
    threats = load.load(ROOT / "traceability").of("threat")
    flows = boundary.flows(threats)
    assert {end for flow in flows for end in flow} <= boundary.PLACES.keys()
    assert ("scheduler", "worker") in flows
    assert {item.id for item in threats} == set(re.findall(r"THR-\d+", drawn["trust-boundary"]))


def test_an_end_that_nobody_placed_stands_outside(drawn: dict[str, str]) -> None:
    threats = load.load(ROOT / "traceability").of("threat")
    stranger = Item("THR-999", "threat", {"flow": "robot to engine"}, "threats.yaml")
    new = boundary.draw([*threats, stranger])
    assert ">robot<" in new
    assert new.count('stroke="#a40e26"') == drawn["trust-boundary"].count('stroke="#a40e26"') + 1


def test_no_room_enters_one_above_it_and_every_module_is_in_a_room() -> None:
    *plan, beside = floors.plan(ROOT)
    order = [[room.name for room in floor] for floor in plan]
    for at, floor in enumerate(plan):
        above = {name for names in order[: at + 1] for name in names}
        assert [(room.name, set(room.enters) & above) for room in floor if set(room.enters) & above] == []
    rooms = [room for floor in plan for room in floor] + beside
    folders = ("radiomicnet_md", *(f"{name}/radiomicnet_md_{name}" for name in OTHERS))
    modules = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    assert sum(room.modules for room in rooms) == len(modules) - 1  # the device's own first line is no room
    engine = next(room for room in rooms if room.name == "engine")
    assert {"radiomics", "model"} <= set(engine.enters)
    assert "torch" in engine.libraries


def desk(tmp_path: Path, old: str, new: str) -> Path:
    """A checkout whose desk is changed."""
    for folder in ("radiomicnet_md", "audit"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("releases", "__pycache__"))
    file = tmp_path / walk.DESK
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")
    return tmp_path


def test_the_walk_goes_the_desks_way(tmp_path: Path) -> None:
    calls = [f"{step.room}.{step.call}" for step in walk.steps(ROOT)]
    way = ["shelf.stage", "io.read", "engine.admit", "engine.decide", "engine.screen", "engine.describe", "log.append"]
    places = [calls.index(call) for call in [*way, "shelf.publish", "delivery.deliver"]]
    assert places == sorted(places)
    assert [step.conditional for step in walk.steps(ROOT) if step.call == "withdraw"] == [True]
    assert "sha256" not in {step.call for step in walk.steps(ROOT)}  # a way of failure
    root = desk(tmp_path, "    staged.publish()\n    return attempt", "    return attempt")
    assert "shelf.publish" not in {f"{step.room}.{step.call}" for step in walk.steps(root)}
