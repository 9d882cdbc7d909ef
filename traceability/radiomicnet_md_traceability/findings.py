# SPDX-License-Identifier: Apache-2.0
"""What a rule is and what it finds; the rules themselves stand in the modules ``rules_*``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from radiomicnet_md_traceability.graph import Graph

Place = tuple[str, str]  # where, what


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its id, what it demands in one line, how to mend a breach, and the function that finds them."""

    id: str
    demand: str
    remedy: str
    broken: Callable[[Graph], Iterator[Place]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of one rule."""

    rule: str
    where: str
    message: str
    remedy: str
