# SPDX-License-Identifier: Apache-2.0
"""One page of a run that needs nothing but a browser, shows only what was verified, and says what it is not.

Rules of this module:

- Self-contained: style and pictures lie inside, nothing is fetched, no script runs; the page's own content
  security policy forbids all three.
- Every text that comes from outside this module is escaped; there is no way to pass markup in.
- A case is shown from its verified record (:class:`~radiomicnet_md.review.proven.Proof` comes with it). What did
  not hold is said as plainly as what did.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from radiomicnet_md.review.names import TIMES, label, printable, signed
from radiomicnet_md.review.proven import Proof
from radiomicnet_md.review.style import CSS
from radiomicnet_md.review.text import answer, frame_of
from radiomicnet_md_audit.esignature import Signature


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG with the words that stand for it."""

    png: bytes
    alt: str
    caption: str


@dataclass(frozen=True, slots=True)
class ShownCase:
    """One verified case of the run."""

    title: str
    source: str  # where the input comes from, in one sentence
    statement: Mapping[str, Any]
    proof: Proof
    dice: float | None = None  # against a known truth; a demonstration, never a performance claim
    dice_note: str = ""
    pictures: Sequence[Picture] = ()
    signatures: Sequence[Signature] = ()  # verified


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim that a verification made, and whether it holds; None where it was not looked into."""

    name: str
    holds: bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A next step: for whom, what it shows, and the line to type."""

    role: str
    purpose: str
    line: str


@dataclass(frozen=True, slots=True)
class Story:
    """A whole run, as it was verified."""

    release: Mapping[str, str]  # id, version, manifest_sha256
    version: str  # of this package
    time_utc: str
    cases: Sequence[ShownCase]
    log: Sequence[Finding]
    offline: Sequence[Finding]
    offline_command: str
    replay: Finding
    commands: Sequence[Command]


_VERDICT = {True: "holds", False: "FAILS", None: "not asked"}


def page(story: Story) -> str:
    """The whole HTML document."""
    pin = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{pin}'; base-uri 'none'; form-action 'none'"
    body = "\n".join([_summary(story), _cases(story.cases), _log(story), _offline(story), _replay(story), _next(story)])
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>RadiomicNet-MD: demonstration report</title>
<style>{CSS}</style>
</head>
<body>
{_banner()}
<main>
{body}
</main>
</body>
</html>
"""


def _banner() -> str:
    return """<p class="banner" role="note"><strong>Unqualified demonstration. Not a cleared medical device.</strong>
Demonstration on public and generated data, not clinical evidence. Do not use it for any patient.</p>"""


def _summary(story: Story) -> str:
    states = [case.statement["predicate"]["state"] for case in story.cases]
    size = max((case.proof.size for case in story.cases), default=0)
    held = all(finding.holds is not False for finding in (*story.log, *story.offline, story.replay))
    figures = [
        (states.count("RESULT"), "decided"),
        (states.count("REFUSED"), "refused"),
        (size, "log entries"),
        ("yes" if held else "NO", "all verified"),
    ]
    tiles = "".join(f"<li><b>{_text(number)}</b> {_text(word)}</li>" for number, word in figures)
    release = story.release
    return f"""<header>
<h1>RadiomicNet-MD: what this run did, and the proof of it</h1>
<p>Breast-ultrasound lesion segmentation in which named radiomic features decide which region is outlined. Each
answer below was signed and in the log before its mask was written; each was verified before this page was.</p>
<ul class="figures">{tiles}</ul>
<p class="small">Release {_code(release["id"])} {_text(release["version"])}, manifest
{_code(release["manifest_sha256"])}; program version {_text(story.version)}; written {_text(story.time_utc)}.</p>
</header>"""


def _cases(cases: Sequence[ShownCase]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Case", "State", "Answer", "Dice"))
    head += "".join(f'<th scope="col" class="wide">{name}</th>' for name in ("Log", "Record"))
    rows = "".join(_case_row(number, case) for number, case in enumerate(cases, start=1))
    articles = "\n".join(_case(number, case) for number, case in enumerate(cases, start=1))
    note = (
        "<p class='small'>Dice compares the mask with a known truth (1 is equal, 0 is disjoint; two empty masks "
        "count as 1 by policy). A few cases demonstrate; they measure nothing.</p>"
    )
    return f"""<section aria-labelledby="cases"><h2 id="cases">Cases</h2>
<table><caption class="hidden">The cases of this run</caption>
<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>
{note}
{articles}
</section>"""


def _case_row(number: int, case: ShownCase) -> str:
    predicate = case.statement["predicate"]
    cells = [
        f'<th scope="row"><a href="#case-{number}">{_text(case.title)}</a></th>',
        f"<td>{_badge(predicate['state'])}</td>",
        f"<td>{_text(answer(predicate))}</td>",
        f"<td class='number'>{_dice(case)}</td>",
        f"<td class='number wide'>{case.proof.index}</td>",
        f"<td class='number wide'>{_code(predicate['record_id'][:10] + '…')}</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _case(number: int, case: ShownCase) -> str:
    predicate = case.statement["predicate"]
    facts = [("Answer", _text(answer(predicate))), ("Input", _text(case.source)), ("Image", _text(_image(predicate)))]
    if predicate["reason"]:
        facts.append(("Remedy", _text(predicate["reason"]["remedy"])))
    word = "Gate" if predicate["reason"] else "Implausible"
    failed = [check for check in predicate["checks"] if not check["held"]]
    facts += [(word, _text(f"{c['name']}: {c['value']}; allowed: {c['limit']}")) for c in failed]
    if predicate["decision"]:
        facts += [("Why", _text(_why(predicate)))]
    if case.dice is not None:
        facts.append(("Dice", f"{_dice(case)} {_text(case.dice_note)}"))
    facts.append(("Record", f"{_code(predicate['record_id'])}, log entry {case.proof.index}"))
    facts.append(("Signed by", _code(case.proof.keyid)))
    facts += [("Signature", _signature(one)) for one in case.signatures]
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
    first, others = case.pictures[:1], case.pictures[1:]
    return f"""<article id="case-{number}" aria-labelledby="title-{number}">
<h3 id="title-{number}">{_text(case.title)} {_badge(predicate["state"])}</h3>
<p class="stamps">{_text(" · ".join(predicate["stamps"]))}</p>
<div class="{"beside" if first else "alone"}">{"".join(map(_figure, first))}<dl>{rows}</dl></div>
{"".join(map(_figure, others))}
</article>"""


def _signature(one: Signature) -> str:
    """Meaning, printed name and time of a person's signature (21 CFR 11.50)."""
    why = "" if one.reason is None else f", because: {one.reason}"
    said = f"{one.meaning}: {one.name} ({one.user}), {one.time_utc[:19].replace('T', ' ')} UTC{why}"
    return f"{_text(said)}; record {_code(one.record_id)}"


def _image(predicate: Mapping[str, Any]) -> str:
    """Size and kind of the input as recorded."""
    seen = predicate["input"]
    if not seen or "shape" not in seen:
        return "not readable"
    frames, rows, columns, samples = seen["shape"]
    parts = [seen["format"], seen["modality"], seen["photometric"], f"{rows} {TIMES} {columns} pixels"]
    parts += [f"{frames} frames"] if frames != 1 else []
    parts += [frame_of(seen)]
    parts += [f"{samples} samples a pixel"] if samples != 1 else []
    return ", ".join(str(part) for part in parts if part)


def _why(predicate: Mapping[str, Any]) -> str:
    """The three largest terms of the deciding sum, the margin, and the certified fraction."""
    choice, sure = predicate["decision"], predicate["pixels"]["certified"]
    region = choice["chosen"][0] if choice["chosen"] else choice["runner_up"]
    ending = f"Certified pixels {sure['pixels'] / sure['of']:.1%}."
    if region is None:
        return f"No candidate region was formed. {ending}"
    unit = 1 << choice["score_bits"]
    largest = sorted(region["terms"].items(), key=lambda item: (-abs(item[1]), item[0]))[:3]
    terms = ", ".join(f"{label(name)} {signed(value / unit, 3)}" for name, value in largest)
    margin = "" if choice["margin"] is None else f" Margin {signed(choice['margin'] / unit, 3)}."
    return f"Candidates weighed: {choice['candidates']}. Largest terms: {terms}.{margin} {ending}"


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode()
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{_text(picture.alt)}">'
        f"<figcaption>{_text(picture.caption)}</figcaption></figure>"
    )


def _log(story: Story) -> str:
    return f"""<section aria-labelledby="log"><h2 id="log">The log</h2>
<p>Every record is a leaf of one Merkle tree; its root is signed after each entry and repeated outside the home.
These are separate claims: one does not stand for another.</p>
{_findings("What verification of the log established", story.log)}
</section>"""


def _offline(story: Story) -> str:
    return f"""<section aria-labelledby="offline"><h2 id="offline">Verified again from the export alone</h2>
<p>In a process of its own that cannot import the engine, with neither database nor network:</p>
<pre>{_text(story.offline_command)}</pre>
{_findings("What the offline verifier established", story.offline)}
</section>"""


def _replay(story: Story) -> str:
    return f"""<section aria-labelledby="replay"><h2 id="replay">One record decided again</h2>
{_findings("Replay", [story.replay])}
</section>"""


def _findings(caption: str, findings: Sequence[Finding]) -> str:
    rows = "".join(
        f'<tr><td>{_badge(_VERDICT[f.holds])}</td><th scope="row">{_text(f.name)}</th><td>{_text(f.text)}</td></tr>'
        for f in findings
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("", "Claim", "What was seen"))
    return f"""<table class="claims"><caption class="hidden">{_text(caption)}</caption>
<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"""


def _next(story: Story) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_text(c.role)}</th><td>{_text(c.purpose)}<pre>{_text(c.line)}</pre></td></tr>'
        for c in story.commands
    )
    return f"""<section aria-labelledby="next"><h2 id="next">What to try next</h2>
<table class="claims"><caption class="hidden">Next commands by role</caption><tbody>{rows}</tbody></table>
</section>"""


def _dice(case: ShownCase) -> str:
    return "" if case.dice is None else f"{case.dice:.3f}"


def _badge(word: str) -> str:
    """A word in a box; the colour only repeats what the word says."""
    kind = {"RESULT": "good", "holds": "good", "REFUSED": "held", "not asked": "held"}.get(word, "bad")
    return f'<span class="badge {kind}">{_text(word)}</span>'


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _text(value: object) -> str:
    """Any value as HTML text or attribute value."""
    return escape(printable(value), quote=True)
