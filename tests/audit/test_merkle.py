# SPDX-License-Identifier: Apache-2.0
"""The tree is that of RFC 9162, by its recursive definition; its proofs prove what they say and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md_audit import merkle
from radiomicnet_md_audit.errors import IntegrityError

pytestmark = pytest.mark.verifies("SRS-LOG-002")

MOST = 64
LEAVES = tuple(merkle.leaf_hash(bytes([n])) for n in range(MOST))


@cache
def naive(start: int, stop: int) -> bytes:
    """RFC 9162 section 2.1.1 over LEAVES."""
    if stop == start:
        return hashlib.sha256(b"").digest()
    if stop - start == 1:
        return LEAVES[start]
    split = 1
    while split * 2 < stop - start:
        split *= 2
    return hashlib.sha256(b"\1" + naive(start, start + split) + naive(start + split, stop)).digest()


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(IntegrityError) as caught:
        yield
    assert caught.value.code == code


def nodes(level: int, index: int) -> bytes:
    """Complete nodes over LEAVES."""
    assert (index + 1) << level <= MOST
    return naive(index << level, (index + 1) << level)


def test_roots_of_every_size_follow_the_recursive_definition() -> None:
    tree = merkle.Frontier()
    assert tree.root() == merkle.EMPTY_ROOT == merkle.root(nodes, 0)
    for size, leaf in enumerate(LEAVES, 1):
        made = tree.append(leaf)
        assert all(nodes(node.level, node.index) == node.hash for node in made)
        assert tree.root() == merkle.root(nodes, size) == naive(0, size)
        assert merkle.frontier(nodes, size) == tree


def test_every_complete_node_is_made_once() -> None:
    tree = merkle.Frontier()
    made = [(node.level, node.index) for leaf in LEAVES for node in tree.append(leaf)]
    assert len(made) == len(set(made)) == 2 * MOST - 1


@pytest.mark.verifies("SRS-LOG-002", rc=("RC-004",))
def test_every_inclusion_proof_holds_and_no_other_root_or_place_does() -> None:
    for size in range(1, MOST + 1):
        for index in range(size):
            path = merkle.inclusion(nodes, index, size)
            merkle.verify_inclusion(LEAVES[index], index, size, path, naive(0, size))
            for wrong in (index + 1, index - 1):
                with refused("E-PROOF-INCLUSION"):
                    merkle.verify_inclusion(LEAVES[index], wrong, size, path, naive(0, size))
            if size > 1:
                with refused("E-PROOF-INCLUSION"):
                    merkle.verify_inclusion(LEAVES[index], index, size, path, naive(0, size - 1))


@pytest.mark.verifies("SRS-LOG-002", rc=("RC-004",))
def test_every_consistency_proof_holds_and_with_no_other_root_does() -> None:
    for new in range(MOST + 1):
        for old in range(new + 1):
            path = merkle.consistency(nodes, old, new)
            merkle.verify_consistency(old, new, path, naive(0, old), naive(0, new))
            for roots in ((bytes(32), naive(0, new)), (naive(0, old), bytes(32))):
                if old == 0 and roots[1] == bytes(32) and new > 0:
                    continue  # from nothing to anything: no proof can tell, by RFC 9162
                with refused("E-PROOF-CONSISTENCY"):
                    merkle.verify_consistency(old, new, path, *roots)


@given(st.data())
def test_a_changed_proof_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, MOST))
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion(nodes, index, size)
    place = data.draw(st.integers(0, len(path) - 1))
    for changed in (
        [*path[:place], bytes(32), *path[place + 1 :]],
        [*path[:place], *path[place + 1 :]],
        [*path, bytes(32)],
        [*path[:place], path[place], *path[place:]],
    ):
        with refused("E-PROOF-INCLUSION"):
            merkle.verify_inclusion(LEAVES[index], index, size, changed, naive(0, size))


@given(st.data())
def test_a_changed_consistency_proof_is_refused(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, MOST))
    old = data.draw(st.integers(1, new - 1))
    path = merkle.consistency(nodes, old, new)
    place = data.draw(st.integers(0, len(path) - 1))
    for changed in (
        [*path[:place], bytes(32), *path[place + 1 :]],
        [*path[:place], *path[place + 1 :]],
        [*path, bytes(32)],
    ):
        with refused("E-PROOF-CONSISTENCY"):
            merkle.verify_consistency(old, new, changed, naive(0, old), naive(0, new))


def test_a_leaf_that_looks_like_a_node_is_no_node() -> None:
    forged = merkle.leaf_hash(LEAVES[0] + LEAVES[1])
    assert forged != naive(0, 2)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
@pytest.mark.verifies("SRS-LOG-002", rc=("RC-004",))
def test_no_proof_outside_the_tree(index: int, size: int) -> None:
    with refused("E-PROOF-RANGE"):
        merkle.inclusion(nodes, index, size)
    with refused("E-PROOF-INCLUSION"):
        merkle.verify_inclusion(LEAVES[0], index, size, [], LEAVES[0])


def test_no_consistency_backwards() -> None:
    with refused("E-PROOF-RANGE"):
        merkle.consistency(nodes, 4, 3)
    with refused("E-PROOF-CONSISTENCY"):
        merkle.verify_consistency(4, 3, [LEAVES[0]], naive(0, 4), naive(0, 3))


A, B, C = LEAVES[:3]
ABOVE = merkle.node_hash


def test_a_proof_that_is_longer_than_the_tree_is_deep_proves_nothing_even_where_it_leads_to_the_root() -> None:
    with refused("E-PROOF-INCLUSION"):
        merkle.verify_inclusion(A, 0, 1, [B], ABOVE(B, A))
    path = merkle.consistency(nodes, 3, 4)
    with refused("E-PROOF-CONSISTENCY"):
        merkle.verify_consistency(3, 4, [*path, A], ABOVE(A, naive(0, 3)), ABOVE(A, naive(0, 4)))


@pytest.mark.parametrize(("old", "new", "reached"), [(2, 8, 4), (4, 16, 8), (1, 4, 2)])
def test_a_proof_that_leads_to_a_smaller_tree_proves_nothing_about_a_larger_one(
    old: int, new: int, reached: int
) -> None:
    path = merkle.consistency(nodes, old, reached)
    merkle.verify_consistency(old, reached, path, naive(0, old), naive(0, reached))
    with refused("E-PROOF-CONSISTENCY"):
        merkle.verify_consistency(old, new, path, naive(0, old), naive(0, reached))


@pytest.mark.parametrize(
    ("old", "new", "proof", "roots"),
    [
        (3, 4, [], (naive(0, 3), naive(0, 4))),  # no hash to begin with
        (5, 3, [A, B, C], (A, ABOVE(ABOVE(A, B), C))),  # backwards, with hashes that fit
        (4, 4, [A], (naive(0, 4), naive(0, 4))),  # nothing to prove, and yet a hash
        (0, 4, [A], (merkle.EMPTY_ROOT, naive(0, 4))),
        (0, -1, [], (merkle.EMPTY_ROOT, A)),
        (0, 0, [], (merkle.EMPTY_ROOT, A)),
        (-1, 3, [A], (A, A)),
    ],
)
def test_a_consistency_proof_fits_its_sizes(old: int, new: int, proof: list[bytes], roots: tuple[bytes, bytes]) -> None:
    with refused("E-PROOF-CONSISTENCY"):
        merkle.verify_consistency(old, new, proof, *roots)


def test_vectors(vectors: Callable[[str], dict[str, Any]]) -> None:
    file = vectors("tree")
    leaves = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in file["leaves"]]
    roots = [bytes.fromhex(root) for root in file["roots"]]
    tree = merkle.Frontier()
    assert tree.root() == roots[0]
    for size, leaf in enumerate(leaves, 1):
        tree.append(leaf)
        assert tree.root() == roots[size]
    # Published with the certificate-transparency project's reference tree.
    assert roots[8].hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    for case in file["inclusion"]:
        path = [bytes.fromhex(value) for value in case["path"]]
        merkle.verify_inclusion(leaves[case["index"]], case["index"], case["size"], path, roots[case["size"]])
    for case in file["consistency"]:
        path = [bytes.fromhex(value) for value in case["path"]]
        merkle.verify_consistency(case["old"], case["new"], path, roots[case["old"]], roots[case["new"]])
