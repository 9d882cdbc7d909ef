# SPDX-License-Identifier: Apache-2.0
"""A stamp changes when, and only when, what an item demands changes.

It is the SHA-256 of the item's normative fields as JSON with sorted keys; who wrote an item and how far its approval
has come are not among them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from radiomicnet_md_traceability.load import Item

_NOT_NORMATIVE = frozenset({"status", "author", "sha256"})


def of(item: Item) -> str:
    """The stamp of one item, 64 hex digits."""
    return of_values(item.values)


def of_values(values: Mapping[str, Any]) -> str:
    """The stamp of an item's values; an acceptance object carries this number in its own field ``sha256``."""
    normative = {name: value for name, value in values.items() if name not in _NOT_NORMATIVE}
    text = json.dumps(normative, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
