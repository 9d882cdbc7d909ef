# SPDX-License-Identifier: Apache-2.0
"""Every case that a unit left out is scored under every decision, misses and false regions included."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from radiomicnet_md.model.network import Answer
from radiomicnet_md_training import dataset, evaluate, harness, networks, pixel, region

pytestmark = pytest.mark.usefixtures("one_thread", "measured_once")
Write = Callable[..., Path]


class Fixed(nn.Module):
    """Answers with one pattern (h, w), whatever it sees; its only weight hardly moves."""

    def __init__(self, pattern: Tensor) -> None:
        super().__init__()
        self.register_buffer("pattern", pattern)
        self.shift = nn.Parameter(torch.zeros(1))

    def forward(self, image: Tensor, values: Tensor, codes: Tensor) -> Answer:  # noqa: ARG002 - one call for all
        return Answer((self.pattern + self.shift).expand(len(image), 1, *self.pattern.shape), None)


def corner(side: int) -> Tensor:
    """High in the lower right part of a content of 144 × 192 pixels of the working grid, low elsewhere."""
    pattern = torch.full((192, 192), -1.0)
    pattern[96:144, 144:] = 5.0
    return pattern[:: 192 // side, :: 192 // side]


def lines_of(pattern: Tensor, phantoms: Path, file: Path, at: Path, patch: pytest.MonkeyPatch) -> list[evaluate.Line]:
    patch.setitem(networks.BASELINES, "fixed", lambda: Fixed(pattern))
    return evaluate.evaluate(harness.open_row(file, phantoms, at), phantoms)


@pytest.mark.verifies("SRS-MOD-004", "SRS-MOD-009")
@pytest.mark.parametrize("level", [-3.0, 3.0])
def test_a_network_that_says_one_thing_everywhere_gets_what_it_deserves(
    level: float, phantoms: Path, write_recipe: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_recipe("fixed", {"rate": 1e-6})
    lines = lines_of(torch.full((96, 96), level), phantoms, file, tmp_path, monkeypatch)
    assert {line["decision"] for line in lines} == {"one view", "two views"}
    for decision in ("one view", "two views"):
        chosen = {line["id"]: line for line in evaluate.of(lines, decision)}
        assert sorted(chosen) == [f"p{seed}" for seed in range(9)]
        for name, line in chosen.items():
            truth = dataset.read_grey(phantoms / "masks" / f"{name}.png") > 0
            assert line["lesion"] == int(truth.any())
            assert line["found"] == int(level > 0)
            right = 2 * truth.sum() / (truth.sum() + truth.size) if level > 0 else float(not truth.any())
            assert float(line["dice"]) == pytest.approx(right, abs=1e-6)  # at the size of the file
            assert float(line["presence"]) == pytest.approx(level, abs=1e-3)


@pytest.mark.verifies("SRS-MOD-009")
@pytest.mark.parametrize("side", [96, 192])
def test_presence_looks_at_the_whole_image_on_either_grid(
    side: int, phantoms: Path, write_recipe: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = lines_of(corner(side), phantoms, write_recipe("fixed", {"rate": 1e-6}), tmp_path, monkeypatch)
    for decision, level in (("one view", 5.0), ("two views", 2.0)):  # the mirror image has it at the left
        found = [float(line["presence"]) for line in evaluate.of(lines, decision)]
        assert found == pytest.approx([level] * 9, abs=1e-3)


@pytest.mark.verifies("SRS-MOD-004", "SRS-MOD-011")
def test_every_case_has_a_line_under_every_decision_of_the_unit_that_left_it_out(
    phantoms: Path, write_recipe: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("interpret.glassbox", reason="absent: interpret-core")
    settings = {"bins": 8, "bags": 1, "rounds": 20, "rate": 0.1, "seed": 1, "sensitivity": 0.9}
    row = harness.open_row(write_recipe("locked", region=settings), phantoms, tmp_path)
    lines = evaluate.evaluate(row, phantoms)
    assert {line["decision"] for line in lines} == {
        "one view", evaluate.TWO_VIEWS, evaluate.EXACT, evaluate.ORACLE, *region.SETS,
    }  # fmt: skip
    for decision in {line["decision"] for line in lines}:
        assert sorted(line["id"] for line in evaluate.of(lines, decision)) == row.data.names
    for line in lines:
        case = row.data.names.index(line["id"])
        assert case in row.held_out(int(line["fold"]))
        assert (line["group"], line["lesion"]) == (row.data.groups[case], int(row.data.lesion[case]))
        assert all(math.isfinite(float(line[key])) for key in ("dice", "iou", "nsd", "hd95", "presence"))
        if line["lesion"] != line["found"]:
            assert float(line["dice"]) == 0
    kept = (row.folder / "cases.csv").read_bytes()
    monkeypatch.setattr(pixel, "train", None)  # what is scored is neither trained nor scored again
    again = evaluate.evaluate(row, phantoms)
    assert (row.folder / "cases.csv").read_bytes() == kept
    assert len(again) == len(lines)


@pytest.mark.verifies("SRS-MOD-009")
def test_the_evidence_of_what_was_left_out_is_kept_beside_its_lines(
    phantoms: Path, write_recipe: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines_of(corner(96), phantoms, write_recipe("fixed", {"rate": 1e-6}), tmp_path, monkeypatch)
    index: list[int] = []
    for file in sorted(tmp_path.glob("short/seed1/fold*/evidence.npz")):
        with np.load(file) as stored:
            assert stored["z"].shape == (len(stored["index"]), 96, 96)
            index += stored["index"].tolist()
    assert sorted(index) == list(range(9))
