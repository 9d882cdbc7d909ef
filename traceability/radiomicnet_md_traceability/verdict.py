# SPDX-License-Identifier: Apache-2.0
"""A verdict is computed from the measured value and the criterion, never copied from who ran the test.

A criterion is one comparison, ``<= 0.5``, ``>= 3``, ``== 7``, ``< 1`` or ``> 0``, or ``is WORD`` for a word.
A value that is not finite meets none.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_NUMERIC = re.compile(r"(<=|>=|==|<|>) (-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)")


def holds(value: object, criterion: str) -> bool:
    """Whether ``value`` meets ``criterion``; a criterion of another form is met by nothing."""
    if criterion.startswith("is "):
        return str(value) == criterion[3:]
    found = _NUMERIC.fullmatch(criterion)
    if found is None or isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return _COMPARISONS[found[1]](value, float(found[2]))
