# SPDX-License-Identifier: Apache-2.0
"""What cannot be measured is refused by code and remedy before any work is done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from radiomicnet_md import radiomics
from radiomicnet_md.errors import InputError, UsageError

pytestmark = pytest.mark.verifies("SRS-RAD-012")

LEVELS = np.random.default_rng(0).integers(0, 8, (6, 7))
IMAGE = LEVELS * 2.0
CONTRAST = ["glcm_Contrast"]


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        ("E-MAPS-FEATURE", {"features": ["glcm_Kontrast"]}),
        ("E-MAPS-FEATURE", {"features": []}),
        ("E-MAPS-FEATURE", {"features": CONTRAST * 2}),
        ("E-MAPS-RADIUS", {"radius": 0}),
        ("E-MAPS-RADIUS", {"radius": 5}),
        ("E-MAPS-DISTANCE", {"distances": ()}),
        ("E-MAPS-DISTANCE", {"distances": (0,)}),
        ("E-MAPS-DISTANCE", {"distances": (4,)}),
        ("E-MAPS-DISTANCE", {"distances": (1, 1)}),
        ("E-MAPS-IMAGE", {"features": ["firstorder_Mean"]}),
    ],
)
def test_settings(code: str, settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        radiomics.dense(LEVELS, **{"features": CONTRAST, **settings})
    assert caught.value.code == code
    assert caught.value.remedy


def spoilt(value: float) -> NDArray[np.float64]:
    image = IMAGE.copy()
    image[2, 2] = value
    return image


@pytest.mark.parametrize(
    ("code", "levels", "image"),
    [
        ("E-MAPS-LEVELS", LEVELS * 1.0, None),
        ("E-MAPS-LEVELS", LEVELS[0], None),
        ("E-MAPS-LEVELS", LEVELS[None, None], None),
        ("E-MAPS-LEVELS", LEVELS[:0], None),
        ("E-MAPS-LEVELS", LEVELS + 249, None),
        ("E-MAPS-LEVELS", LEVELS - 2, None),
        ("E-MAPS-LEVELS", np.full((6, 7), -1), None),
        ("E-MAPS-WINDOW", LEVELS[:2], None),
        ("E-MAPS-WINDOW", LEVELS[None, :, :2], None),
        ("E-MAPS-GEOMETRY", LEVELS, IMAGE[:5]),
        ("E-MAPS-GEOMETRY", LEVELS, IMAGE.astype(complex)),
        ("E-LEVELS-NOT-FINITE", LEVELS, spoilt(np.nan)),
        ("E-LEVELS-NOT-FINITE", LEVELS, spoilt(np.inf)),
    ],
)
def test_input(code: str, levels: NDArray[Any], image: NDArray[Any] | None) -> None:
    with pytest.raises(InputError) as caught:
        radiomics.dense(levels, CONTRAST, image=image)
    assert caught.value.code == code
    assert caught.value.remedy


def test_what_takes_no_part_may_hold_anything() -> None:
    levels = LEVELS.copy()
    levels[2, 2] = -1
    plain = radiomics.dense(levels, image=IMAGE)
    assert np.array_equal(radiomics.dense(levels, image=spoilt(np.nan)), plain, equal_nan=True)
    assert np.isnan(plain[:, 2, 2]).all()
