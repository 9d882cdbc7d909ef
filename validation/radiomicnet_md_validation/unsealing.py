# SPDX-License-Identifier: Apache-2.0
"""A closed set of cases is opened on the record, before its first case is decided, and each further time is counted.

Rules of this module:

- The record (``unsealing:1``) names the set, the release, and the hash of each acceptance object: what was demanded
  and of what stands in the log before anybody knows the answers.
- The same images are the same set, whatever they are called and whatever masks lie beside them.
- A measurement that is begun again after an interruption is the same opening.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from radiomicnet_md.desk import Desk
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.statement import UNSEALING, build
from radiomicnet_md_validation.acceptance import Objective
from radiomicnet_md_validation.case_set import CaseSet


@dataclass(frozen=True, slots=True)
class Opening:
    """The record of an opening; ``reuse_count`` is how often this log had opened the same images before."""

    record_id: str
    log_index: int
    reuse_count: int


def opened(desk: Desk, record_id: str, cases: CaseSet, objectives: Sequence[Objective]) -> Opening:
    """Record the opening under this id, or read the record that is there.

    Raises what the log raises; then nothing may be decided.
    """
    ledger = desk.ledger
    if not ledger.holds(record_id):
        images = cases.images_sha256
        predicate: dict[str, Any] = {
            "record_id": record_id,
            "operator": desk.operator,
            "stamps": list(desk.maker.stamps),
            "release": dict(desk.maker.release or {}),
            "split": cases.split,
            "cases": len(cases.cases),
            "images_sha256": images,
            "reuse_count": sum(one["images_sha256"] == images for one in _earlier(ledger)),
            "acceptance": {one.id: one.sha256 for one in objectives},
        }
        ledger.append(build(UNSEALING, {"cases": cases.sha256, "images": images}, predicate))
    entry = ledger.find(record_id)
    return Opening(record_id, entry.index, cast("int", ledger.read(entry).predicate["reuse_count"]))


def _earlier(ledger: Ledger) -> list[dict[str, object]]:
    return [ledger.read(entry).predicate for entry in ledger.events(UNSEALING)]
