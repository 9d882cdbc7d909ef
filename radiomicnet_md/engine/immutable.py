# SPDX-License-Identifier: Apache-2.0
"""What an engine was built with is what it still holds: one digest over every number, taken again whenever asked.

Rules of this module:

- Arrays, tensors, texts and numbers count with their type and shape; objects of this package with all their parts.
- An object of another library (a session, a handle) is passed over: only known answers can judge it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def digest(thing: Any) -> str:  # noqa: ANN401 - any part of an engine
    """sha256 over everything that ``thing`` holds, in a fixed order."""
    total = hashlib.sha256()
    for part in _parts(thing):
        total.update(len(part).to_bytes(8, "little"))
        total.update(part)
    return total.hexdigest()


def _parts(thing: Any) -> Iterator[bytes]:  # noqa: ANN401
    if isinstance(thing, Mapping):
        for name in sorted(thing, key=str):
            yield str(name).encode()
            yield from _parts(thing[name])
    elif isinstance(thing, list | tuple):
        yield f"{len(thing)}".encode()
        for part in thing:
            yield from _parts(part)
    elif is_dataclass(thing):
        yield from _parts({field.name: getattr(thing, field.name) for field in fields(thing)})
    elif type(thing).__module__.startswith("radiomicnet_md"):
        yield from _parts(vars(thing))
    else:
        yield from _leaf(thing)


def _leaf(thing: Any) -> Iterator[bytes]:  # noqa: ANN401
    if type(thing).__module__ == "torch":
        thing = thing.detach().cpu().numpy()
    if isinstance(thing, np.ndarray):
        yield f"{thing.dtype.str}{thing.shape}".encode()
        yield np.ascontiguousarray(thing).tobytes()
    elif thing is None or isinstance(thing, str | bytes | bool | int | float):
        yield f"{type(thing).__name__} {thing!r}".encode()
