# SPDX-License-Identifier: Apache-2.0
"""No reader of the log's formats crashes on damaged bytes, hangs, or accepts a second spelling (the short form)."""

from __future__ import annotations

import pytest

from tests.audit import fuzz

pytestmark = pytest.mark.verifies("SRS-REC-006")


def test_every_reader_accepts_its_own_seeds() -> None:
    for reader in fuzz.readers():
        for seed in reader.seeds:
            assert fuzz.broken(reader, seed) == (True, None), reader.name


def test_damaged_inputs_are_refused_or_are_the_only_spelling() -> None:
    accepted, found = fuzz.run(11_000, seed=2026)
    assert found == []
    assert sum(accepted.values()) < 2_000
    # A change inside a value can leave the form whole: then the reader must have written the same bytes again.
    assert accepted["canonical"] > 0


def test_a_reader_that_breaks_the_law_is_found() -> None:
    reader = fuzz.readers()[0]
    lenient = fuzz.Reader("lenient", lambda data: reader.read(data.strip()), reader.write, reader.seeds)
    assert fuzz.broken(lenient, reader.seeds[0] + b"\n") == (True, "is not the only spelling")
    crashing = fuzz.Reader("crashing", lambda data: data.decode("ascii"), reader.write, reader.seeds)
    assert fuzz.broken(crashing, b"\xff")[1] is not None


def test_what_a_run_found_is_told() -> None:
    accepted, found = fuzz.run(220, seed=1)
    text = fuzz.summary("`this`", 220, accepted, [*found, "a crash"], 1.5)
    head = f"Written by `this` in 2 s: 220 damaged inputs to {len(fuzz.readers())} readers in turn."
    assert text.startswith(f"{head}\n1 crashed")
    assert f"| canonical | {accepted['canonical']} |" in text
