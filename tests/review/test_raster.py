# SPDX-License-Identifier: Apache-2.0
"""What is drawn pixel by pixel keeps its laws: lines inside, edges outside, whole enlargements, one symmetric scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from radiomicnet_md.review import palette, raster, ticks

pytestmark = pytest.mark.verifies("SRS-OUT-004")

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12))
WIDTHS = st.integers(1, 4)


def steps_outside(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """By how many steps along edges each pixel lies from the nearest that is outside; the frame is outside."""
    padded = np.pad(mask, 1)
    outside = np.argwhere(~padded)
    return np.array(
        [[np.abs(outside - (row + 1, column + 1)).sum(axis=1).min() for column in range(mask.shape[1])]
         for row in range(mask.shape[0])]
    )  # fmt: skip


@given(MASKS, WIDTHS)
def test_a_line_is_what_lies_within_its_width_of_the_outside(mask: NDArray[np.bool_], width: int) -> None:
    assert (raster.line(mask, width) == (mask & (steps_outside(mask) <= width))).all()


@given(MASKS, WIDTHS)
def test_an_edge_is_what_lies_within_its_width_of_the_region(mask: NDArray[np.bool_], width: int) -> None:
    far = np.abs(np.argwhere(mask)[:, None, None] - np.moveaxis(np.indices(mask.shape), 0, -1)).sum(axis=3)
    assert (raster.around(mask, width) == (far.min(axis=0, initial=99) <= width)).all()


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=40)), st.integers(1, 120))
def test_what_fits_grows_by_a_whole_number_and_what_does_not_keeps_samples(
    levels: NDArray[np.uint8], side: int
) -> None:
    shown = raster.fitted(levels, side)
    assert max(shown.shape) <= side
    if max(levels.shape) <= side:
        scale = shown.shape[0] // levels.shape[0]
        assert (max(levels.shape) * (scale + 1)) > side
        assert (shown == np.kron(levels, np.ones((scale, scale), np.uint8))).all()
    else:
        assert set(np.unique(shown)) <= set(np.unique(levels))


@given(st.floats(-2, 2), st.floats(0.01, 10))
def test_a_value_and_its_opposite_are_equally_far_from_white(value: float, far: float) -> None:
    ends = np.array([palette.rgb(palette.NEGATIVE), palette.rgb(palette.POSITIVE)], dtype=float)
    one, other = raster.tinted(np.array([[-abs(value), abs(value)]]), far)[0].astype(float)
    share = [
        np.linalg.norm(247 - seen) / np.linalg.norm(247 - end) for seen, end in zip((one, other), ends, strict=True)
    ]
    assert share[0] == pytest.approx(share[1], abs=0.01)
    assert share[0] == pytest.approx(min(1.0, abs(value) / far), abs=0.01)


@given(arrays(np.int64, (2, 8, 8), elements=st.integers(-(2**30), 2**30)))
def test_the_scale_has_one_digit_and_holds_nearly_all(planes: NDArray[np.int64]) -> None:
    far = raster.reach(list(planes), 16)
    assert far > 0
    assert f"{far:.0e}" == f"{far:.3e}".replace(".000", "")
    assert (np.abs(planes) / 65536 <= far).mean() >= 0.99


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_ticks_are_few_round_and_where_they_say(low: float, spread: float) -> None:
    found = ticks.between(low, low + spread)
    assert 2 <= len(found) <= 8
    for value, printed in found:
        assert low - 1e-9 * spread <= value <= low + spread * (1 + 1e-9)
        assert float(printed.replace("\N{MINUS SIGN}", "-")) == pytest.approx(value, abs=1e-9 * max(1.0, abs(value)))
