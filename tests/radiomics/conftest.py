# SPDX-License-Identifier: Apache-2.0
"""A kernel compiles when first called, so an example's time says nothing; and tiny images gain nothing by threads.

That threads do not matter is shown in ``test_bits.py``, in processes of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import numba
import pytest
from hypothesis import settings

settings.register_profile("compiled", deadline=None)
settings.load_profile("compiled")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Kernels on one thread while a module of this folder runs."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)
