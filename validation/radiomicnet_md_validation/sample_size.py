# SPDX-License-Identifier: Apache-2.0
"""How many cases a demand needs, and what so many cases can show at most.

Rules of this module:

- The power of a mean is that of the normal approximation, which is how ``n_required`` of the acceptance objects was
  found; the bound itself is then taken from the cases (``statistics``), not from this.
- A share is exact: what may be seen at most follows from Clopper and Pearson's bound.
"""

from __future__ import annotations

import math

from scipy import special

from radiomicnet_md_validation.statistics import Interval, clopper_pearson

POWER, ONE_SIDED = 0.90, 0.05


def cases_for_mean(sd: float, margin: float, power: float = POWER, alpha: float = ONE_SIDED) -> int:
    """Cases that show, with this power, a mean that lies ``margin`` above its limit, to a one-sided bound.

    n = ((z(1 − α) + z(power)) · sd / margin)², rounded up (Chow et al. 2008, section 3.1).
    """
    if not (sd > 0 and margin > 0):
        message = f"a spread of {sd} and a margin of {margin} are not both above 0"
        raise ValueError(message)
    quantiles = float(special.ndtri(1 - alpha) + special.ndtri(power))
    return math.ceil((quantiles * sd / margin) ** 2)


def most_events(n: int, limit: float, alpha: float = ONE_SIDED) -> int | None:
    """The most events among n cases whose one-sided upper bound is at most ``limit``; None where 0 are too many."""
    allowed = None
    for events in range(n + 1):
        found = clopper_pearson(events, n, 1 - 2 * alpha)
        if not isinstance(found, Interval) or found.high > limit:
            break
        allowed = events
    return allowed
