# SPDX-License-Identifier: Apache-2.0
"""The page of evidence has a block for each campaign, and a campaign replaces its own alone."""

from __future__ import annotations

import pytest

from tests.audit import evidence_page

pytestmark = pytest.mark.verifies("SRS-LOG-004")


def test_a_block_is_replaced_and_nothing_else() -> None:
    page = "before\n<!-- a: begin -->\nold\n<!-- a: end -->\nbetween\n<!-- b: begin -->\n<!-- b: end -->\nafter\n"
    once = evidence_page.replaced(page, "a", "\nnew\nlines\n\n")
    assert once == page.replace("old", "new\nlines")
    assert evidence_page.replaced(once, "a", "new\nlines") == once


@pytest.mark.parametrize("page", ["", "<!-- a: begin -->\n", "<!-- a: end -->\n<!-- a: begin -->\n"])
def test_a_page_without_the_block_is_left_alone(page: str) -> None:
    with pytest.raises(ValueError, match="block 'a'"):
        evidence_page.replaced(page, "a", "new")


@pytest.mark.parametrize("campaign", ["tamper", "faults", "fuzz"])
def test_each_campaign_has_its_block(campaign: str) -> None:
    page = evidence_page.PAGE.read_text("utf-8")
    assert "new text" in evidence_page.replaced(page, campaign, "new text")
