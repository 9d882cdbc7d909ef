# SPDX-License-Identifier: Apache-2.0
"""A DICOM data set is parsed, and its elements become plain numbers, whatever stands in them.

Rules of this module:

- Every data set that comes from outside is parsed here. An element that holds a sequence where its definition (PS3.6)
  has none contradicts the format: as text, a few thousand nested items would be gigabytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from pydicom import dcmread
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataset import Dataset

from radiomicnet_md.io.source import broken


def parsed(file: BinaryIO | Path, **how: Any) -> Dataset:  # noqa: ANN401 - as pydicom.dcmread takes them
    """The data set of a file; E-INPUT-BROKEN for a false sequence, and whatever pydicom raises."""
    dataset = dcmread(file, **how)
    for tag in dataset.keys():  # noqa: SIM118 - iterating a data set converts every element
        if dataset.get_item(tag).VR == "SQ" and dictionary_has_tag(tag) and dictionary_VR(tag) != "SQ":
            raise broken("An element of the data set holds a sequence where its definition has none.")
    return dataset


def floats(dataset: Any, keyword: str) -> tuple[float, ...]:  # noqa: ANN401 - pydicom.Dataset, which is untyped
    """The numbers of an element; () where it is absent or holds something else."""
    try:
        value = dataset.get(keyword)
        return () if value in (None, "") else tuple(map(float, np.ravel(value)))
    except Exception:  # noqa: BLE001 - pydicom answers a value that is no number with almost any exception
        return ()
