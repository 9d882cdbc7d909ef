# SPDX-License-Identifier: Apache-2.0
"""Another implementation decides a release's golden inputs and must agree bit for bit.

Rules of this module:

- The inputs are the release's own known answers; nothing else is read.
- A check names for each input the first stage that differs, or none. It decides nothing and repairs nothing.
- The other implementations are imported here alone, and only when they are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine.release import Release
from radiomicnet_md.engine.segment import ANSWERS, load_array

Inputs = Mapping[str, NDArray[np.uint8]]
Check = Callable[[Mapping[str, bytes], Inputs], list[str]]


@dataclass(frozen=True, slots=True)
class Compared:
    """One golden input under one other implementation; ``difference`` is empty where every stage agrees."""

    by: str
    input: str
    difference: str


def compare(release: Release, by: str, check: Check) -> Iterator[Compared]:
    """Ask ``check`` about each golden input of a verified release, in the order of their names."""
    expected: dict[str, Any] = json.loads(release.files[ANSWERS])
    for name in sorted(expected):
        source = load_array(release.files[f"golden/{name}.npy"])
        yield Compared(by, name, next(iter(check(release.files, {name: source})), "").removeprefix(f"{name}: "))


def reference(files: Mapping[str, bytes], inputs: Inputs) -> list[str]:
    """The numpy reference of the whole device: what differs from the recorded answers."""
    from radiomicnet_md.engine.reference import whole

    return whole.differences(files, inputs)


def second_engine(files: Mapping[str, bytes], inputs: Inputs) -> list[str]:
    """The second engine: what differs from the first one, which gave the recorded answers."""
    from radiomicnet_md.engine import second

    return second.confirm(files, inputs)
