# SPDX-License-Identifier: Apache-2.0
"""Parts of a data set that share no duplicate group and hold about equally many cases of each kind.

The assignment is a function of the group names and the cases alone: largest groups first, each to the part
that so far holds the fewest cases with (or without) a lesion; ties go by the hash of the group's name.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray


def alone(names: list[str]) -> list[str]:
    """Every case as a group of its own: duplicates may then stand in two parts, which leaks."""
    return [f"alone {name}" for name in names]


def some(groups: list[str], part: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """A part's cases of the groups that come first by the hash of their names: a smaller share is part of a larger."""
    present = sorted({groups[i] for i in part.tolist()}, key=lambda group: hashlib.sha256(group.encode()).hexdigest())
    kept = set(present[: round(share * len(present))])
    return np.array([i for i in part.tolist() if groups[i] in kept], dtype=np.int64)


def split(groups: list[str], lesion: NDArray[np.bool_], count: int) -> list[NDArray[np.int64]]:
    """Indices of ``count`` parts; ``groups`` and ``lesion`` hold one entry a case."""
    members: dict[str, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        members[group].append(i)

    def order(group: str) -> tuple[int, str]:
        return -len(members[group]), hashlib.sha256(group.encode()).hexdigest()

    parts: list[list[int]] = [[] for _ in range(count)]
    held = np.zeros((count, 2))
    for group in sorted(members, key=order):
        cases = members[group]
        kinds = np.bincount(lesion[cases].astype(int), minlength=2)
        fewest = min(range(count), key=lambda part: (held[part] @ kinds, held[part].sum(), part))
        parts[fewest] += cases
        held[fewest] += kinds
    return [np.array(sorted(part), dtype=np.int64) for part in parts]
