# SPDX-License-Identifier: Apache-2.0
"""Pages of reference that are written from the code are what the code gives today."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

from deploy.site import commands
from radiomicnet_md import cli
from radiomicnet_md_traceability import interface

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


PUBLIC = [(file, name) for files in interface.PUBLIC.values() for file, names in files.items() for name in names]


def test_the_page_of_the_interface_is_what_the_source_says() -> None:
    assert (ROOT / interface.PAGE).read_text(encoding="utf-8") == interface.page(ROOT)


@pytest.mark.parametrize(("file", "name"), PUBLIC, ids=lambda value: Path(value).stem)
def test_a_public_name_can_be_imported_under_the_name_on_the_page_and_has_its_parameters(file: str, name: str) -> None:
    page = interface.page(ROOT)
    (dotted,) = re.findall(rf"^`([\w.]+\.{name})`$", page, re.MULTILINE)
    module, _, _ = dotted.rpartition(".")
    assert file.endswith((f"{module.replace('.', '/')}.py", "__init__.py"))
    found = getattr(importlib.import_module(module), name)
    assert inspect.getdoc(found)
    section = page[page.index(f"\n`{dotted}`\n") :].partition("\n### ")[0]
    if inspect.isfunction(found):
        assert [one for one in inspect.signature(found).parameters if not re.search(rf"\b{one}\b: ", section)] == []


def test_a_public_name_that_is_gone_ends_the_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interface, "PUBLIC", {"Measure": {"radiomicnet_md/radiomics/__init__.py": ("gone",)}})
    with pytest.raises(KeyError, match="gone"):
        interface.page(ROOT)
