# SPDX-License-Identifier: Apache-2.0
"""Round values along an axis."""

from __future__ import annotations

import math

from radiomicnet_md.review.names import MINUS

_MOST = 8
_STEPS = (1, 2, 5, 10, 20)


def between(low: float, high: float) -> list[tuple[float, str]]:
    """At most eight values from ``low`` to ``high``, each a multiple of 1, 2 or 5 of a power of ten, as printed."""
    digit = 10.0 ** math.floor(math.log10((high - low) / _MOST))
    step = next(digit * times for times in _STEPS if (high - low) / (digit * times) <= _MOST - 1)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step), math.floor(high / step)
    return [(k * step, f"{k * step:.{digits}f}".replace("-", MINUS)) for k in range(first, last + 1)]
