# SPDX-License-Identifier: Apache-2.0
"""Every name is written one way for the reader, wherever it appears, and nothing unprintable is written at all."""

from __future__ import annotations

from radiomicnet_md.radiomics.definitions import BY_KEY
from radiomicnet_md.radiomics.region_definitions import VALUES

MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"
UNITS = {"grey level": "gl", "quantile code": "qc"}

_VALUES = {definition.name: definition for definition in VALUES}


def label(key: str) -> str:
    """A feature's or term's key as a reader knows it: "inside glcm_Contrast" is "inside GLCM contrast"."""
    kind, space, feature = key.rpartition(" ")
    known = BY_KEY.get(feature)
    return printable(f"{kind}{space}{known.name}" if known else key.replace("_", " "))


def measured(key: str, value: int) -> str:
    """A region's named value in its unit: shares in percent, the others with the sign of :data:`UNITS`."""
    known = _VALUES.get(key)
    if known is None:
        return str(value)
    if known.unit.startswith("share"):
        return f"{100 * value / known.scale:.1f} %".replace("-", MINUS)
    return f"{value / known.scale:.2f} {UNITS.get(known.unit, '')}".rstrip().replace("-", MINUS)


def short(text: str, width: int) -> str:
    """The text in at most ``width`` characters: first by the usual abbreviation, then its middle gives way."""
    text = text if len(text) <= width else text.replace("standard deviation", "SD")
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[-tail:]}"


def printable(text: object) -> str:
    """The text with every character that a terminal could obey, or that hides, shown as "?"."""
    return "".join(char if char.isprintable() else "?" for char in str(text))


def signed(value: float, digits: int) -> str:
    """A number with its sign, as typographers set it; never a negative zero."""
    text = f"{value:+.{digits}f}"
    return (text.replace("-", "+") if float(text) == 0 else text).replace("-", MINUS)
