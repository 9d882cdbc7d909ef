# SPDX-License-Identifier: Apache-2.0
"""What was demanded before the test set was opened, beside what was found; too few cases are never a pass.

Results stand in ``.results/acceptance.jsonl``, a line an acceptance object: id, sha256 of the object when the set was
opened, n, value (the bound that the criterion judges) and status.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from radiomicnet_md_audit.errors import ConfigurationError
from radiomicnet_md_traceability import verdict
from radiomicnet_md_traceability.load import Item

RESULTS = Path(".results") / "acceptance.jsonl"


@dataclass(frozen=True, slots=True)
class Seen:
    """One result of one acceptance object."""

    id: str
    sha256: str
    n: int
    value: float
    status: str


def read(root: Path) -> tuple[Seen, ...]:
    """The results, none where the performance was not qualified.

    Raises:
        ConfigurationError: the file cannot be read (``E-TRACE-RESULTS``).
    """
    file = root / RESULTS
    if not file.is_file():
        return ()
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        return tuple(
            Seen(str(row["id"]), str(row["sha256"]), int(row["n"]), float(row["value"]), str(row["status"]))
            for row in rows
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            "E-TRACE-RESULTS", "The results of acceptance cannot be read.", remedy="Qualify the performance again."
        ) from error


def judge(item: Item, seen: Seen) -> str:
    """``PASS``, ``FAIL`` or ``INCONCLUSIVE``, from n and value alone."""
    if seen.n < int(item.values["n_required"]):
        return "INCONCLUSIVE"
    return "PASS" if verdict.holds(seen.value, str(item.values["criterion"])) else "FAIL"
