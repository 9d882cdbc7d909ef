# SPDX-License-Identifier: Apache-2.0
"""A verb that runs for long ends when it is asked to, with what is at hand done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def asked_to_stop(tell: Callable[[], None] = lambda: None) -> Iterator[tuple[threading.Event, list[int]]]:
    """An event that SIGTERM and Ctrl-C set, and which of them did; ``tell`` is called at the first."""
    stop, asked = threading.Event(), list[int]()

    def ask(number: int, _: object) -> None:
        if not asked:
            tell()
        asked.append(number)
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop, asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
