# SPDX-License-Identifier: Apache-2.0
"""A short form of the campaign of mutated files, and proof that the campaign would see what it looks for."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from radiomicnet_md import io
from tests.io import mutating, mutations, samples

MUTATIONS = 320


@pytest.mark.verifies("SRS-INP-016", "SRS-INP-001")
def test_mutated_files_end_in_a_reading_or_a_refusal() -> None:
    result = mutations.run(MUTATIONS, seed=2026)
    assert result.broken == []
    assert result.count == MUTATIONS
    assert result.slowest_s <= mutations.LONGEST_S
    assert result.largest_bytes <= mutations.MOST_BYTES
    refusals = {code for counter in result.outcomes.values() for code in counter} - {"admitted"}
    assert len(refusals) >= 10
    assert all(code.startswith(("E-INPUT-", "E-GATE-", "E-OUTPUT-SOURCE")) for code in refusals)


@pytest.mark.verifies("SRS-INP-016")
def test_a_mutation_is_made_again_from_its_number() -> None:
    first, again = (mutations.case(number, seed) for number, seed in ((17, 3), (17, 3)))
    assert first == again
    assert mutations.case(17, 4) != first
    data = samples.ultrasound()
    for kind in mutating.KINDS:
        changed = [mutating.mutated(kind, data, mutations.random.Random(seed)) for seed in range(20)]
        assert sum(one != data for one in changed) >= 18, kind


@pytest.mark.verifies("SRS-INP-016")
def test_what_breaks_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def crashes() -> str:
        raise RecursionError("deep")

    def devours() -> str:
        return str(np.ones(3 * 2**30, dtype=np.uint8).sum())

    def hangs() -> str:
        time.sleep(60)
        return "admitted"

    monkeypatch.setattr(mutations, "LONGEST_S", 1)
    assert "RecursionError" in mutations.alone(crashes)[1]
    assert "MemoryError" in mutations.alone(devours)[1]
    assert mutations.alone(hangs)[:2] == (None, "ended by SIGALRM")
    assert mutations.alone(lambda: "fine")[0] == "fine"


@pytest.mark.verifies("SRS-INP-016")
def test_the_page_says_what_was_measured() -> None:
    result = mutations.Result(
        {"vr": mutations.Counter({"admitted": 2, "E-GATE-BITS": 1, "BROKEN": 1})}, ["x"], 1.5, 2**20, 3
    )
    text = mutations.summary("`this`", result)
    assert "4 mutations" in text
    assert "1 ended otherwise" in text
    assert "| vr | 4 | 2 | 1 | `admitted` 2" in text
    page = mutations._PAGE.read_text("utf-8")
    assert mutations.evidence_page.replaced(page, "mutations", "x").count("\nx\n") == 1


@pytest.mark.verifies("SRS-INP-016", "SRS-INP-009")
def test_the_fork_decodes_as_the_process_does(tmp_path: Path) -> None:
    data = samples.loop(np.stack([samples.frame()] * 2), syntax="1.2.840.10008.1.2.4.80")
    path = samples.put(tmp_path, data)
    image = io.read(path).image
    answer = mutations._decoded_in_a_fork(data)
    assert answer is not None
    assert (answer[0] == image.pixels).all()
    assert answer[1] == image.origin.decoder
