# SPDX-License-Identifier: Apache-2.0
"""The small reader of pages reads each page as a library of others does, and lets nothing of a page through as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.markdown import Markdown

from radiomicnet_md_traceability import markup

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "audit").glob("*.md")])

pytestmark = pytest.mark.verifies("SRS-TRC-015")


class Seen(HTMLParser):
    """What a browser would show: words in order, links, and how often each kind of block is there."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words, self.links, self.tags = "", [], dict[str, int]()
        self.feed(text)
        self.words = re.sub(r"\s+", "", self.words)

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.links += [value for name, value in attrs if name in {"href", "src"}]


def theirs(text: str) -> Seen:
    """What the reader beneath rich (markdown-it) sees in a page."""
    seen = Seen("")

    def walk(tokens: Iterable[Any]) -> None:
        for token in tokens:
            if token.nesting >= 0 and token.tag:
                if token.type in {"fence", "code_block"}:
                    seen.tags["pre"] = seen.tags.get("pre", 0) + 1
                seen.tags[token.tag] = seen.tags.get(token.tag, 0) + 1
                seen.links += [token.attrs[name] for name in ("href", "src") if name in token.attrs]
            if token.type in {"text", "code_inline", "fence", "code_block"}:
                seen.words += token.content
            if token.type != "image":
                walk(token.children or ())

    walk(Markdown(text).parsed)
    seen.words = re.sub(r"\s+", "", seen.words)
    return seen


BLOCKS = ("h1", "h2", "h3", "ul", "ol", "li", "table", "tr", "td", "pre", "code", "blockquote", "strong", "em", "img")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_each_page_is_read_as_another_reader_reads_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    ours, other = Seen(markup.body(text, lambda target: target)), theirs(text)
    assert ours.words == other.words
    assert ours.links == other.links
    assert {tag: ours.tags.get(tag, 0) for tag in BLOCKS} == {tag: other.tags.get(tag, 0) for tag in BLOCKS}


@given(st.text(alphabet="<>&\"'`*_|[]()#- \nabc1.!\\/=", max_size=200))
def test_no_page_can_bring_a_script_or_an_attribute(text: str) -> None:
    seen = Seen(markup.body(text + '\n\n<script src="x">a</script> [w](javascript:b "onclick=c")\n', lambda _: None))
    assert set(seen.tags) <= {*BLOCKS, "p", "h4", "h5", "h6", "thead", "tbody", "th", "div", "span"}
    assert [link for link in seen.links if not str(link).startswith(("http://", "https://"))] == []


def test_links_lead_where_they_are_told_to_or_are_words() -> None:
    page = "[one](a.md) and [two](b.md), <https://example.org>\n"
    text = markup.body(page, lambda target: "x/a.html" if target == "a.md" else None)
    assert Seen(text).links == ["x/a.html", "https://example.org"]
    assert "two" in text
    assert "not in this bundle" in text


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Minimum IT and security", "minimum-it-and-security"),
        ("What is `kept`?", "what-is-kept"),
        ("5.1 Plans", "51-plans"),
    ],
)
def test_a_heading_has_the_name_that_links_use(words: str, name: str) -> None:
    assert f'<h2 id="{name}">' in markup.body(f"## {words}\n", lambda _: None)
