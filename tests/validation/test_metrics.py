# SPDX-License-Identifier: Apache-2.0
"""The metrics' empty-mask policy, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from radiomicnet_md_validation.metrics import dice, iou
from tests.strategies import grey_levels

pytestmark = pytest.mark.verifies("SRS-MOD-004")
EMPTY, FULL = np.zeros((4, 5), dtype=np.uint8), np.ones((4, 5), dtype=np.uint8)


@pytest.mark.parametrize("metric", [dice, iou])
def test_the_empty_mask_policy(metric: object) -> None:
    assert callable(metric)
    assert metric(EMPTY, EMPTY) == 1.0
    assert metric(EMPTY, FULL) == 0.0, "a miss is the worst value"
    assert metric(FULL, EMPTY) == 0.0, "a false region is the worst value"
    assert metric(FULL, 255 * FULL) == 1.0
    with pytest.raises(ValueError, match="differ in shape"):
        metric(EMPTY, EMPTY.T)


def test_closed_forms() -> None:
    left = np.zeros((4, 8), dtype=bool)
    right = left.copy()
    left[:, :4], right[:, 2:6] = True, True
    assert dice(left, right) == 0.5
    assert iou(left, right) == pytest.approx(1 / 3)


@given(grey_levels(2))
def test_both_are_finite_and_related(mask: np.ndarray) -> None:
    other = mask[::-1]
    d, j = dice(mask, other), iou(mask, other)
    assert 0 <= j <= d <= 1
    assert d == pytest.approx(2 * j / (1 + j))
