# SPDX-License-Identifier: Apache-2.0
"""The rows of a batch are dealt to processes, and their answers written down as they come.

Rules of this module:

- Whoever deals (a pool on this machine, a cluster) says each row's answer once, in any order.
- What passes by itself (a log that is busy, a database that is restarted) is asked again, :data:`ROUNDS` times in all.
- A device that may not decide any more stops the batch: it would refuse the rest of it, row after row, on the record.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

from radiomicnet_md.batching.planning import Plan, Row
from radiomicnet_md.batching.telling import Book, Told
from radiomicnet_md.errors import ExitCode

ROUNDS = 3
PASSING = frozenset({"E-LOG-BUSY", "E-STORE-LOST", "E-STORE-OPEN"})
STOPPING = frozenset({ExitCode.INTEGRITY, ExitCode.NOT_QUALIFIED})
_PAUSE = 2.0  # seconds before a round that repeats


class Dealer(Protocol):
    """Gives rows to processes."""

    def deal(self, plan: Plan, rows: Sequence[Row], stop: threading.Event) -> Iterator[Told]:
        """The answers of these rows, as they come; ends early where ``stop`` is set, with the rows at hand."""


def run(plan: Plan, book: Book, dealer: Dealer, stop: threading.Event) -> Iterator[Told]:
    """Decide what is not decided yet and tell every row, the earlier ones first.

    Ends early where ``stop`` is set, or a device may not decide any more, with the rows at hand. Raises the
    :class:`Problem` of a dealer that cannot go on.
    """
    done = set[int]()
    for told in book.finished():
        done.add(told.row)
        yield told
    yield from book.written(_answered(plan, dealer, [row for row in plan.rows if row.number not in done], stop))


def _answered(plan: Plan, dealer: Dealer, rows: Sequence[Row], stop: threading.Event) -> Iterator[Told]:
    left = {row.number: row for row in rows}
    for turn in range(1, ROUNDS + 1):
        again: dict[int, Row] = {}
        for told in dealer.deal(plan, list(left.values()), stop):
            if told.exit_code in STOPPING:
                stop.set()
            if told.code in PASSING and turn < ROUNDS and not stop.is_set():
                again[told.row] = left[told.row]
            else:
                yield told
        if not again or stop.is_set():
            return
        left = again
        time.sleep(_PAUSE)
