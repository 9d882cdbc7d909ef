# SPDX-License-Identifier: Apache-2.0
"""The project's own pages as HTML that needs nothing from anywhere: no script, no font, no network.

Rules of this module:

- It reads what these pages are written in, a part of Markdown: headings, paragraphs, lists, tables, quotes, code, links
  and pictures. ``tests/traceability/test_markup.py`` compares each page with what a library of others reads.
- Every character of a page that is not markup is escaped; markup of HTML in a page is dropped, except a named anchor.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

Link = Callable[[str], str | None]  # where a page's link leads from where the HTML lies; None where it leads nowhere

_ITEM = re.compile(r"(?P<mark>[-*]|\d+\.)(?P<gap> +)")
_INLINE = re.compile(
    r"(?P<code>`+)(?P<literal>.+?)(?P=code)"
    r"|!\[(?P<alt>[^\]]*)\]\((?P<picture>[^)\s]+)\)"
    r"|\[(?P<words>(?:[^\[\]]|`[^`]*`|\[[^\]]*\])*)\]\((?P<target>[^)\s]+)\)"
    r"|<(?P<address>https?://[^>\s]+)>"
    r"|\*\*(?P<strong>(?=\S).+?(?<=\S))\*\*"
    r"|(?<![\w*])\*(?P<stress>(?=[^\s*]).*?(?<=[^\s*]))\*(?![\w*])",
    re.DOTALL,
)


def title(text: str) -> str:
    """The words of a page's first heading; empty where it has none."""
    found = re.search(r"^# (.+)$", text, re.MULTILINE)
    return "" if found is None else found[1].strip()


def body(text: str, link: Link) -> str:
    """The page's content as HTML, its links as ``link`` says."""
    whole = re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)
    return "\n".join(_blocks(whole.splitlines(), link))


def _blocks(lines: list[str], link: Link) -> Iterator[str]:
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
        elif line.startswith("```"):
            end = next((n for n in range(at + 1, len(lines)) if lines[n].startswith("```")), len(lines))
            yield _code(lines[at + 1 : end])
            at = end + 1
        elif line.startswith("    "):
            end = _while(lines, at, lambda one: one.startswith("    ") or not one.strip())
            yield _code([one[4:] for one in lines[at:end]])
            at = end
        elif found := re.match(r"(#{1,6}) +(.*)", line):
            yield _heading(len(found[1]), found[2], link)
            at += 1
        elif line.startswith(">"):
            end = _while(lines, at, lambda one: one.startswith(">"))
            yield f"<blockquote>{_joined([one[1:].removeprefix(' ') for one in lines[at:end]], link)}</blockquote>"
            at = end
        elif _is_table(lines, at):
            end = _while(lines, at, lambda one: one.startswith("|"))
            yield _table(lines[at:end], link)
            at = end
        elif _ITEM.match(line):
            end = _while(lines, at, _of_list(line))
            yield _list(lines[at:end], link)
            at = end
        else:
            end = max(_while(lines, at, _goes_on), at + 1)
            yield f"<p>{inline(chr(10).join(one.strip() for one in lines[at:end]), link)}</p>"
            at = end


def _goes_on(line: str) -> bool:
    """Whether a line can continue a paragraph."""
    return bool(line.strip()) and not re.match(r"#{1,6} |>|```|[-*] |1\. ", line)


def _of_list(first: str) -> Callable[[str], bool]:
    """Whether a line belongs to the list that begins with ``first``: an item with its mark, or what lies below one."""
    mark = r"\d+\. " if first[0].isdigit() else re.escape(first[0]) + " "
    return lambda line: re.match(mark, line) is not None or line.startswith("  ") or not line.strip()


def _is_table(lines: list[str], at: int) -> bool:
    return lines[at].startswith("|") and at + 1 < len(lines) and re.fullmatch(r"\|[ :|-]+\|", lines[at + 1]) is not None


def _while(lines: list[str], at: int, holds: Callable[[str], bool]) -> int:
    end = at
    while end < len(lines) and holds(lines[end]):
        end += 1
    return end


def _joined(lines: list[str], link: Link) -> str:
    return "\n".join(_blocks(lines, link))


def _code(lines: list[str]) -> str:
    return f"<pre><code>{html.escape(chr(10).join(lines).strip(chr(10)), quote=False)}\n</code></pre>"


def _heading(level: int, words: str, link: Link) -> str:
    named = re.match(r'<a id="([\w-]+)"></a>', words)
    words = re.sub(r"<[^>]*>", "", words)
    plain = re.sub(r"<[^>]*>", "", inline(words, link))
    name = named[1] if named else anchor(html.unescape(plain))
    return f'<h{level} id="{html.escape(name)}">{inline(words, link)}</h{level}>'


def anchor(words: str) -> str:
    """The name that a heading's words have in a link."""
    return re.sub(r"[^\w -]", "", words.strip().lower()).replace(" ", "-")


def _table(lines: list[str], link: Link) -> str:
    head, alignments, *rows = (_cells(line) for line in lines)
    right = [cell.strip().endswith(":") for cell in alignments]

    def row(cells: list[str], tag: str) -> str:
        written = (
            f"<{tag}{' class=number' if at < len(right) and right[at] else ''}>{inline(cell.strip(), link)}</{tag}>"
            for at, cell in enumerate(cells)
        )
        return f"<tr>{''.join(written)}</tr>"

    below = "\n".join(row(cells, "td") for cells in rows)
    return f'<div class="wide"><table><thead>{row(head, "th")}</thead><tbody>\n{below}\n</tbody></table></div>'


def _cells(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))
    return [cell.replace("\\|", "|") for cell in cells]


def _list(lines: list[str], link: Link) -> str:
    items: list[list[str]] = []
    for line in lines:
        found = _ITEM.match(line)
        if found is not None:
            offset = found.end() if len(found["gap"]) < 5 else len(found["mark"]) + 1  # noqa: PLR2004 - code begins at 5
            items.append([line[offset:]])
        else:
            items[-1].append(line[offset:] if not line[:offset].strip() else line.strip())
    ordered = lines[0][0].isdigit()
    tag = "ol" if ordered else "ul"
    start = f' start="{int(lines[0].partition(".")[0])}"' if ordered and not lines[0].startswith("1.") else ""
    inside = (re.sub(r"\A<p>(.*?)</p>", r"\1", _joined(item, link), count=1, flags=re.DOTALL) for item in items)
    return f"<{tag}{start}>\n" + "\n".join(f"<li>{item}</li>" for item in inside) + f"\n</{tag}>"


def inline(text: str, link: Link) -> str:
    """One run of words as HTML: code, links, pictures, stress."""
    parts, at = [], 0
    for found in _INLINE.finditer(text):
        parts += [_plain(text[at : found.start()]), _marked(found, link)]
        at = found.end()
    return "".join((*parts, _plain(text[at:])))


def _marked(found: re.Match[str], link: Link) -> str:
    if found["literal"] is not None:
        return f"<code>{html.escape(found['literal'].replace(chr(10), ' '), quote=False)}</code>"
    if found["picture"] is not None:
        place = link(found["picture"])
        alt = html.escape(found["alt"])
        return f'<img alt="{alt}" src="{html.escape(place)}">' if place else f"<em>{alt}</em>"
    if found["target"] is not None:
        place, words = link(found["target"]), inline(found["words"], link)
        away = ' <span class="away" title="not in this bundle">↗</span>'
        return f'<a href="{html.escape(place)}">{words}</a>' if place else f"{words}{away}"
    if found["address"] is not None:
        return f'<a href="{html.escape(found["address"])}">{html.escape(found["address"])}</a>'
    tag = "strong" if found["strong"] is not None else "em"
    return f"<{tag}>{inline(found[tag if tag == 'strong' else 'stress'], link)}</{tag}>"


def _plain(text: str) -> str:
    return html.escape(re.sub(r"\\([\\`*_{}\[\]()#+.!|<>~-])", r"\1", text), quote=False)
