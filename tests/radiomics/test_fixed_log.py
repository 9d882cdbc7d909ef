# SPDX-License-Identifier: Apache-2.0
"""The integer logarithms are the true ones, cut off after 32 fraction bits."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md.radiomics import fixed_log

pytestmark = pytest.mark.verifies("SRS-RAD-001", "SRS-RAD-002")


def floor_log2(n: int) -> int:
    with localcontext() as context:
        context.prec = 60
        return int(Decimal(n).ln() / Decimal(2).ln() * (1 << fixed_log.BITS))


def test_every_small_number() -> None:
    wrong = [n for n in range(1, 1200) if n & (n - 1) and fixed_log.log2(n) != floor_log2(n)]
    assert wrong == []


@given(st.integers(1, 2**48))
def test_any_number(n: int) -> None:
    if n & (n - 1):  # a power of two is exact, and the quotient of two rounded logarithms is not
        assert fixed_log.log2(n) == floor_log2(n)


def test_powers_of_two_are_exact() -> None:
    assert all(fixed_log.log2(1 << k) == k << fixed_log.BITS for k in range(60))


@given(st.integers(1, 2**24), st.integers(1, 2**24))
def test_a_product_is_a_sum(a: int, b: int) -> None:
    assert 0 <= fixed_log.log2(a * b) - fixed_log.log2(a) - fixed_log.log2(b) <= 1


def test_table() -> None:
    table = fixed_log.table(729)
    assert table.shape == (730,)
    assert table[0] == table[1] == 0
    assert table.tolist() == [fixed_log.n_log2_n(n) for n in range(730)]
    assert not table.flags.writeable


def test_the_largest_table_fits_int64() -> None:
    assert fixed_log.n_log2_n(2**26 - 1) < 2**63
