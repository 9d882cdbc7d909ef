# SPDX-License-Identifier: Apache-2.0
"""One verified record as a page of plain text: what came in, what was decided, why, and who can prove it.

Rules of this module:

- It takes a :class:`~radiomicnet_md.review.proven.Proof`: signature and inclusion were verified before.
- Every term of a sum is printed as the integer it is, so that a reader with a pencil gets the printed sum.
- Nothing from a file reaches the terminal unfiltered: what is not printable is shown as "?".
- 80 columns, no colour unless asked for; a refusal is as short as its reason.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Literal

from radiomicnet_md.radiomics.definitions import BY_KEY
from radiomicnet_md.review.names import MINUS, TIMES, label, measured, printable, short, signed
from radiomicnet_md.review.proven import Proof
from radiomicnet_md_audit.esignature import Signature

Style = Literal["plain", "title", "alarm"]
Line = tuple[Style, str]

WIDTH = 80
_KEY = 14  # left column, characters
_NAME = 30  # name of a feature
_TERM = 27  # name of a term
_HALF = 5  # half of a bar
_CHECK = {"name": 14, "value": 27, "limit": 30}  # columns of the gate
_STAGES = ("levels", "features", "trunk", "logit", "mask")
_ZONES = ("lesion", "border", "background")
_ANSI: dict[Style, str] = {"plain": "", "title": "\x1b[1m", "alarm": "\x1b[1;31m"}


def show(
    statement: Mapping[str, Any], proof: Proof, signatures: Sequence[Signature] = (), *, colour: bool = False
) -> str:
    """The page for one decision statement (in-toto, payload of the verified envelope); ends in a newline.

    ``signatures`` are those on it, verified.
    ``colour`` adds ANSI sequences; it is for a terminal and for nothing else.
    """
    predicate = statement["predicate"]
    lines = list(_lines(predicate, proof, signatures))
    if colour:
        return "".join(f"{_ANSI[style]}{text}\x1b[0m\n" if style != "plain" else f"{text}\n" for style, text in lines)
    return "".join(f"{text}\n" for _, text in lines)


def above_proof(statement: Mapping[str, Any], proof: Proof) -> str:
    """What :func:`show` prints of a decision before its proof: the same however the log has grown since."""
    return "".join(f"{text}\n" for _, text in _decided(statement["predicate"], proof))


def _lines(predicate: Mapping[str, Any], proof: Proof, signatures: Sequence[Signature]) -> Iterator[Line]:
    yield from _decided(predicate, proof)
    yield from _seal(predicate, proof)
    yield from _signed(signatures)


def _decided(predicate: Mapping[str, Any], proof: Proof) -> Iterator[Line]:
    yield from _head(predicate, proof)
    yield from _input(predicate)
    yield from _checks(predicate["checks"])
    if predicate["decision"] is not None:
        yield from _choice(predicate["decision"])
        yield from _evidence(predicate["pixels"])
        yield from _groups(predicate["gates"], predicate["pixels"])
        yield from _measured(predicate["radiomics"])
        yield from _outputs(predicate)


def _head(predicate: Mapping[str, Any], proof: Proof) -> Iterator[Line]:
    """State and stamps in the first line; then the reason, or what was found."""
    state = predicate["state"]
    stamps = " · ".join(map(printable, predicate["stamps"]))
    yield ("title" if state == "RESULT" else "alarm"), f"{state}{stamps.rjust(WIDTH - len(state))}"
    yield "plain", "━" * WIDTH
    yield from _row("answer", answer(predicate))
    if predicate["reason"]:
        yield from _row("remedy", f"{predicate['reason']['remedy']}  [{predicate['reason']['code']}]")
    yield from _row("record", f"{predicate['record_id']}, entry {proof.index} of {printable(proof.origin)}")
    yield from _row("time", f"{predicate['log']['time_utc'][:19].replace('T', ' ')} UTC")
    release = predicate["release"]
    if release:
        yield from _row("release", f"{release['id']} {release['version']}, manifest {release['manifest_sha256'][:16]}…")
    yield from _row("by", f"{predicate['operator']}, request {predicate['request_id']}")


def answer(predicate: Mapping[str, Any]) -> str:
    """What the record says, in one sentence; an implausible result says so."""
    if predicate["reason"]:
        return printable(predicate["reason"]["text"])
    flags = ", ".join(printable(check["name"]) for check in predicate["checks"] if not check["held"])
    return _found(predicate) + (f"; implausible: {flags}" if flags else "")


def _found(predicate: Mapping[str, Any]) -> str:
    """What a result found."""
    choice = predicate["decision"]
    unit = 1 << choice["score_bits"]
    if choice["chosen"]:
        count = len(choice["chosen"])
        region = "one region" if count == 1 else f"{count} regions"
        return f"lesion outlined: {region}, sum {signed(choice['chosen'][0]['score'] / unit, 3)}"
    if choice["runner_up"] is None:
        return "no lesion found: no candidate region"
    return f"no lesion found: the best sum is {signed(choice['runner_up']['score'] / unit, 3)}, not above 0"


def frame_of(about: Mapping[str, Any]) -> str:
    """Which frame of its file an input is, in words; nothing where it is the whole file."""
    frame = about.get("frame")
    return f"frame {frame['number']} of {frame['of']}" if frame else ""


def _input(predicate: Mapping[str, Any]) -> Iterator[Line]:
    """What the file said of itself, and its digests."""
    seen = predicate["input"]
    yield from _title("What came in")
    if seen is None:
        yield from _row("", "nothing that could be read")
        return
    if "shape" in seen:
        frames, rows, columns, samples = seen["shape"]
        parts = [seen["format"], seen["modality"], seen["photometric"], seen["dtype"], f"{rows} {TIMES} {columns}"]
        parts += [f"{frames} frames"] if frames != 1 else []
        parts += [frame_of(seen)]
        parts += [f"{samples} samples"] if samples != 1 else []
        yield from _row("image", ", ".join(str(part) for part in parts if part))
        spacing = seen["spacing_mm"]
        sides = f" {TIMES} ".join(map(_number, spacing or ()))
        said = f"{sides} mm{', declared by the operator' if seen.get('spacing_declared') else ''}"
        yield from _row("spacing", said if sides else "not stated: nothing is given in millimetres")
        held = ", ".join(sorted(seen["commitments"])) or "none in the file"
        yield from _row("identities", f"{held}{' (salted commitments only)' if seen['commitments'] else ''}")
    for name in ("file", "body", "pixels"):
        if seen.get(f"{name}_sha256"):
            yield from _row(f"{name} sha256", seen[f"{name}_sha256"])


def _checks(checks: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """Each gate check with its value and limit; those that did not hold come first."""
    if not checks:
        return
    failed = sum(not check["held"] for check in checks)
    yield from _title(f"Gate: {len(checks)} checks, {f'{failed} not held' if failed else 'all held'}")
    for check in sorted(checks, key=lambda check: bool(check["held"])):
        style: Style = "plain" if check["held"] else "alarm"
        columns = [textwrap.wrap(printable(check[part]), room) for part, room in _CHECK.items()]
        for number, cells in enumerate(zip_longest(*columns, fillvalue="")):
            mark = "" if number else "ok" if check["held"] else "NO"
            padded = "  ".join(f"{cell:<{room}}" for cell, room in zip(cells, _CHECK.values(), strict=True))
            yield style, f"  {mark:<2} {padded}".rstrip()


def _choice(choice: Mapping[str, Any]) -> Iterator[Line]:
    """The sum of each chosen region, or of the best candidate, beside the runner-up's."""
    unit = 1 << choice["score_bits"]
    other = choice["runner_up"]
    weighed = f"{choice['candidates']} candidate{'' if choice['candidates'] == 1 else 's'} weighed"
    if not choice["chosen"] and other is None:
        yield from _title("Why none")
        yield from _row("", f"{weighed}: no region formed at any threshold")
        return
    yield from _title("Why this region" if choice["chosen"] else "Why none: the best candidate's sum is not above 0")
    if not choice["chosen"]:
        yield from _row("", f"{weighed}; the best is {choice['margin'] / unit:.3f} short of zero")
    elif other is None:
        yield from _row("", f"{weighed}; none is left to compare with")
    else:
        yield from _row("", f"{weighed}; margin over the runner-up {signed(choice['margin'] / unit, 3)}")
    for number, region in enumerate(choice["chosen"]):
        if number:
            yield "plain", ""
        yield from _sum(region, None if number else other, unit)
    if not choice["chosen"]:
        yield from _sum(other, None, unit)


def _sum(region: Mapping[str, Any], other: Mapping[str, Any] | None, unit: int) -> Iterator[Line]:
    """One region's sum: a line a term, largest first, with the value it was read at and its exact integer."""
    row0, column0, row1, column1 = region["box"]
    place = f"rows {row0}-{row1 - 1}, columns {column0}-{column1 - 1} of the working grid"
    yield "plain", f"  {region['area_px']} px, {place}, rung {region['threshold']:+d}"
    if "detail_sha256" in region:
        kept = f"its terms are kept as artefact {region['detail_sha256'][:16]}…"
        yield "plain", f"  sum {signed(region['score'] / unit, 3)}; {kept}"
        return
    head = f"{'term':<{_TERM}} {'measured':>9} {'':<{2 * _HALF + 1}} {'value':>7} {f'x {unit}':>8}"
    yield "title", f"  {head} {'runner-up' if other else ''}".rstrip()
    terms, beside = region["terms"], other["terms"] if other else {}
    silent = [name for name in terms if terms[name] == 0 and beside.get(name, 0) == 0]
    order = sorted(set(terms) - set(silent), key=lambda name: (-abs(terms[name]), name))
    reach = max([abs(value) for value in terms.values()] + [abs(region["intercept"]), 1])
    for name in order:
        seen = measured(name, region["values"][name])
        yield "plain", _term(label(name), seen, terms[name], beside.get(name), unit, reach)
    yield "plain", _term("intercept", "", region["intercept"], other["intercept"] if other else None, unit, reach)
    yield "plain", "  " + "─" * (WIDTH - 2)
    yield "title", _term("sum", "", region["score"], other["score"] if other else None, unit, reach)
    yield from _row("units", "gl grey level, qc quantile code, % share of the image or perimeter")
    if silent:
        yield from _row("zero", ", ".join(label(name) for name in silent))


def _term(name: str, seen: str, value: int, other: int | None, unit: int, reach: int) -> str:  # noqa: PLR0913 -- the columns
    """One line of a sum: name, measured value, bar, decimal, integer, the runner-up's decimal."""
    beside = "" if other is None else signed(other / unit, 3)
    own = f"{signed(value / unit, 3):>7} {value:>+8d} {beside:>9}"
    return f"  {short(name, _TERM):<{_TERM}} {seen:>9} {_bar(value, reach)} {own}".rstrip()


def _bar(value: int, reach: int) -> str:
    """A signed bar of 2 * _HALF + 1 characters around a middle line, in half characters; cut off beyond ``reach``."""
    halves = min((2 * _HALF * abs(value) + reach // 2) // reach, 2 * _HALF)
    full, odd = divmod(halves, 2)
    if value >= 0:
        return " " * _HALF + "│" + ("█" * full + "▌" * odd).ljust(_HALF)
    return ("▐" * odd + "█" * full).rjust(_HALF) + "│" + " " * _HALF


def _evidence(pixels: Mapping[str, Any]) -> Iterator[Line]:
    """What each name gave to the pixels of the lesion, its border and the background."""
    unit = 1 << pixels["logit_bits"]
    zones = pixels["integrals"]
    yield from _title("Pixel evidence by name (sums over the half grid, logit·pixels)")
    shown = _shown(pixels)
    yield _heads(shown)
    named = sorted(set(zones["lesion"]) - {"rest", "bias"}, key=lambda n: (-max(abs(zones[z][n]) for z in shown), n))
    for name in (*named, "rest", "bias"):
        cells = "".join(f"{signed(zones[zone][name] / unit, 1):>15}" for zone in shown)
        yield "plain", f"  {short(label(name), _NAME):<{_NAME}}{cells}"
    yield "plain", "  " + "─" * (_NAME + 15 * len(shown))
    totals = "".join(f"{signed(sum(zones[zone].values()) / unit, 1):>15}" for zone in shown)
    yield "title", f"  {'logit':<{_NAME}}{totals}"
    numerator, denominator = (int(pixels["named_share"][part]) for part in ("numerator", "denominator"))
    share = f"{numerator / denominator:.1%}" if denominator else "no part"
    yield from _row("named share", f"{share} of the logit's variance (centred)")
    sure, of = pixels["certified"]["pixels"], pixels["certified"]["of"]
    limit = f"in sign, whatever the rest (at most {pixels['rho'] / unit:.3g})"
    yield from _row("certified", f"{sure} of {of} pixels ({sure / of:.1%}), {limit}")


def _shown(pixels: Mapping[str, Any]) -> list[str]:
    """The zones in which there is anything."""
    return [name for name in _ZONES if any(pixels["integrals"][name].values())] or ["background"]


def _heads(shown: Sequence[str]) -> Line:
    """The heads of a table with a column a zone."""
    return "title", "  " + " " * _NAME + "".join(f"{name if len(shown) > 1 else 'image':>15}" for name in shown)


def _groups(gates: Mapping[str, Any], pixels: Mapping[str, Any]) -> Iterator[Line]:
    """What the groups of the thirteen values gave to the same sums through the gates; records before 0.3 do not say."""
    if "groups" not in gates:
        return
    groups, shown = gates["groups"], _shown(pixels)
    unit = groups["denominator"] << pixels["logit_bits"]
    yield from _title("The same evidence by the measured values, through the gates (Shapley)")
    yield _heads(shown)
    for name in sorted(groups[shown[0]], key=lambda name: name == "usual"):
        cells = "".join(f"{signed(groups[zone][name] / unit, 1):>15}" for zone in shown)
        yield "plain", f"  {short('with usual values' if name == 'usual' else name, _NAME):<{_NAME}}{cells}"
    yield "plain", "  " + "─" * (_NAME + 15 * len(shown))
    totals = "".join(f"{signed(sum(groups[zone].values()) / unit, 1):>15}" for zone in shown)
    yield "title", f"  {'logit':<{_NAME}}{totals}"


def _measured(radiomics: Mapping[str, Any]) -> Iterator[Line]:
    """The global values of the image, with unit and IBSI code, and how many values each lesion has."""
    yield from _title("Radiomic values of the image")
    values = radiomics["paper"]
    for key in sorted(values, key=lambda key: (list(BY_KEY).index(key) if key in BY_KEY else len(BY_KEY), key)):
        known = BY_KEY.get(key)
        unit = known.unit if known else ""
        code = f"IBSI {known.ibsi}" if known and known.ibsi else ""
        yield "plain", f"  {short(label(key), _NAME):<{_NAME}} {_number(values[key]):>14}  {unit:<20} {code}".rstrip()
    for place, lesion in enumerate(radiomics["lesions"], start=1):
        missing = sum(isinstance(value, Mapping) for value in lesion["values"].values())
        said = f"{len(lesion['values'])} PyRadiomics values of {lesion['pixels']} pixels, {missing} of them undefined"
        yield from _row(f"lesion {place}", f"{said} (all with --json)")


def _outputs(predicate: Mapping[str, Any]) -> Iterator[Line]:
    """Digests of what left the device, of the stages on the way, and the gates' settings."""
    outputs, gates, stages = predicate["outputs"], predicate["gates"], predicate["stages"]
    yield from _title("What went out")
    rows, columns = outputs["mask_shape"]
    yield from _row("mask", f"{rows} {TIMES} {columns}, 0 or 1, at the input's size")
    yield from _row("mask sha256", outputs["mask_sha256"])
    yield from _row("maps sha256", outputs["contributions_sha256"])
    yield from _row("arithmetic", predicate["arithmetic"])
    yield from _row("stages", ", ".join(f"{name} {stages[name][:8]}…" for name in _STAGES if name in stages))
    for name in ("gamma", "attention"):
        yield from _row(name, ", ".join(_number(value) for value in gates[name]) + "  (gates, fine to coarse)")


def _seal(predicate: Mapping[str, Any], proof: Proof, /) -> Iterator[Line]:
    """Who signed, and what was verified before this page was written."""
    yield from _title("Proof (verified before this page was printed)")
    yield from _row("signed by", proof.keyid)
    yield from _row("", f"an engine's key; its record number {predicate['log']['counter']}")
    yield from _row("envelope", proof.envelope_sha256)
    yield from _row("leaf", proof.leaf_sha256)
    yield from _row("included", f"entry {proof.index} lies in the signed tree of {proof.size} entries with root")
    yield from _row("", proof.root)
    for claim in proof.claims:
        yield from _row("claim", claim)


def _signed(signatures: Sequence[Signature]) -> Iterator[Line]:
    """Printed name, time and meaning of each signature (21 CFR 11.50)."""
    if not signatures:
        return
    yield from _title(f"Electronic signatures: {len(signatures)} (verified before this page was printed)")
    for one in signatures:
        yield from _row(one.meaning, f"{one.name} ({one.user}, {', '.join(one.roles)})")
        yield from _row("", f"{one.time_utc[:19].replace('T', ' ')} UTC, record {one.record_id}")
        if one.reason is not None:
            yield from _row("reason", one.reason)
        for name, digest in one.shown:
            yield from _row("having seen", f"{name}, sha256 {digest}")


def _title(text: str) -> Iterator[Line]:
    yield "plain", ""
    yield "title", text


def _row(key: str, value: object) -> Iterator[Line]:
    """A key and its value; a long value goes on below itself."""
    text = printable(value)
    wrapped = textwrap.wrap(text, WIDTH - _KEY - 2, break_on_hyphens=False) or [""]
    for number, part in enumerate(wrapped):
        yield "plain", f"  {key if number == 0 else '':<{_KEY}}{part}"


def _number(text: str) -> str:
    """A ``float.hex()`` string with six significant digits."""
    return f"{float.fromhex(text):.6g}".replace("-", MINUS)
