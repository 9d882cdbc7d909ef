# SPDX-License-Identifier: Apache-2.0
"""Pages of reference that are written from the code are what the code gives today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.site import commands
from radiomicnet_md import cli

pytestmark = pytest.mark.verifies("SRS-DOC-005")

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_of_the_command_line_is_what_the_parsers_take() -> None:
    assert commands.PAGE.read_text(encoding="utf-8") == commands.page()


def test_each_verb_option_and_verb_below_a_verb_is_on_the_page() -> None:
    page = commands.PAGE.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    assert set(cli.VERBS) <= set(headings)
    assert {"audit verify", "audit hold list", "dicom listen", "trace check"} <= set(headings)
    for verb in cli.VERBS:
        options = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", cli.parser_of(verb).format_help()))
        assert {option for option in options - {"--help"} if option not in page} == set(), verb
