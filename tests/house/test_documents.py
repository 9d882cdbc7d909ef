# SPDX-License-Identifier: Apache-2.0
"""What the documents say is so: commands exist, codes are the code's, ids have items, links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from radiomicnet_md_audit.errors import ExitCode
from radiomicnet_md_traceability import load

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "audit").glob("*.md")])
NOT_CLEARED = re.compile(r"(?:not a|no) cleared (?:medical )?device")
ONE_SCREEN = 60  # lines


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def device(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "radiomicnet_md", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


def readme_verbs() -> list[tuple[str, ...]]:
    """The verbs that the README gives to radiomicnet-md, without options and arguments."""
    found = set()
    for call in re.findall(r"radiomicnet-md ((?:--home \S+ )?[a-z][^`\n]*)", text("README.md")):
        words = re.sub(r"--home \S+ ", "", call).split()
        verb = [words[0]]
        if words[0] in {"audit", "release", "trace"}:
            verb.append(words[1])
        found.add(tuple(verb))
    return sorted(found)


@pytest.mark.verifies("SRS-DOC-001")
def test_the_readme_fits_on_one_screen_and_names_targets_that_exist() -> None:
    readme, makefile = text("README.md"), text("Makefile")
    assert len(readme.splitlines()) <= ONE_SCREEN
    targets = set(re.findall(r"\bmake (\w+)", readme))
    assert {"demo", "test"} <= targets
    assert targets <= set(re.findall(r"^(\w+):", makefile, re.MULTILINE))


@pytest.mark.verifies("SRS-DOC-001")
@pytest.mark.parametrize("verb", readme_verbs(), ids=" ".join)
def test_each_verb_of_the_readme_exists(verb: tuple[str, ...]) -> None:
    run = device(*verb, "--help")
    assert run.returncode == 0, run.stderr
    assert "usage" in run.stdout.lower()


@pytest.mark.verifies("SRS-DOC-002")
def test_whoever_reads_is_told_what_this_is_not() -> None:
    # Line breaks of a page or a terminal may fall inside the phrase.
    places = {
        "README": text("README.md"),
        "help": device("--help").stdout,
        "report": text("radiomicnet_md/review/report.py") + text("radiomicnet_md/review/style.py"),
        "notice": text("NOTICE"),
    }
    cards = sorted((ROOT / "radiomicnet_md" / "releases").glob("*/model_card.json"))
    assert cards
    places |= {f"model card {card.parent.name}": card.read_text(encoding="utf-8") for card in cards}
    assert [name for name, page in places.items() if not NOT_CLEARED.search(" ".join(page.lower().split()))] == []


@pytest.mark.verifies("SRS-CLI-001")
def test_the_page_of_exit_codes_is_the_table_of_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", text("docs/reference/exit-codes.md"), re.MULTILINE)
    assert [(int(code), name) for code, name in rows] == [(code.value, code.name) for code in ExitCode]


@pytest.mark.verifies("SRS-CLI-005")
def test_the_page_of_settings_names_each_setting() -> None:
    from radiomicnet_md.config import Settings

    rows = re.findall(r"^\| `(\w+)` \|", text("docs/reference/configuration.md"), re.MULTILINE)
    assert {row for row in rows if row.islower()} == set(Settings.model_fields)


@pytest.mark.verifies("SRS-TRC-004")
def test_the_changelog_names_existing_requirements_and_the_version() -> None:
    changelog = text("CHANGELOG.md")
    named = set(re.findall(r"SRS-[A-Z]{3}-\d{3}", changelog))
    assert named
    assert named <= load.requirement_ids(ROOT / "traceability")
    version = re.search(r'^version = "(.+)"$', text("pyproject.toml"), re.MULTILINE)
    assert version is not None
    assert f"## [{version.group(1)}]" in changelog


@pytest.mark.verifies("SRS-TRC-004")
def test_decisions_are_numbered_dated_and_a_page_at_most() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [record.name[:4] for record in records] == [f"{number:04}" for number in range(1, len(records) + 1)]
    for record in records:
        page = record.read_text(encoding="utf-8")
        assert len(page.splitlines()) <= ONE_SCREEN, record.name
        assert re.search(r"^Status: (accepted|superseded by \d{4}), \d{4}-\d{2}-\d{2}$", page, re.MULTILINE), (
            record.name
        )
        for part in ("Context", "Decision", "Consequences"):
            assert f"\n## {part}\n" in page, record.name


@pytest.mark.verifies("SRS-TRC-004")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    local = [link for link in links if not link.startswith(("http://", "https://"))]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.verifies("SRS-TRC-004")
def test_the_checks_of_every_change_require_each_part_that_a_test_may_ask_for() -> None:
    named = re.search(r"RADIOMICNET_MD_REQUIRE=(\S+)", text(".ci/run"))
    assert named is not None
    parts = set(re.findall(r'^    "([a-z0-9-]+)": lambda', text("tests/conftest.py"), re.MULTILINE))
    assert set(named.group(1).split(",")) == parts - {"data", "gpu", "unshare"}
    assert f"`{','.join(sorted(parts))}`" in text("docs/reference/configuration.md")
