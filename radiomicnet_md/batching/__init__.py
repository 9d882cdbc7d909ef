# SPDX-License-Identifier: Apache-2.0
"""Many cases on several processors: each is recorded once, whatever is killed and however often it is started again.

Rules of this room:

- What a batch is stands in its output folder before work starts: its id, its rows, the release and the form of its
  files. A row's request follows from these and from the input's bytes, so the log refuses to end it twice.
- A row is done when its line is in ``batch.jsonl`` and its files are there. Everything else is asked for again, and the
  log says whether it has to be decided.
- A process that dies takes no other case with it; a case that is at hand when processes die three times is refused on
  the record and named.
- Who deals the rows, a :class:`Pool` of this machine or a ``cluster`` of many, changes nothing of what is decided.
"""

from radiomicnet_md.batching.deciding import serving
from radiomicnet_md.batching.planning import Plan, Row, plan
from radiomicnet_md.batching.pool import Pool
from radiomicnet_md.batching.running import Dealer, run
from radiomicnet_md.batching.telling import Book, Told

__all__ = ["Book", "Dealer", "Plan", "Pool", "Row", "Told", "plan", "run", "serving"]
