# SPDX-License-Identifier: Apache-2.0
"""Two decisions side by side: both outlines, what one mask has that the other has not, and both sums term by term.

Rules of this module:

- A difference of masks is drawn only where both are of the same samples; else there is nothing to subtract.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from radiomicnet_md.review.names import label, signed
from radiomicnet_md.web import case, layers
from radiomicnet_md.web.admission import DeniedError, Here
from radiomicnet_md.web.house import House, Opened
from radiomicnet_md.web.rendering import page

router = APIRouter(include_in_schema=False)


@router.get("/compare")
def compare(
    request: Request,
    house: Here,
    one: Annotated[str, Query(max_length=26)] = "",
    other: Annotated[str, Query(max_length=26)] = "",
) -> HTMLResponse:
    """Two decisions, or the form that asks for them."""
    if not (one and other):
        return page(request, "compare.html", pair=None, one=one, other=other)
    pair = [_side(house, record_id) for record_id in (one, other)]
    same = _same_samples(pair[0]["opened"], pair[1]["opened"])
    return page(
        request,
        "compare.html",
        pair=pair,
        one=one,
        other=other,
        same=same,
        overlap=_overlap(pair) if same else None,
        rows=_rows(pair[0]["opened"], pair[1]["opened"]),
    )


@router.get("/compare/{one}/{other}/difference.png")
def difference(house: Here, one: str, other: str) -> Response:
    """What is in one mask alone, in the other alone, and in both."""
    pair = [_side(house, record_id) for record_id in (one, other)]
    shown = [side["view"].shown for side in pair]
    if not _same_samples(pair[0]["opened"], pair[1]["opened"]) or None in shown:
        raise DeniedError(404, "E-WEB-NOTHING", "These two are not of the same samples.", remedy="Choose two others.")
    return Response(layers.difference(shown[0].mask, shown[1].mask), media_type="image/png")


def _side(house: House, record_id: str) -> dict[str, Any]:
    opened = house.open(record_id)
    if not opened.is_decision:
        raise DeniedError(404, "E-WEB-NOTHING", "This record is no decision.", remedy="Choose a decision.")
    return {"opened": opened, "view": case.view(house, opened), "line": case.line(opened)}


def _same_samples(one: Opened, other: Opened) -> bool:
    digests = [(side.predicate["input"] or {}).get("pixels_sha256") for side in (one, other)]
    return one.is_result and other.is_result and digests[0] is not None and digests[0] == digests[1]


def _overlap(pair: list[dict[str, Any]]) -> str | None:
    """Dice of the two masks; 1 where both are empty."""
    one, other = (side["view"].shown for side in pair)
    if one is None or other is None:
        return None
    size = int(one.mask.sum()) + int(other.mask.sum())
    return f"{2 * int((one.mask & other.mask).sum()) / size if size else 1.0:.4f}"


def _rows(one: Opened, other: Opened) -> list[dict[str, str]]:
    """Both sums term by term, the largest difference first."""
    if not (one.is_result and other.is_result):
        return []
    found = [_terms(side) for side in (one, other)]
    if None in found:
        return []
    (mine, unit), (theirs, other_unit) = (pair for pair in found if pair is not None)
    names = sorted(
        mine.keys() | theirs.keys(),
        key=lambda name: (-abs(mine.get(name, 0) / unit - theirs.get(name, 0) / other_unit), name),
    )
    rows = []
    for name in names:
        values = (mine.get(name, 0) / unit, theirs.get(name, 0) / other_unit)
        texts = (signed(values[0], 3), signed(values[1], 3), signed(values[0] - values[1], 3))
        rows.append(dict(zip(("name", "one", "other", "difference"), (label(name), *texts), strict=True)))
    return rows


def _terms(opened: Opened) -> tuple[dict[str, int], int] | None:
    choice = opened.predicate["decision"]
    region = choice["chosen"][0] if choice["chosen"] else choice["runner_up"]
    if region is None:
        return None
    return {**region["terms"], "intercept": region["intercept"], "sum": region["score"]}, 1 << choice["score_bits"]
