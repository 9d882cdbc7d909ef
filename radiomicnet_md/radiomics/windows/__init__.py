# SPDX-License-Identifier: Apache-2.0
"""All 93 features in the window around every voxel, 2-D and 3-D: the same bits on every machine, in microseconds.

Rules of this room:

- What comes in is levels; what goes out is one float64 map a feature, NaN where a value is undefined.
- Windows lie side by side on a line (``geometry``) and are counted in bytes (``matches``); matrices are never
  built. Whole numbers carry everything that is counted; what follows is + − × ÷ √ in one order.
- Threads take stretches of the line. Who takes which cannot be seen in the result.

Why so, and how fast: ``docs/adr/0008-windows-side-by-side.md``, ``docs/reference/benchmarks-radiomics.md``.
"""

from __future__ import annotations

from radiomicnet_md.radiomics.windows.measure import measure

__all__ = ["measure"]
