# SPDX-License-Identifier: Apache-2.0
"""The colours and the typeface of every picture.

Rules of this module:

- Colours stay apart for every common form of colour blindness (Okabe and Ito, 2008; RdBu of ColorBrewer), and
  no colour carries a meaning alone: lines differ in dash, signs stand in print.
- The typeface is DejaVu Sans as matplotlib carries it, so that no system font has a say.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from radiomicnet_md.errors import ConfigurationError

CHOSEN = "#f0a818"  # amber: the region that was chosen, solid
RUNNER_UP = "#56b4e9"  # sky blue: the next best region, dashed
POSITIVE = "#b2182b"  # speaks for a lesion
NEGATIVE = "#2166ac"  # speaks against
INK = "#1b1f24"
MUTED = "#5d6670"
RULE = "#d5dae0"
STRIP = "#15181c"
CAUTION = "#ffd479"  # the stamp


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of ``#rrggbb``."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def typeface(file: str) -> Path:
    """The font file of that name.

    Raises:
        ConfigurationError: E-PICTURES where matplotlib is not installed.

    """
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        raise without_matplotlib()
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / file


def without_matplotlib() -> ConfigurationError:
    """Nothing can be drawn here."""
    return ConfigurationError(
        "E-PICTURES",
        "Pictures need matplotlib, which is not installed here.",
        remedy="Install the extra that brings it: pip install 'radiomicnet-md[report]'",
    )
