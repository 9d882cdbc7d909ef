# SPDX-License-Identifier: Apache-2.0
"""The reference page is what the code's tables say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from radiomicnet_md.radiomics import glcm, lbp, lesion_definitions, moments, named_maps, reference, surface
from radiomicnet_md.radiomics.definitions import DEFINITIONS, NAMED, PAPER

pytestmark = pytest.mark.verifies("SRS-RAD-001", "SRS-RAD-002")


def test_the_page_is_the_code_s(root: Path) -> None:
    written = (root / reference.PAGE).read_text(encoding="utf-8")
    assert written == reference.page(), "run: python -m radiomicnet_md.radiomics.reference --write"


def test_the_command_shows_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reference.main([])
    assert capsys.readouterr().out == reference.page()
    (tmp_path / "docs" / "reference").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    reference.main(["--write"])
    assert (tmp_path / reference.PAGE).read_text(encoding="utf-8") == reference.page()


def test_the_names_stand_in_the_order_of_the_maps() -> None:
    assert (*glcm.FEATURES, *lbp.FEATURES, *moments.FEATURES, *surface.FEATURES) == NAMED
    assert NAMED[:13] == PAPER
    assert NAMED[named_maps.SHAPE_RATIO] == "hessian_ShapeIndex"


def test_every_definition_is_complete() -> None:
    for definition in DEFINITIONS:
        assert all((definition.key, definition.name, definition.formula, definition.unit, definition.undefined))
        assert re.fullmatch("([0-9A-Z]{4})?", definition.ibsi)
    measures = lesion_definitions.TEXTURE | lesion_definitions.SHAPE[2] | lesion_definitions.SHAPE[3]
    codes = [measure.ibsi for measure in measures.values() if measure.ibsi]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch("[0-9A-Z]{4}", code) for code in codes)
    assert (len(lesion_definitions.TEXTURE), len(lesion_definitions.SHAPE[2]), len(lesion_definitions.SHAPE[3])) == (
        93,
        9,
        14,
    )


def test_both_tables_give_a_name_the_same_code() -> None:
    for definition in DEFINITIONS:
        measure = lesion_definitions.TEXTURE.get(definition.key)
        if measure is not None:
            assert (measure.ibsi, measure.unit) == (definition.ibsi, definition.unit), definition.key
