# SPDX-License-Identifier: Apache-2.0
"""Elements of a DICOM data set as plain numbers, whatever stands in them."""

from __future__ import annotations

from typing import Any

import numpy as np


def floats(dataset: Any, keyword: str) -> tuple[float, ...]:  # noqa: ANN401 - pydicom.Dataset, which is untyped
    """The numbers of an element; () where it is absent or holds something else."""
    try:
        value = dataset.get(keyword)
        return () if value in (None, "") else tuple(map(float, np.ravel(value)))
    except Exception:  # noqa: BLE001 - pydicom answers a value that is no number with almost any exception
        return ()
