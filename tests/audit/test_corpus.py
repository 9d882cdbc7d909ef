# SPDX-License-Identifier: Apache-2.0
"""Go and this verifier judge notes and proofs alike (the short form of ``python -m tests.audit.tampering``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.audit import corpus

pytestmark = pytest.mark.verifies("SRS-LOG-002", "SRS-LOG-003")


@pytest.fixture
def judge(require: Callable[[str], Path], tmp_path: Path) -> Path:
    go = require("go")
    require("go-sumdb")
    return corpus.build(go, tmp_path)


def test_go_and_we_agree_or_the_difference_has_a_name(judge: Path) -> None:
    key, cases = corpus.make(1_500, seed=2026)
    found = corpus.compare(judge, key, cases)
    assert found.unexplained == []
    assert found.cases == 1_500
    assert found.accepted > 250
    assert found.rejected > 500
    assert sum(found.we_accept.values()) < 20


def test_a_verifier_that_looks_at_less_is_told(judge: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radiomicnet_md_audit.merkle.verify_inclusion", lambda *_: None)
    key, cases = corpus.make(300, seed=1)
    found = corpus.compare(judge, key, cases)
    assert found.unexplained
    assert all(text.startswith("inclusion") for text in found.unexplained)


def test_a_seed_gives_its_corpus_always() -> None:
    assert corpus.make(60, seed=5)[1] == corpus.make(60, seed=5)[1]
    assert corpus.make(60, seed=5)[1] != corpus.make(60, seed=6)[1]
