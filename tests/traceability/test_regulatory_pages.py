# SPDX-License-Identifier: Apache-2.0
"""The regulatory pages: stamped, found from their index, and true where a program can tell."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from radiomicnet_md_traceability import documents, graph, load, models
from radiomicnet_md_validation import performance_recorded

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "regulatory"
PAGES = sorted(FOLDER.rglob("*.md"))
STAMP = ("not clinical evidence", "not a cleared medical device")
SAID = re.compile(r"\d[\d.]* \[\d[^\]]*\]|\d+ of \d+; groups \d+ of \d+")  # a figure with its interval, or a count
VERBS = {  # and whether each has verbs below it
    **dict.fromkeys(("audit", "dicom", "evidence", "keys", "release", "trace", "users"), True),
    **dict.fromkeys(("batch", "demo", "doctor", "init", "monitor", "sbom", "segment", "serve", "sign"), False),
}

pytestmark = pytest.mark.verifies("SRS-TRC-013")


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(FOLDER).as_posix())
def test_each_page_opens_with_the_stamp_and_has_no_open_mark(page: Path) -> None:
    before = text(page).split("\n## ")[0]
    assert re.match(r"(?:<!-- .* -->\n)?# ", before)
    assert [words for words in STAMP if words not in " ".join(before.split())] == []
    assert re.search(r"\b(?:TBD|TODO|FIXME)\b|\{\{|<[A-Z_ ]{3,}>", text(page)) is None


def test_every_page_is_linked_from_the_index() -> None:
    linked = {(FOLDER / name).resolve() for name in re.findall(r"\]\(([^)#]+)", text(FOLDER / "index.md"))}
    assert {page for page in PAGES if page.name != "index.md"} - linked == set()


def verbs() -> list[tuple[str, ...]]:
    """The verbs that the pages type, without options and arguments."""
    start, options = r"(?:radiomicnet-md |`(?!\S*radiomicnet-md))", r"(?:--home \S+ |--json )*"
    typed = re.compile(rf"{start}{options}(\w+)(?: ([a-z]+))?[^`\n]*[`\n]")
    called = {call for page in PAGES for call in typed.findall(text(page)) if call[0] in VERBS}
    return sorted({(verb, *([below] if below and VERBS[verb] else [])) for verb, below in called})


@pytest.mark.parametrize("verb", verbs(), ids=" ".join)
def test_each_verb_that_a_page_types_exists(verb: tuple[str, ...]) -> None:
    words = [sys.executable, "-m", "radiomicnet_md", *verb, "--help"]
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_procedures_type_verbs() -> None:
    assert {("audit", "verify"), ("keys", "revoke"), ("release", "revoke"), ("doctor",), ("init",)} <= set(verbs())


def test_each_figure_of_the_instructions_is_a_recorded_one() -> None:
    results = text(ROOT / "docs" / "reference" / "results.md")
    device = [line for line in results.splitlines() if line.startswith("| **the device**, release 0.3.0")]
    shipped = [line for line in results.splitlines() if line.startswith("| `locked` | **region layer, named values")]
    signed = performance_recorded.read(ROOT / performance_recorded.RECORD)["figures"]
    told = [[f"{float(one[name]):.3f}" for name in ("point", "low", "high")] for one in signed if one["low"]]
    closed = [f"{point} [{low}, {high}]" for point, low, high in told]
    recorded = "\n".join((*device, *shipped, *closed))
    figures = SAID.findall(text(FOLDER / "ifu.md"))
    assert len(figures) >= 8
    assert [figure for figure in figures if figure not in recorded] == []


def test_the_instructions_explain_each_refusal_of_the_gate() -> None:
    source = "".join(text(file) for file in (ROOT / "radiomicnet_md" / "engine").glob("*.py"))
    codes = set(re.findall(r'"(E-GATE-[A-Z0-9-]+)"', source))
    assert len(codes) >= 15
    assert {code for code in codes if f"`{code}`" not in text(FOLDER / "ifu.md")} == set()


def test_the_instructions_name_the_newest_release_and_every_anomaly() -> None:
    newest = json.loads(text(models.releases(ROOT)[0] / "model_card.json"))
    assert f"release {newest['name']} {newest['version']}" in " ".join(text(FOLDER / "ifu.md").split())
    anomalies = load.load(ROOT / "traceability").of("anomaly")
    assert [item.id for item in anomalies if item.id not in text(FOLDER / "ifu.md")] == []


def test_the_model_card_holds_what_the_release_says() -> None:
    (folder, *_) = models.releases(ROOT)
    seen = json.loads(text(folder / "model_card.json"))
    page = documents.pages(graph.build(ROOT, structure=True))["docs/regulatory/model/model_card.md"]
    assert all(f"- {line}" in page for line in (*seen["must_not_be_used_for"], *seen["not_done"]))
    assert f"{seen['validation']['lesion_mean_dice']:.3f} [" in page
    assert f"| {seen['validation']['lesion_images']} |" in page


def test_card_and_sheet_say_what_was_learned_after_the_release_was_signed(tmp_path: Path) -> None:
    """The words of 0.3.0 are older than the opening of the test split: alone they would mislead."""
    (folder, *_) = models.releases(ROOT)
    for page in (models.card, models.sheet):
        lines = "\n".join(page(ROOT))
        assert "the test split has not been opened" in lines
        assert "Learned after it was signed.** The test split was opened, once, by record: FAIL" in lines
        assert "- Missed lesions: 0.103, bound 0.161 (demanded <= 0.10), n = 117: FAIL" in lines
    other = tmp_path / models.RELEASES / folder.name
    shutil.copytree(folder, other)
    (other / "manifest.json").write_bytes(b"{}")
    (tmp_path / models.PERFORMANCE).parent.mkdir(parents=True)
    shutil.copy(ROOT / models.PERFORMANCE, tmp_path / models.PERFORMANCE)
    assert "Learned after" not in "\n".join(models.card(tmp_path))  # measured with another release


def test_releases_come_newest_first_by_number_and_none_is_no_fault(tmp_path: Path) -> None:
    assert list(models.sheet(tmp_path))[:-1] == []
    for version in ("0.9.0", "0.10.0", "0.2.1"):
        folder = tmp_path / models.RELEASES / version
        folder.mkdir(parents=True)
        (folder / "model_card.json").write_text("{}", encoding="utf-8")
    assert [folder.name for folder in models.releases(tmp_path)] == ["0.10.0", "0.9.0", "0.2.1"]
