# SPDX-License-Identifier: Apache-2.0
"""The page stands alone, lets no markup in, and says what it is not."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from radiomicnet_md.decision import Decision
from radiomicnet_md.review import pictures, report
from radiomicnet_md_audit.esignature import Signature, Signed
from tests.review.conftest import Pages

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=y>&amp; \x1b[2J"
VOID = {"meta", "img"}
SIGNED = Signature(
    "3" * 26,
    Signed("4" * 26, 7, "5" * 64),
    "rita",
    HOSTILE,
    ("reviewer",),
    "6" * 64,
    "override",
    HOSTILE,
    "2026-11-27T09:08:07.000000Z",
    (("overlay.png", "7" * 64),),
)


class Outline(HTMLParser):
    """Collects tags, attributes and visible text, and checks that every element is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def story(pages: Pages, found: Decision, rejected: Decision) -> report.Story:
    """A run with two decided cases and a refused one, full of hostile text."""
    shown = report.Picture(pictures.overlay(found.levels, found.mask), HOSTILE, HOSTILE)
    return report.Story(
        release={"id": HOSTILE, "version": "0.1.0", "manifest_sha256": "ab" * 32},
        version="0.1.0",
        time_utc="2026-11-23T09:00:00Z",
        cases=[
            report.ShownCase(
                HOSTILE, HOSTILE, pages.result(found), pages.proof, 0.873, HOSTILE, [shown, shown], [SIGNED]
            ),
            report.ShownCase("normal", "public", pages.result(rejected), pages.proof, 1.0, "both empty", [shown]),
            report.ShownCase("echo", "wheel", pages.refused(HOSTILE, HOSTILE), pages.proof),
        ],
        log=[report.Finding("internally consistent", holds=True, text=HOSTILE)],
        offline=[report.Finding("export complete", holds=True, text="every file")],
        offline_command=f"python {HOSTILE}",
        replay=report.Finding("IDENTICAL", holds=True, text="every stage"),
        commands=[report.Command(HOSTILE, HOSTILE, HOSTILE)],
    )


@pytest.mark.verifies("SRS-OUT-004")
def test_the_page_is_well_formed_and_hostile_text_stays_text(story: report.Story) -> None:
    outline = Outline(report.page(story))
    assert not {"script", "iframe", "object", "link", "form", "base"} & set(outline.tags)
    assert not [name for _, name, _ in outline.attributes if name.startswith("on") or name == "style"]
    assert "<script>alert(1)</script>" in outline.words
    assert "\x1b" not in outline.words


@pytest.mark.verifies("SRS-SIG-008")
def test_a_signature_is_printed_with_name_time_and_meaning(story: report.Story) -> None:
    words = Outline(report.page(story)).words
    assert f"override: {HOSTILE.replace(chr(27), '?')} (rita), 2026-11-27 09:08:07 UTC, because: " in words
    assert words.count("Signature") == 1


@pytest.mark.verifies("SRS-OUT-004")
def test_nothing_is_fetched_from_anywhere(story: report.Story) -> None:
    page = report.page(story)
    for _, name, value in Outline(page).attributes:
        if name in {"src", "href"}:
            assert value.startswith(("data:image/png;base64,", "#case-"))
    assert not re.search(r"url\(|@import|https?://", page)


@pytest.mark.verifies("SRS-OUT-004")
def test_the_pages_policy_allows_its_own_style_and_pictures_alone(story: report.Story) -> None:
    page = report.page(story)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    pin = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = next(value for tag, name, value in Outline(page).attributes if tag == "meta" and "default-src" in value)
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert f"style-src 'sha256-{pin}'" in policy
    assert "unsafe" not in policy


@pytest.mark.verifies("SRS-OUT-004")
def test_pictures_have_words_and_tables_have_headings(story: report.Story) -> None:
    outline = Outline(report.page(story))
    assert outline.tags.count("img") == 3
    assert len([1 for tag, name, value in outline.attributes if tag == "img" and name == "alt" and value]) == 3
    assert outline.tags.count("h1") == 1
    assert outline.tags.count("caption") == outline.tags.count("table")


@pytest.mark.verifies("SRS-DOC-002")
def test_the_first_words_say_what_it_is_not(story: report.Story) -> None:
    page = report.page(story)
    words = Outline(page[page.index("<body>") :].removesuffix("</html>\n").rstrip()).words.split()
    assert " ".join(words).startswith("Unqualified demonstration. Not a cleared medical device.")
    assert "not clinical evidence" in " ".join(words[:30])


@pytest.mark.verifies("SRS-LOG-006")
def test_a_claim_that_fails_is_said_at_the_top_and_in_its_row(story: report.Story) -> None:
    assert "<b>yes</b> all verified" in report.page(story)
    failing = replace(story, log=[report.Finding("anchored", holds=False, text="the anchor names another root")])
    page = report.page(failing)
    assert "<b>NO</b> all verified" in page
    assert "FAILS" in page


@pytest.mark.verifies("SRS-REC-004", "SRS-REC-005")
def test_each_case_shows_state_stamps_and_record(story: report.Story, pages: Pages) -> None:
    words = Outline(report.page(story)).words
    assert words.count("unqualified demonstration · untrusted-key") == 3
    assert words.count("REFUSED") == 2
    assert words.count("0123456789abcdefghjkmnpqrs") == 3
    assert "channels: differ; allowed: equal" in words
