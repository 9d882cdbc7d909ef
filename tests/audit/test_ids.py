# SPDX-License-Identifier: Apache-2.0
"""An id is known exactly when it was noted before, however many there are, and takes little room."""

from __future__ import annotations

import hashlib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md_audit.ids import BITS, Ids

pytestmark = pytest.mark.verifies("SRS-LOG-015")

LARGEST = (1 << BITS) - 1
numbers = st.integers(0, LARGEST) | st.integers(0, 3) | st.integers(0, 3).map(lambda low: low << 64)


def spread(number: int) -> int:
    """An id that looks like one drawn at random."""
    return int.from_bytes(hashlib.sha256(b"%d" % number).digest()[:16], "big")


@given(st.lists(numbers, max_size=200))
def test_it_says_what_a_set_says(given_numbers: list[int]) -> None:
    known: set[int] = set()
    ids = Ids()
    for number in given_numbers:
        assert ids.add(number) is (number not in known)
        known.add(number)
        assert len(ids) == len(known)


def test_through_many_doublings() -> None:
    made = [spread(number) for number in range(20_000)]
    ids = Ids()
    assert all(ids.add(number) for number in made)
    assert not any(ids.add(number) for number in made)
    assert len(ids) == 20_000


@pytest.mark.parametrize("step", [1, 1 << 32, 1 << 64, (1 << 64) + 1, 1 << 100])
def test_ids_in_a_row_do_not_pile_up(step: int) -> None:
    ids = Ids()
    made = [number * step & LARGEST for number in range(1, 5000)]
    assert all(ids.add(number) for number in made)
    taken = "".join("x" if high or low else " " for high, low in zip(ids._high, ids._low, strict=True))
    assert max(map(len, taken.split())) < 500  # of 8192 places


def test_an_id_takes_few_bytes() -> None:
    made = [spread(number) for number in range(100_000)]
    tracemalloc.start()
    try:
        ids = Ids()
        before = tracemalloc.get_traced_memory()[0]
        for number in made:
            ids.add(number)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept / len(made) < 2 * 16 / 0.7 * 1.1  # twice 16 bytes at the fullest, and a tenth to spare
