# SPDX-License-Identifier: Apache-2.0
"""An unpacked bundle as a reader has it: links that lead somewhere, states that are so, nothing from elsewhere."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from radiomicnet_md_audit import sign
from radiomicnet_md_traceability import contents, cover, evidence, gaps, graph, verify

if TYPE_CHECKING:
    from tests.traceability.conftest import Tree

pytestmark = pytest.mark.verifies("SRS-TRC-015")

ROOT = Path(__file__).resolve().parents[2]
INDEX = "00_index/INDEX.html"


def unpacked(seen: graph.Graph) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(evidence.build(seen, sign.from_seed(bytes(32))))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def project() -> dict[str, bytes]:
    """The bundle of this project, over results of no test."""
    structure = graph.build(ROOT, structure=True)
    files, copied = contents.of(structure)
    files |= {"00_index/GAPS.md": b"# Gaps\n", "00_index/VERIFY.md": b"# Verify\n", "08_trace/gate_report.json": b"{}"}
    files |= cover.pages(files, copied)
    missing = (*gaps.of_items(structure), *gaps.of_state(structure))
    return files | {INDEX: cover.index("never", {"gaps": len(missing)}, files, missing, {})}


def test_every_link_of_every_page_leads_to_a_file_of_the_bundle(project: dict[str, bytes]) -> None:
    lost = []
    for name, content in project.items():
        if not name.endswith(".html"):
            continue
        for target in re.findall(r'(?:href|src)="([^"]*)"', content.decode("utf-8")):
            place, _, part = target.partition("#")
            found = posixpath.normpath(posixpath.join(posixpath.dirname(name), place)) if place else name
            if not target.startswith("https://") and (
                found not in project or (part and f'id="{part}"' not in project[found].decode("utf-8"))
            ):
                lost.append((name, target))
    assert lost == []


def test_no_page_loads_anything_from_elsewhere_or_runs_a_script(project: dict[str, bytes]) -> None:
    for name, content in project.items():
        if name.endswith(".html"):
            text = content.decode("utf-8")
            assert re.search(r'<script|<link|<iframe|@import|url\(|src="http|\son\w+=', text) is None, name


def test_each_section_has_its_words_and_files_and_every_page_its_html(project: dict[str, bytes]) -> None:
    text = project[INDEX].decode("utf-8")
    assert tuple(cover.SECTIONS) == verify.FOLDERS
    for folder, words in cover.SECTIONS.items():
        assert any(name.startswith(f"{folder}/") for name in project), folder
        assert folder == "00_index" or f"</b> {words}</td>" in text
    assert {cover.as_html(name) for name in project if name.endswith(".md")} <= project.keys()
    assert ">Instructions for use</a>" in text


def test_every_regulatory_page_is_in_the_bundle(project: dict[str, bytes]) -> None:
    _, copied = contents.of(graph.build(ROOT, structure=True))
    pages = {file.relative_to(ROOT).as_posix() for file in (ROOT / "docs" / "regulatory").rglob("*.md")}
    assert pages - set(copied.values()) == {"docs/regulatory/gaps.md"}  # the bundle makes its own, of its own state


def states(files: dict[str, bytes]) -> dict[str, str]:
    rows = re.findall(r'<tr id="(\w+)"><td>.*?</td><td>(.*?)</td>', files[INDEX].decode("utf-8"))
    return {folder: re.sub(r"<[^>]*>", "", state) for folder, state in rows}


def test_a_section_is_complete_only_without_gap_and_finding(tree: Tree) -> None:
    found = states(unpacked(graph.build(tree.root)))
    assert found["02_risk"] == "1 gap GAP-MUTATION"
    assert (found["03_srs"], found["08_trace"]) == ("complete", "1 gap GAP-REVIEW")
    tree.results([tree.line(), tree.line("tests/test_attack.py::test_breaks", "failed", "assert 0")])
    found = states(unpacked(graph.build(tree.root)))
    assert found["03_srs"] == "requirements: 1 FAIL"
    assert found["08_trace"].startswith("1 findings of the gate")


def test_a_page_that_is_missing_leaves_a_word(tree: Tree) -> None:
    files = unpacked(graph.build(tree.root))
    assert b"docs/reference/part-11.md" in files["14_part11/README.html"]


def test_gaps_stand_where_they_are_felt() -> None:
    felt = {gap: cover.section_of(gap) for gap in ("CHK-PEOPLE-QMS", "CHK-GSPR-1", "CHK-GSPR-23.1", "AC-DSC-01")}
    assert felt == {
        "CHK-PEOPLE-QMS": "06_lifecycle",
        "CHK-GSPR-1": "17_checklists",
        "CHK-GSPR-23.1": "16_labelling",
        "AC-DSC-01": "13_performance",
    }
