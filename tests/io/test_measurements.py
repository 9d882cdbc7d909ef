# SPDX-License-Identifier: Apache-2.0
"""Every number of a decision is in its report, with a code that never changes its meaning; others read it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest

from radiomicnet_md import findings, io
from radiomicnet_md.decision import SCORE_BITS
from radiomicnet_md.radiomics.region_definitions import VALUE_NAMES
from tests import desks
from tests.io import samples
from tests.io.objects import UNDEFINED, decided, delivered, faults, mask_uid, reading


@pytest.mark.verifies("SRS-OUT-020")
def test_every_value_is_in_the_report_and_none_is_invented(tmp_path: Path, require: Callable[[str], Path]) -> None:
    source = reading(tmp_path)
    decision = decided(source)
    path = delivered(tmp_path, source, decision)["measurements"]
    (lesion,), (region,) = decision.lesions, decision.chosen
    expected = {
        (findings.OF_LESION[name].scheme, findings.OF_LESION[name].value): float.fromhex(value)
        for name, value in lesion["values"].items()
        if value is not UNDEFINED
    }
    expected |= {("99RNMD", findings.TERMS[n].value): term / (1 << SCORE_BITS) for n, term in region.terms.items()}
    expected |= {("99RNMD", "D006"): lesion["pixels"], ("99RNMD", "D007"): region.score / (1 << SCORE_BITS)}
    expected |= {("99RNMD", "D008"): region.intercept / (1 << SCORE_BITS)}
    report = highdicom.sr.srread(path)
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    found = {(m.name.scheme_designator, m.name.value): m.value for m in group.get_measurements()}
    assert found == expected
    assert group.referenced_segment.referenced_sop_instance_uid == mask_uid(path)
    (said,) = [item.TextValue for item in group[0].ContentSequence if item.name.meaning == "Comment"]
    assert said.startswith("34 left out, the size of a pixel is not known: ")
    texts = {
        item.ConceptNameCodeSequence[0].CodeValue: item.TextValue
        for item in _items(report)
        if item.ValueType == "TEXT" and item.ConceptNameCodeSequence[0].CodingSchemeDesignator == "99RNMD"
    }
    receipt = samples.RECEIPT
    assert (texts["D101"], texts["D102"], texts["D103"]) == (receipt.record_id, "7", receipt.envelope_sha256)
    _dcmqi_reads(require, path, expected)


def _items(dataset: Any) -> Iterator[Any]:  # noqa: ANN401
    for item in dataset.get("ContentSequence", ()):
        yield item
        yield from _items(item)


def _dcmqi_reads(require: Callable[[str], Path], path: Path, expected: dict[tuple[str, str], float]) -> None:
    told = path.with_suffix(".json")
    command = [require("dcmqi") / "tid1500reader", "--inputDICOM", path, "--outputMetadata", told]
    subprocess.run(command, check=True, capture_output=True)
    *_, group = json.loads(told.read_bytes())["Measurements"]
    read = {
        (item["quantity"]["CodingSchemeDesignator"], item["quantity"]["CodeValue"]): float(item["value"])
        for item in group["measurementItems"]
    }
    assert read.keys() == expected.keys()
    assert read == pytest.approx(expected, rel=1e-12, abs=1e-12)  # a decimal string has 16 characters


@pytest.mark.verifies("SRS-OUT-020")
def test_no_lesion_found_is_a_report_too(tmp_path: Path, require: Callable[[str], Path]) -> None:
    source = reading(tmp_path)
    none = desks.decision(io.grey(source.image), 0)
    assert none.chosen == ()
    path = delivered(tmp_path, source, none)["measurements"]
    assert faults(require, path) == []
    report = highdicom.sr.srread(path)
    assert report.content.get_volumetric_roi_measurement_groups() == []
    (group,) = report.content.get_image_measurement_groups()
    (presence,) = group.get_qualitative_evaluations()
    assert presence.value.meaning == "Absent"
    assert {m.name.meaning: m.value for m in group.get_measurements()}["Number of segmented regions"] == 0


@pytest.mark.verifies("SRS-OUT-020")
def test_dcmtk_shows_each_value_with_its_name(tmp_path: Path, require: Callable[[str], Path]) -> None:
    path = delivered(tmp_path, reading(tmp_path))["measurements"]
    page = subprocess.run(
        [require("dcmtk").with_name("dsr2html"), path], check=True, capture_output=True, text=True
    ).stdout
    names = [*findings.TERMS.values(), *list(findings.OF_LESION.values())[1::3]]
    assert [code.meaning for code in names if f"<b>{code.meaning}:</b>" not in page] == []


@pytest.mark.verifies("SRS-OUT-002", "SRS-OUT-020")
def test_each_of_two_regions_has_a_segment_and_a_group(tmp_path: Path, require: Callable[[str], Path]) -> None:
    source = reading(tmp_path)
    one = decided(source)
    (region,), rows = one.chosen, np.arange(len(one.levels))[:, None]
    halves = [replace(region, pixels=region.pixels & side) for side in (rows < 24, rows >= 24)]
    two = replace(one, chosen=tuple(halves), lesions=one.lesions * 2)
    paths = delivered(tmp_path, source, two)
    assert faults(require, paths["mask"]) == faults(require, paths["measurements"]) == []
    made = highdicom.seg.segread(paths["mask"])
    assert (made.pixel_array[0] == two.mask).all()
    assert made.pixel_array[1].any()
    assert made.pixel_array[2].any()
    assert not (made.pixel_array[1] & made.pixel_array[2]).any()
    groups = highdicom.sr.srread(paths["measurements"]).content.get_volumetric_roi_measurement_groups()
    assert [group.referenced_segment.referenced_segment_numbers for group in groups] == [[2], [3]]


@pytest.mark.verifies("SRS-OUT-020")
def test_the_page_lists_every_code_of_ours_and_none_changes_its_meaning(root: Path) -> None:
    tables = (findings.OF_IMAGE, findings.OF_LESION, findings.TERMS, findings.SHARES)
    codes = [*findings.OURS, findings.REST, findings.LOGIT, *(code for table in tables for code in table.values())]
    ours = {code.value: code.meaning for code in codes if code.scheme == "99RNMD"}
    page = (root / "docs/reference/dicom-objects.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| `([A-Z]\d{3})` \| (.+) \|$", page, re.MULTILINE)) == ours
    assert list(findings.TERMS) == list(VALUE_NAMES)
    for code in codes:
        assert len(code.value) <= 16
        assert 0 < len(code.meaning) <= 64
        assert code.meaning.isascii()
    for code, meaning in findings.UNITS.values():
        assert code.isascii()
        assert len(code) <= 16
        assert len(meaning) <= 64
