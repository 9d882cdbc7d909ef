# SPDX-License-Identifier: Apache-2.0
"""The blocks of a document as one page that needs nothing but a browser; ``pdf`` makes the same blocks a file.

Rules of this module:

- Self-contained: style and pictures lie inside, nothing is fetched, no script runs; the page's own content security
  policy forbids all three.
- Every text is escaped; there is no way to pass markup in.
- A cell that is a verdict, or begins with one and a colon, shows it as a badge: word and colour, never colour alone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from typing import Final

from radiomicnet_md.review.pdf import Block, Heading, Picture, Table, Text, flattened
from radiomicnet_md.review.style import CSS

_BADGES: Final = {"PASS": "good", "FAIL": "bad", "INCONCLUSIVE": "held", "NOT APPLICABLE": "held"}


def html(title: str, blocks: Sequence[Block], caution: str = "") -> str:
    """The page; ``caution`` stands above everything where there is one."""
    pin = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{pin}'; base-uri 'none'; form-action 'none'"
    banner = f'<p class="banner" role="note"><strong>{escape(caution)}</strong></p>\n' if caution else ""
    body = "\n".join(map(_element, blocks))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>RadiomicNet-MD: {escape(title)}</title>
<style>{CSS}</style>
</head>
<body>
{banner}<main>
{body}
</main>
</body>
</html>
"""


def _element(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Text(text, small):
            return f"<p{_class('small', given=small)}>{escape(text)}</p>"
        case Table(head, rows, numbers):
            titles = "".join(f'<th scope="col">{escape(one)}</th>' for one in head)
            lines = "\n".join(f"<tr>{_cells(row, numbers)}</tr>" for row in rows)
            return f"<table>\n<thead><tr>{titles}</tr></thead>\n<tbody>\n{lines}\n</tbody>\n</table>"
        case Picture(layers, words, _):
            data = base64.b64encode(flattened(layers)[0]).decode()
            return f'<figure><img alt="{escape(words)}" src="data:image/png;base64,{data}"></figure>'


def _cells(row: Sequence[str], numbers: frozenset[int]) -> str:
    cells = (f"<td{_class('number', given=place in numbers)}>{_marked(text)}</td>" for place, text in enumerate(row))
    return "".join(cells)


def _marked(text: str) -> str:
    word, colon, rest = text.partition(":")
    kind = _BADGES.get(word)
    return f'<span class="badge {kind}">{word}</span>{colon}{escape(rest)}' if kind else escape(text)


def _class(name: str, *, given: bool) -> str:
    return f' class="{name}"' if given else ""
