# SPDX-License-Identifier: Apache-2.0
"""The page of a document shows its blocks, fetches nothing, and lets no text become markup."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from radiomicnet_md.io.masks import png
from radiomicnet_md.review import page
from radiomicnet_md.review.pdf import Heading, Picture, Table, Text

pytestmark = pytest.mark.verifies("SRS-PRF-006")
MARKUP = '<script>alert("1")</script>'


def test_every_text_is_escaped_wherever_it_stands() -> None:
    made = page.html(
        MARKUP,
        [
            Heading(MARKUP),
            Text(MARKUP),
            Table([MARKUP], [[MARKUP]]),
            Picture([png(np.zeros((2, 2), np.uint8))], MARKUP),
        ],
        MARKUP,
    )
    assert "<script" not in made
    assert made.count("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;") == 7
    assert "default-src 'none'" in made
    assert not re.search(r'(?:src|href)="(?!data:)', made)


def test_a_verdict_is_a_badge_with_what_follows_it_and_a_number_is_marked() -> None:
    made = page.html("t", [Table(["a", "b"], [["FAIL: too <few>", "0.5"], ["PASSED", "1"]], frozenset({1}))])
    assert '<td><span class="badge bad">FAIL</span>: too &lt;few&gt;</td><td class="number">0.5</td>' in made
    assert "<td>PASSED</td>" in made


def test_layers_are_painted_on_top_of_each_other() -> None:
    lower = png(np.full((2, 3), 9, dtype=np.uint8))
    upper = np.zeros((2, 3, 4), dtype=np.uint8)
    upper[0, 0] = (255, 0, 0, 255)
    found = re.search(r"base64,([A-Za-z0-9+/=]+)", page.html("t", [Picture([lower, png(upper)], "both")]))
    assert found is not None
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(found[1]))))
    assert shown[0, 0].tolist() == [255, 0, 0]
    assert shown[1, 2].tolist() == [9, 9, 9]
