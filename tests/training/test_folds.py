# SPDX-License-Identifier: Apache-2.0
"""Folds keep duplicates together, cover every case once, are even, and depend on the cases alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md_training import dataset, folds

pytestmark = pytest.mark.verifies("SRS-MOD-011")
CASES = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=40)
COUNTS = st.integers(2, 5)


def split(cases: list[tuple[int, bool]], count: int) -> list[list[int]]:
    """The parts of cases that are told by group and lesion."""
    groups, lesion = [f"g{group}" for group, _ in cases], np.array([lesion for _, lesion in cases])
    return [part.tolist() for part in folds.split(groups, lesion, count)]


@given(CASES, COUNTS)
def test_every_case_stands_in_one_part_and_every_group_too(cases: list[tuple[int, bool]], count: int) -> None:
    parts = split(cases, count)
    assert len(parts) == count
    assert sorted(case for part in parts for case in part) == list(range(len(cases)))
    homes = {(cases[case][0], number) for number, part in enumerate(parts) for case in part}
    assert len(homes) == len({group for group, _ in cases})


@given(CASES, COUNTS, st.randoms(use_true_random=False))
def test_parts_do_not_depend_on_the_order_of_the_table(
    cases: list[tuple[int, bool]], count: int, random: st.DataObject
) -> None:
    order = list(range(len(cases)))
    random.shuffle(order)
    shuffled = split([cases[i] for i in order], count)
    assert [sorted(order[i] for i in part) for part in shuffled] == split(cases, count)


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=30), COUNTS)
def test_lesions_and_normals_are_spread_evenly(groups: list[tuple[int, bool]], count: int) -> None:
    cases = [(number, lesion) for number, (size, lesion) in enumerate(groups) for _ in range(size)]
    parts = split(cases, count)
    for kind in (False, True):
        held = [sum(cases[case][1] == kind for case in part) for part in parts]
        largest = max((size for size, lesion in groups if lesion == kind), default=0)
        assert max(held) - min(held) <= largest  # 1 where no group has two members


@pytest.mark.parametrize(("count", "lesions"), [(5, [105] * 5), (4, [131, 131, 131, 132])])
def test_single_cases_are_spread_as_evenly_as_their_number_allows(count: int, lesions: list[int]) -> None:
    cases = [(case, case % 5 != 4) for case in range(656)]
    found = sorted(sum(cases[case][1] for case in part) for part in split(cases, count))
    assert found == lesions


def test_the_real_table_gives_parts_that_are_even(data: Path) -> None:
    cases = dataset.read_cases(data / "busi_384", dataset.SPLITS)
    lesion = np.array([case.kind != "normal" for case in cases])
    parts = folds.split([case.group for case in cases], lesion, 5)
    homes = {(cases[case].group, number) for number, part in enumerate(parts) for case in part.tolist()}
    assert len(homes) == len({case.group for case in cases})
    for kind in (lesion, ~lesion):
        held = [int(kind[part].sum()) for part in parts]
        assert max(held) - min(held) <= 2


@given(CASES, st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_share_keeps_whole_groups_and_lies_within_a_larger_one(
    cases: list[tuple[int, bool]], one: float, other: float
) -> None:
    groups = [f"g{group}" for group, _ in cases]
    part = np.arange(len(cases))
    less, more = (set(folds.some(groups, part, share).tolist()) for share in sorted((one, other)))
    assert less <= more
    assert not {groups[i] for i in less} & {groups[i] for i in set(part.tolist()) - less}
    assert len({groups[i] for i in more}) == round(max(one, other) * len(set(groups)))
    assert np.array_equal(folds.some(groups, part, 1.0), part)
