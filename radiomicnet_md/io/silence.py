# SPDX-License-Identifier: Apache-2.0
"""Decoders do not speak: what they warn about may quote a patient's data.

pydicom and highdicom send each warning twice, through ``warnings`` and through ``logging``, with the
offending value in its text. The loggers are cut off from the root once; warnings are put off for as
long as :func:`quiet` is held. The lock is there because ``warnings.catch_warnings`` swaps a
process-wide table and two threads that interleave would leave the wrong one behind.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.RLock()

for _name in ("pydicom", "highdicom", "PIL"):
    logging.getLogger(_name).propagate = False
    logging.getLogger(_name).addHandler(logging.NullHandler())


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back every warning; one thread at a time."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
