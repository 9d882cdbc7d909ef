# SPDX-License-Identifier: Apache-2.0
"""A map of a feature as an NRRD file that any viewer reads, with a spacing only where one is known.

Written here and not by SimpleITK, because that writes 1.0 for a spacing that nobody knows.
Source: teem.sourceforge.net/nrrd/format.html (NRRD0004, attached header, raw encoding).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.io.files import place


def write_map(path: Path, values: NDArray[np.float64], spacing_mm: tuple[float, float] | None) -> None:
    """Write float64 (rows, columns); ``spacing_mm`` is (between rows, between columns).

    Raises:
        ConfigurationError: E-OUTPUT-….
    """
    rows, columns = values.shape
    header = ["NRRD0004", "type: double", "dimension: 2", f"sizes: {columns} {rows}", "endian: little", "encoding: raw"]
    if spacing_mm is not None:
        header += [f"spacings: {spacing_mm[1]!r} {spacing_mm[0]!r}", 'units: "mm" "mm"']
    head = "\n".join(header) + "\n\n"
    place(path, head.encode() + np.ascontiguousarray(values, dtype="<f8").tobytes())
