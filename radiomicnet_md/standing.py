# SPDX-License-Identifier: Apache-2.0
"""A request that outlives the process which began it is answered once, and the log decides whether it was.

Rules of this module:

- Where the log has the request's terminal record, nothing new is decided: what the record says is given out again. A
  result is made again from the file, and given out only where it is the recorded one to the last bit.
- Where it has none, the case is decided under the request's id; the log refuses a second terminal record of it. Who
  comes second, because two processes were given one request, gives out what the first has recorded.
"""

from __future__ import annotations

from typing import Any

from radiomicnet_md import io
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Answer, Attempt, Desk, answered, attempted, decided, delivered
from radiomicnet_md.engine import record
from radiomicnet_md.engine.record import Case, Outcome, Reason
from radiomicnet_md.errors import DivergedError, ExitCode
from radiomicnet_md.intent import Intent
from radiomicnet_md_audit.appending import Receipt
from radiomicnet_md_audit.errors import RecordError


def answer_request(item: io.Input, desk: Desk, target: Target, request_id: str, reader: io.Reader) -> Answer:
    """Decide one case for a request, or give out again what the request's terminal record says.

    Raises as :func:`radiomicnet_md.desk.segment_file`, and :class:`DivergedError` ``E-REQUEST-DIVERGED`` where the file
    does not give what the record says.
    """
    entry = desk.ledger.find_request(request_id)
    if entry is None:
        try:
            return decided(item, desk, target, reader, request_id)[1]
        except RecordError as problem:
            entry = desk.ledger.find_request(request_id)
            if problem.code != "E-REQUEST-DONE" or entry is None:
                raise
    predicate, receipt = desk.ledger.read(entry).predicate, desk.ledger.receipt(entry)
    if predicate["state"] == Outcome.REFUSED:
        return _as_recorded(item, predicate, receipt)
    attempt = attempted(item, desk, target, Intent(receipt.record_id, request_id, receipt.time_utc, None), reader)
    again = record.describe(attempt.case, desk.maker)
    if (again["state"], again["outputs"]) != (predicate["state"], predicate["outputs"]):
        raise DivergedError(
            "E-REQUEST-DIVERGED",
            f"The file does not give what record {receipt.record_id} of its request says.",
            remedy="Replay the record (audit replay), and check which release it was made with.",
        )
    return delivered(attempt, desk, predicate, receipt, target, item)


def refuse_request(item: io.Input, desk: Desk, request_id: str, reason: Reason) -> Answer:
    """Record that a request is refused for what came of earlier attempts at it; the file is not decoded.

    A request that has its terminal record keeps it.
    """
    entry = desk.ledger.find_request(request_id)
    if entry is not None:
        return _as_recorded(item, desk.ledger.read(entry).predicate, desk.ledger.receipt(entry))
    record_id = Intent.new(desk.maker, request_id).record_id
    case = Case(record_id, request_id, Outcome.REFUSED, file_sha256=item.sha256(), frame=item.frame, reason=reason)
    predicate = record.describe(case, desk.maker)
    return _as_recorded(item, predicate, desk.ledger.append(record.statement(predicate)))


def _as_recorded(item: io.Input, predicate: dict[str, Any], receipt: Receipt) -> Answer:
    """The answer of a record, as far as the record alone gives it."""
    about, said = predicate["input"] or {}, predicate["reason"]
    state = Outcome(predicate["state"])
    reason = None if said is None else Reason(**said)
    case = Case(receipt.record_id, predicate["request_id"], state, about.get("file_sha256"), reason=reason)
    return answered(item, Attempt(case, None, b"", ExitCode.INTENDED_USE), predicate, receipt)
