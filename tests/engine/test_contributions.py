# SPDX-License-Identifier: Apache-2.0
"""Terms that do not add up to the evidence they explain, by one unit of one pixel, refuse the case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radiomicnet_md.engine.contributions import Evidence, verify
from radiomicnet_md.errors import IntegrityError

BIAS, RHO = -7, 3
RANDOM = np.random.default_rng(0)
NAMED = RANDOM.integers(-1000, 1000, (13, 6, 5))
REST = RANDOM.integers(-RHO, RHO + 1, (6, 5))
REST[0, 0], REST[0, 1] = RHO, -RHO
WHOLE = Evidence(BIAS + NAMED.sum(0) + REST, NAMED, REST)
ONE = np.zeros((6, 5), dtype=np.int64)
ONE[4, 2] = 1
BEYOND = REST.copy()
BEYOND[0, 0] = RHO + 1


@pytest.mark.verifies("SRS-ENG-004", rc=("RC-015",))
@pytest.mark.parametrize(
    "broken",
    [
        replace(WHOLE, logit=WHOLE.logit + ONE),
        replace(WHOLE, rest=REST - ONE),
        replace(WHOLE, contributions=np.concatenate([NAMED[:12], NAMED[12:] + ONE])),
        replace(WHOLE, logit=BIAS + NAMED.sum(0) + BEYOND, rest=BEYOND),
    ],
    ids=["evidence", "rest", "a name", "rest beyond its bound"],
)
def test_a_sum_that_does_not_hold_is_refused(broken: Evidence) -> None:
    verify(WHOLE, BIAS, RHO)
    with pytest.raises(IntegrityError) as caught:
        verify(broken, BIAS, RHO)
    assert caught.value.code == "E-COMPLETENESS"
