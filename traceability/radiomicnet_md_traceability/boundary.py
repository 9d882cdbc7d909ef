# SPDX-License-Identifier: Apache-2.0
"""The border of trust, and the flows over and within it, from the threats' own ``flow``.

Rules of this module:

- Each flow of a threat is one arrow, with the ids of its threats. An arrow over the border is red.
- ``PLACES`` says where the ends of flows stand. An end that it does not know is drawn all the same, outside the border
  and below the others: what nobody has thought about is not trusted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from radiomicnet_md_traceability.drawing import Drawing, wrapped
from radiomicnet_md_traceability.load import Item

# Column and row; columns 1 and 2 lie inside the border.
PLACES: Mapping[str, tuple[int, int]] = {
    "archive": (0, 0),
    "environment": (0, 1),
    "release": (0, 2),
    "scheduler": (0, 3),
    "browser": (0, 4),
    "reviewer": (0, 6),
    "reader": (1, 0),
    "engine": (1, 1),
    "worker": (1, 3),
    "page": (1, 5),
    "vault": (2, 0),
    "disk": (2, 2),
    "ledger": (2, 3),
    "log": (2, 5),
    "export": (3, 4),
    "anchor": (3, 6),
}
_OUTSIDE = (0, 3)
_COLUMNS = (20, 296, 540, 816)
_WIDTH, _BOX, _TOP, _ROW, _SIZE = 962, (126, 40), 92, 78, 11
_HEADS = ("outside", "one machine, one account", "", "outside")


def flows(threats: Iterable[Item]) -> dict[tuple[str, str], list[str]]:
    """From and to, with the threats on the way."""
    found: dict[tuple[str, str], list[str]] = {}
    for item in threats:
        start, _, end = str(item.values["flow"]).partition(" to ")
        found.setdefault((start, end), []).append(item.id)
    return found


def draw(threats: Iterable[Item]) -> str:
    """The picture."""
    seen = flows(threats)
    ends = list(dict.fromkeys(end for flow in seen for end in flow))
    last = max(row for _, row in PLACES.values())
    strangers = [end for end in ends if end not in PLACES]
    at = {end: PLACES[end] for end in ends if end in PLACES}
    at |= {end: (0, last + 1 + number) for number, end in enumerate(strangers)}
    bottom = _TOP + _ROW * (last + 1) - 8
    drawing = Drawing("Border of trust and flows with threats", _WIDTH, bottom + _ROW * len(strangers) + 16)
    drawing.words(20, 26, "The border of trust, and the threats on each flow", size=17, bold=True)
    drawing.words(
        20, 46, "Red: over the border. Grey: within it, where an account of the machine could reach.", colour="soft"
    )
    drawing.box(
        _COLUMNS[1] - 26, 60, _COLUMNS[2] + _BOX[0] - _COLUMNS[1] + 52, bottom - 60, fill="", border="bad", dashed=True
    )
    for x, head in zip(_COLUMNS, _HEADS, strict=True):
        drawing.words(x, 79, head, colour="bad" if x == _COLUMNS[1] else "soft")
    ways = {flow: _way(at[flow[0]], at[flow[1]], both=flow[::-1] in seen) for flow in seen}
    colours = {flow: "bad" if len({at[end][0] in _OUTSIDE for end in flow}) > 1 else "soft" for flow in seen}
    for flow, way in ways.items():
        drawing.arrow(*way, colour=colours[flow])
    for flow, (here, there) in ways.items():
        x, y = here[0] + (there[0] - here[0]) * 2 // 5, here[1] + (there[1] - here[1]) * 2 // 5
        below = flow[::-1] in seen and here[0] < there[0]
        lines = wrapped(", ".join(seen[flow]), 130, _SIZE)
        for number, line in enumerate(lines):
            place = 16 + 14 * number if below else -6 - 14 * (len(lines) - 1 - number)
            drawing.label(x, y + place, line, colour=colours[flow])
    for end, (column, row) in at.items():
        x, y = _COLUMNS[column], _TOP + _ROW * row
        drawing.box(x, y, *_BOX)
        drawing.words(x + _BOX[0] // 2, y + 25, end, bold=True, anchor="middle")
    return drawing.svg()


def _way(start: tuple[int, int], end: tuple[int, int], *, both: bool) -> tuple[tuple[int, int], tuple[int, int]]:
    """From the edge of one box to that of another; of two ways between them, each a little aside."""
    here, there = _corner(start), _corner(end)
    if start[0] == end[0]:  # one above the other
        down, x = start[1] < end[1], here[0] + _BOX[0] // 2
        return (x, here[1] + down * _BOX[1]), (x, there[1] + (not down) * _BOX[1])
    right = start[0] < end[0]
    middle = _BOX[1] // 2 + both * (10 if right else -10)
    return (here[0] + right * _BOX[0], here[1] + middle), (there[0] + (not right) * _BOX[0], there[1] + middle)


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    return _COLUMNS[place[0]], _TOP + _ROW * place[1]
