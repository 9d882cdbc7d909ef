# SPDX-License-Identifier: Apache-2.0
"""The evidence bundle as people read it: an index with the numbers first, and every page as HTML beside its source.

Rules of this module:

- A link leads to a file of the bundle or is words; nothing is loaded from elsewhere, and no script runs.
- What a section lacks stands in its line of the index; "complete" is said only where no gap is open.
"""

from __future__ import annotations

import html
import posixpath
from collections.abc import Mapping

from radiomicnet_md_traceability import markup, verify
from radiomicnet_md_traceability.gaps import Gap

SECTIONS = {
    "00_index": "Start here",
    "01_description": "Description and classification",
    "02_risk": "Risk management",
    "03_srs": "Requirements",
    "04_architecture": "Architecture",
    "05_sds": "Software design",
    "06_lifecycle": "Life cycle and configuration",
    "07_vv": "Verification and validation",
    "08_trace": "Traceability",
    "09_version": "Version history and known anomalies",
    "10_soup": "Software of others, bill of materials",
    "11_cyber": "Security",
    "12_ai": "The model",
    "13_performance": "Performance",
    "14_part11": "Records and signatures",
    "15_iqoqpq": "Qualification of installations",
    "16_labelling": "Labelling and procedures",
    "17_checklists": "Checklists",
    "18_tools": "Qualification of tools",
}
# The section in which a gap is felt, by the beginning of its id; any other is the checklists'.
_FELT = {
    "AC-": "13_performance",
    "CHK-13485-": "06_lifecycle",
    "CHK-14971-": "02_risk",
    "CHK-62304-": "06_lifecycle",
    "CHK-AIA-": "12_ai",
    "CHK-P11-": "14_part11",
    "CHK-PEOPLE-BENEFIT": "02_risk",
    "CHK-PEOPLE-CLINICAL": "13_performance",
    "CHK-PEOPLE-QMS": "06_lifecycle",
    "CHK-PEOPLE-USABILITY": "16_labelling",
    "CHK-PEOPLE-VALIDATION": "07_vv",
    "CHK-GSPR-23": "16_labelling",
    "GAP-MUTATION": "02_risk",
    "GAP-RESULTS": "07_vv",
    "GAP-REVIEW": "08_trace",
    "GAP-VULNERABILITIES": "10_soup",
}
_FIRST = """\
<a href="GAPS.html">What is missing</a> · <a href="VERIFY.html">How to verify this bundle</a> ·
<a href="../08_trace/matrix.html">The matrix</a>"""
_STYLE = """\
:root{color-scheme:light dark;--ink:#1a1f24;--soft:#57606a;--line:#d0d7de;--paper:#fff;--field:#f4f6f8;--link:#0b57a4;
--bad:#a40e26;--good:#116329}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa4af;--line:#3a424c;--paper:#12161b;--field:#1b2129;
--link:#79b8ff;--bad:#ff8c8c;--good:#6fdc8c}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:62rem;margin:0 auto;
padding:1.5rem}
a{color:var(--link)}h1,h2,h3{line-height:1.25}h2{margin-top:2em;border-bottom:1px solid var(--line)}
blockquote,.stamp{margin:1em 0;padding:.5em 1em;border-left:4px solid var(--bad);background:var(--field)}
blockquote p{margin:0}.stamp{color:var(--bad);font-weight:600}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92em}
th,td{text-align:left;vertical-align:top;padding:.35em .6em;border-bottom:1px solid var(--line)}
th{background:var(--field)}.number{text-align:right;font-variant-numeric:tabular-nums}
code,pre{font:.88em ui-monospace,monospace;background:var(--field);overflow-wrap:anywhere}
pre{padding:.7em 1em;overflow-x:auto}img{max-width:100%;background:#fff}
nav,.soft,.away{color:var(--soft);font-size:.9em}.bad{color:var(--bad)}.good{color:var(--good)}
.figures{display:flex;flex-wrap:wrap;gap:.8rem;padding:0;list-style:none}
.figures li{flex:1 1 8rem;border:1px solid var(--line);border-radius:6px;padding:.6rem .9rem}
.figures b{display:block;font-size:1.7rem;line-height:1.2;font-variant-numeric:tabular-nums}
td ul{margin:0;padding:0;list-style:none}td.files{width:46%}
@media print{:root{--ink:#000;--soft:#444;--line:#999;--paper:#fff;--field:#f4f6f8;--link:#000;--bad:#a40e26;
--good:#116329}body{max-width:none;padding:0;font-size:10.5pt;color:#000;background:#fff}nav{display:none}
a{color:inherit;text-decoration:none}tr:not([id]),pre,img{break-inside:avoid}thead{display:table-header-group}}
"""


def pages(files: Mapping[str, bytes], copied: Mapping[str, str]) -> dict[str, bytes]:
    """The HTML of every page among ``files``; ``copied`` says which file of the checkout each was."""
    found = {}
    at = {original: place for place, original in copied.items()}
    for name, content in files.items():
        if name.endswith(".md"):
            text = content.decode("utf-8")
            body = markup.body(text, _links(name, copied.get(name, name), at, files))
            found[as_html(name)] = _page(markup.title(text) or name, _way_back(name) + body, name)
    return found


def as_html(name: str) -> str:
    """The name of a page's HTML."""
    return f"{name.removesuffix('.md')}.html" if name.endswith(".md") else name


def _links(name: str, original: str, at: Mapping[str, str], files: Mapping[str, bytes]) -> markup.Link:
    """Where the links of one page lead from where its HTML lies."""

    def link(target: str) -> str | None:
        place, hash_, part = target.partition("#")
        if target.startswith(("http://", "https://")) or not place:
            return target
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(original), place))
        found = at.get(wanted, wanted if wanted in files else None)
        return None if found is None else posixpath.relpath(as_html(found), posixpath.dirname(name)) + hash_ + part

    return link


def index(
    started: str,
    numbers: Mapping[str, int],
    files: Mapping[str, bytes],
    missing: tuple[Gap, ...],
    open_: Mapping[str, str],
) -> bytes:
    """``INDEX.html``: what was found in figures, then a line a section with its state and its files.

    ``open_`` says of a section what else than gaps is open in it.
    """
    felt: dict[str, list[str]] = {}
    for gap in missing:
        felt.setdefault(section_of(gap.id), []).append(gap.id)
    figures = "".join(f"<li><b>{value:,}</b>{html.escape(name)}</li>" for name, value in numbers.items())
    rows = "\n".join(
        _row(folder, files, felt.get(folder, []), open_.get(folder, "")) for folder in SECTIONS if folder != "00_index"
    )
    body = (
        '<h1 id="00_index">Evidence bundle</h1>\n<p class=stamp>Demonstration on public data; not clinical evidence; '
        f"{verify.STAMP}.</p>\n<ul class=figures>{figures}</ul>\n"
        f"<p>The tests started {html.escape(started)}. {_FIRST}</p>\n"
        "<table><thead><tr><th>Section</th><th>State</th><th>Files</th></tr></thead><tbody>\n"
        f"{rows}\n</tbody></table>\n"
    )
    return _page("Evidence bundle", body, "")


def section_of(gap: str) -> str:
    """The folder in whose line of the index a gap stands."""
    fitting = [start for start in _FELT if gap.startswith(start)]
    return _FELT[max(fitting, key=len)] if fitting else "17_checklists"


def _row(folder: str, files: Mapping[str, bytes], missing: list[str], open_: str) -> str:
    shown = [name for name in sorted(files) if name.startswith(f"{folder}/") and as_html(name) == name]
    links = "".join(f"<li>{_entry(name, files)}</li>" for name in shown)
    kind = "gap" if len(missing) == 1 else "gaps"
    each = html.escape("; ".join(missing))
    states = [f"<span class=bad>{html.escape(open_)}</span>"] if open_ else []
    states += [f"<span class=bad>{len(missing)} {kind}</span> <span class=soft>{each}</span>"] if missing else []
    state = "<br>".join(states) or "<span class=good>complete</span>"
    section = f"<b>{folder.partition('_')[0]}</b> {SECTIONS[folder]}"
    return f'<tr id="{folder}"><td>{section}</td><td>{state}</td><td class=files><ul>{links}</ul></td></tr>'


def _entry(name: str, files: Mapping[str, bytes]) -> str:
    """A file by its title where it is a page, by its name where it is none."""
    source = f"{name.removesuffix('.html')}.md"
    if not name.endswith(".html") or source not in files:
        return f'<a href="../{name}">{html.escape(name.partition("/")[2])}</a>'
    words = html.escape(markup.title(files[source].decode("utf-8")).replace("`", "") or name)
    return f'<a href="../{name}">{words}</a> <a class=soft href="../{source}">source</a>'


def _way_back(name: str) -> str:
    folder = name.partition("/")[0]
    up = "../" * name.count("/")
    words = html.escape(SECTIONS.get(folder, folder))
    return f'<nav><a href="{up}00_index/INDEX.html#{folder}">Evidence bundle</a> / {words}</nav>\n'


def _page(title: str, body: str, source: str) -> bytes:
    foot = f'<hr><p class=soft>Made from <a href="{source.rpartition("/")[2]}">{source}</a>.</p>\n' if source else ""
    head = f"<title>{html.escape(title.replace('`', ''))}</title>\n<style>\n{_STYLE}</style>"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">\n{head}</head><body>\n'
        f"{body}\n{foot}</body></html>\n"
    ).encode()
