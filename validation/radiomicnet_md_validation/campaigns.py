# SPDX-License-Identifier: Apache-2.0
"""A campaign is run once, kept as it was found, and shown on a page and in a picture that follow from what was kept.

Rules of this module:

- ``validation/recorded/NAME.json`` holds what was found, with the day, the machine and the release. Page and picture
  are functions of that file alone, so that a test can make both again without running anything.
- Numbers are kept with six significant digits: more would be the noise of the last one.
- Every page opens with the stamp.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radiomicnet_md import compiling
from radiomicnet_md.review import canvas
from radiomicnet_md_validation import recorded

STAMP = "Demonstration on public data, not clinical evidence."
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
"""Okabe and Ito 2008: apart for every common form of colour blindness."""
MARKS = "osD^vPX*"
_DIGITS = 6
_WIDTH = 118  # characters of a line
_WHOLE = re.compile(r"`[^`]+`|\[[^]]+\]\([^)]+\)")  # a name, or a link
_KEPT = "\0"  # a space in it
Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A name, what is done, and how it is shown; files are below the current folder."""

    name: str  # of its files
    module: str
    title: str
    run: Callable[[int], dict[str, Any]]  # of the number of cases
    cases: int  # how many, where nobody says
    body: Callable[[Found], list[str]]  # lines of the page below its head
    picture: Callable[[Found], bytes]  # PNG

    @property
    def record(self) -> Path:
        """What was found."""
        return Path(f"validation/recorded/{self.name}.json")

    @property
    def page_file(self) -> Path:
        """The page."""
        return Path(f"docs/reference/{self.name}.md")

    @property
    def picture_file(self) -> Path:
        """The picture on it."""
        return Path(f"docs/reference/quantities/{self.name}.png")

    def read(self) -> dict[str, Any]:
        """What was kept."""
        kept: dict[str, Any] = json.loads(self.record.read_text(encoding="utf-8"))
        return kept

    def page(self, found: Found) -> str:
        """The whole page."""
        by = found["by"]
        machine = recorded.described(by["machine"])
        head = [
            f"<!-- Made by `python -m radiomicnet_md_validation.{self.module} --write`. -->",
            f"# {self.title}",
            "",
            *paragraph(f"{STAMP} Measured on {by['date']} with release {by['release']}, on {machine}."),
        ]
        return "\n".join([*head, *self.body(found), ""])


def main(campaign: Campaign, arguments: list[str] | None = None) -> int:
    """Run a campaign and show its page, or write record, page and picture."""
    parser = argparse.ArgumentParser(prog=f"python -m radiomicnet_md_validation.{campaign.module}")
    parser.add_argument("--write", action="store_true", help=f"write {campaign.page_file} and what it follows from")
    parser.add_argument("--cases", type=int, default=campaign.cases, help=f"how many ({campaign.cases})")
    chosen = parser.parse_args(arguments)
    compiling.use_private_cache()
    found = rounded({"by": _by(), **campaign.run(chosen.cases)})
    if not chosen.write:
        sys.stdout.write(campaign.page(found))
        return 0
    campaign.record.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    show(campaign)
    return 0


def show(campaign: Campaign) -> None:
    """Write page and picture anew from what was kept."""
    found = campaign.read()
    campaign.page_file.write_text(campaign.page(found), encoding="utf-8")
    campaign.picture_file.parent.mkdir(exist_ok=True)
    campaign.picture_file.write_bytes(drawn(campaign, found))


def drawn(campaign: Campaign, found: Found) -> bytes:
    """The picture, with the house's settings."""
    with canvas.plain_settings():
        return campaign.picture(found)


def paragraph(text: str) -> list[str]:
    """Lines of a page and an empty one; neither a link nor a name is broken."""
    whole = _WHOLE.sub(lambda found: found.group().replace(" ", _KEPT), " ".join(text.split()))
    lines = textwrap.wrap(whole, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [*(line.replace(_KEPT, " ") for line in lines), ""]


def rounded(value: Any) -> Any:  # noqa: ANN401 - as JSON has it
    """The value with every float at six significant digits."""
    if isinstance(value, Mapping):
        return {str(name): rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def _by() -> dict[str, Any]:
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return {"date": today, "release": recorded.release(), "machine": recorded.machine()}
