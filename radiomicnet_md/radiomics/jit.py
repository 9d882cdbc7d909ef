# SPDX-License-Identifier: Apache-2.0
"""Compiled loops that keep their Python types, release the interpreter lock, and never relax IEEE 754.

Rules of this module:

- ``fastmath`` stays off: no reordering, no fused multiply-add, so a kernel's bits do not depend on the machine.
- A division by 0 gives what IEEE 754 says and no exception: the check would keep a loop from being vectorised.
- A parallel kernel writes each output from one iteration only; threads cannot matter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def serial(function: Kernel) -> Kernel:
    """The function compiled for one thread, kept on disk between processes."""
    return cast("Kernel", numba.njit(nogil=True, cache=True, error_model="numpy")(function))


def parallel(function: Kernel) -> Kernel:
    """The function compiled with its ``numba.prange`` loops over threads, kept on disk between processes."""
    return cast("Kernel", numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")(function))
