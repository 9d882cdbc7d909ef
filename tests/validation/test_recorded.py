# SPDX-License-Identifier: Apache-2.0
"""What another machine recorded has the hash of this one, and stands beside it only where it is of the same things."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from radiomicnet_md_validation import determinism, recorded
from radiomicnet_md_validation.determinism import STAGES

pytestmark = pytest.mark.verifies("SRS-ENG-001", "SRS-ENG-011")
IMAGES = [np.arange(12, dtype=np.uint8).reshape(3, 4), np.ones((2, 2), dtype=np.uint8)]
ONE = dict.fromkeys((*STAGES, determinism.FLOAT), "0" * 64)


@pytest.fixture
def kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> recorded.Recorded:
    monkeypatch.chdir(root)
    found = recorded.read()
    assert found is not None
    return found


def test_a_gpu_another_torch_and_the_reference_were_recorded_with_the_hash_of_the_page(
    root: Path, kept: recorded.Recorded
) -> None:
    assert {f"GPU, batch of {count}" for count in (1, 2, 5, 64)} <= set(kept.rows)
    assert {"reference in plain NumPy", "1 thread", "torch, 2 threads"} <= set(kept.rows)
    assert kept.machine["torch"].startswith("2.11.")
    page = (root / determinism.PAGE).read_text(encoding="utf-8")
    live = re.search(r"^\| 1 thread \| (.+) \|$", page, re.MULTILINE)
    assert live is not None
    hashes = re.findall(r"[0-9a-f]{12}", live.group(1))[: len(STAGES)]
    for name, row in kept.rows.items():
        assert [row[stage][:12] for stage in STAGES] == hashes, name
    assert all(len({row[stage] for row in kept.rows.values()}) == 1 for stage in STAGES)


def test_it_is_of_the_release_that_ships(kept: recorded.Recorded) -> None:
    assert kept.release == recorded.release()


def test_only_the_same_images_and_release_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept.json"
    monkeypatch.setattr(recorded, "FILE", path)
    assert recorded.fitting(IMAGES) is None
    recorded.write(path, {"a": ONE}, IMAGES)
    kept = recorded.fitting(IMAGES)
    assert kept is not None
    assert kept.rows == {"a": ONE}
    assert recorded.fitting(IMAGES[::-1]) is None
    path.write_text(json.dumps(asdict(replace(kept, release="another"))), encoding="utf-8")
    assert recorded.fitting(IMAGES) is None


def test_the_page_keeps_what_was_recorded_apart_and_says_where_it_differs(kept: recorded.Recorded) -> None:
    row = kept.rows["1 thread"]
    same = "\n".join(recorded.section({"a": row}, kept, (*STAGES, determinism.FLOAT)))
    assert "These lines were not run here" in same
    assert f"{len(kept.rows)} configurations, the hash of every stage above" in same
    assert "float32 of cuBLAS ieee" in same
    assert "NOT RUN" not in same
    assert "**NOT the hashes above**" in "\n".join(recorded.section({"a": ONE}, kept, (*STAGES, determinism.FLOAT)))
    assert "NOT RUN" in "\n".join(recorded.section({"a": ONE}, None, (*STAGES, determinism.FLOAT)))


@pytest.mark.parametrize("changed", [False, True])
def test_a_recorded_hash_that_differs_fails_the_run(
    kept: recorded.Recorded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, changed: bool
) -> None:
    rows = {"GPU, batch of 1": ONE | ({"logit": "1" * 64} if changed else {})}
    monkeypatch.setattr(recorded, "fitting", lambda _: replace(kept, rows=rows))
    monkeypatch.setattr(determinism, "rows", lambda _: {"a": ONE})
    assert determinism.main(["--images", "1"]) == (determinism.DIFFERENT if changed else 0)
    assert "Recorded on another machine" in capsys.readouterr().out
