# SPDX-License-Identifier: Apache-2.0
"""The parts of the dense maps each keep their own promise: eigenvalues, sorting, counting, layout, logarithms."""

from __future__ import annotations

import math
from collections import Counter
from decimal import Decimal, localcontext
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from radiomicnet_md.radiomics.windows import cooccurrence, eigen, geometry, intensity, matches, mcc

pytestmark = pytest.mark.verifies("SRS-RAD-007")

SIZES = (3, 4, 5, 8, 13, 32, 60)


def connected(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Pair counts of a connected graph that is not bipartite: a path with a loop at one end, and edges at random."""
    w = np.zeros((size, size))
    steps = [(i, i + 1) for i in range(size - 1)] + [(0, 0)]
    for i, j in steps + [tuple(rng.integers(0, size, 2)) for _ in range(rng.integers(0, 3 * size))]:
        w[i, j] += 1
        w[j, i] += 1
    return w


def by_numpy(w: NDArray[np.float64]) -> float:
    degrees = w.sum(axis=1)
    return float(np.sort(np.abs(np.linalg.eigvalsh(w / np.sqrt(np.outer(degrees, degrees)))))[-2])


def solve(graphs: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Eight graphs of one size by the batch."""
    size = len(graphs[0])
    lanes = np.stack(graphs, axis=-1)
    found = np.empty(eigen.BATCH)
    work = np.empty(eigen.work_size(size))
    eigen.second(lanes.ravel().copy(), size, lanes.sum(axis=1).ravel().copy(), work, found)
    return found


@pytest.mark.parametrize("size", SIZES)
def test_second_eigenvalues_are_those_of_lapack(size: int) -> None:
    rng = np.random.default_rng(size)
    for _ in range(20):
        graphs = [connected(size, rng) for _ in range(eigen.BATCH)]
        assert np.allclose(solve(graphs), [by_numpy(w) for w in graphs], rtol=0, atol=1e-13)


@pytest.mark.parametrize("size", SIZES)
def test_an_eigenvalue_does_not_depend_on_its_neighbours(size: int) -> None:
    rng = np.random.default_rng(size)
    graphs = [connected(size, rng) for _ in range(eigen.BATCH)]
    together = solve(graphs)
    alone = [solve([w] * eigen.BATCH)[0] for w in graphs]
    turned = solve(graphs[::-1])[::-1]
    assert np.array_equal(together, alone)
    assert np.array_equal(together, turned)


@pytest.mark.parametrize("size", [3, 4, 7])
def test_multiple_eigenvalues(size: int) -> None:
    """All levels paired with all others equally often: every other eigenvalue is −1 / (size − 1) at once."""
    w = np.ones((size, size)) - np.eye(size)
    assert np.allclose(solve([w] * eigen.BATCH), 1 / (size - 1), rtol=0, atol=1e-13)


def test_eigenvalues_that_are_zero() -> None:
    """Independent levels: nothing but noise could be left, and it is none that counts."""
    assert solve([np.full((5, 5), 2.0)] * eigen.BATCH).max() < 1e-12


@given(st.lists(st.integers(0, 4), min_size=4, max_size=4).filter(lambda x: sum(x) > 0))
def test_two_levels_have_a_closed_form(cells: list[int]) -> None:
    a, b, c, _ = cells
    w = np.array([[2 * a, b], [b, 2 * c]], dtype=np.int64)
    degrees = w.sum(axis=1)
    if not degrees.all():
        return
    packed = np.array([w[0, 0], w[1, 0], w[1, 1]])
    assert math.isclose(mcc._of_two(packed, degrees, 0, 1), by_numpy(w.astype(float)), abs_tol=1e-12)


@given(st.lists(st.integers(0, 5), min_size=6, max_size=6))
def test_three_levels_have_a_closed_form(cells: list[int]) -> None:
    w = np.zeros((3, 3), dtype=np.int64)
    w[np.tril_indices(3)] = cells
    w = w + w.T
    degrees = w.sum(axis=1)
    if not degrees.all():
        return
    packed = w[np.tril_indices(3)]
    assert math.isclose(mcc._of_three(packed, degrees, 0, 1, 2), by_numpy(w.astype(float)), abs_tol=1e-7)


@pytest.mark.parametrize("size", range(1, 14))
def test_the_network_sorts_every_input_of_zeros_and_ones(size: int) -> None:
    """Knuth's principle: what sorts all of these sorts everything."""
    columns = np.array(list(product((0, 1), repeat=size))).T.copy()
    for low, high in intensity.network(size):
        columns[low], columns[high] = columns[[low, high]].min(axis=0), columns[[low, high]].max(axis=0)
    assert (np.diff(columns, axis=0) >= 0).all()


@pytest.mark.parametrize("size", [25, 27, 49, 81, 125, 343, 729])
def test_the_network_sorts_the_windows_in_use(size: int) -> None:
    rows = np.random.default_rng(size).permuted(np.tile(np.arange(size), (50, 1)), axis=1).T.copy()
    for low, high in intensity.network(size):
        rows[low], rows[high] = rows[[low, high]].min(axis=0), rows[[low, high]].max(axis=0)
    assert (rows == np.arange(size)[:, None]).all()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_earlier_entries_are_counted(kind: type, entries: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(0, 3, entries * geometry.LANES).astype(kind) for _ in range(2))
    where = np.arange(entries) * geometry.LANES
    counts = np.zeros((3, geometry.LANES), dtype=kind)
    k = entries - 1
    matches.earlier(a, b, 0, where, k, counts[0], counts[1], counts[2])
    rows_a, rows_b = a.reshape(entries, -1), b.reshape(entries, -1)
    same_a, same_b = rows_a[:k] == rows_a[k], rows_b[:k] == rows_b[k]
    assert np.array_equal(counts, [same_a.sum(axis=0), same_b.sum(axis=0), (same_a & same_b).sum(axis=0)])


@given(st.lists(st.integers(0, 5), max_size=30))
def test_rises_add_up_to_the_classes(entries: list[int]) -> None:
    """Σ over classes of c·log₂c, entry by entry: the identity that replaces matrices."""
    rise, whole = matches.rise(64), matches.n_log_n(64)
    seen: Counter[int] = Counter()
    total = 0
    for entry in entries:
        total += int(rise[seen[entry]])
        seen[entry] += 1
    assert total == sum(int(whole[count]) for count in seen.values())


def test_logarithms_are_rounded_to_nearest() -> None:
    with localcontext() as context:
        context.prec = 60
        for n, found in enumerate(matches.n_log_n(1458).tolist()[1:], start=1):
            exact = Decimal(n) * Decimal(n).ln() / Decimal(2).ln() * (1 << matches.FRACTION)
            assert abs(exact - found) <= Decimal("0.50001")


def test_weights_are_rounded_to_nearest() -> None:
    table = cooccurrence.weights(256, 65535)
    for d in (0, 1, 7, 255):
        exact = (1 / (1 + d), 1 / (1 + d * d), 1 / (1 + d / 256), 1 / (1 + d * d / 65536), 1 / (d * d) if d else 0)
        assert np.allclose(table[:, d] / 2.0**52, exact, rtol=0, atol=2**-52)
    assert not table[:, 256:].any()


@pytest.mark.parametrize(
    ("dimensions", "distance", "moves"), [(2, 1, 4), (2, 2, 8), (2, 3, 12), (3, 1, 13), (3, 2, 49), (3, 3, 109)]
)
def test_every_offset_of_a_distance_is_a_move(dimensions: int, distance: int, moves: int) -> None:
    window = geometry.window(distance, dimensions, (10000, 100, 1), (distance,))
    assert window.moves.steps.size == moves
    side = 2 * distance + 1
    assert window.offsets.size == side**dimensions
    assert (np.diff(window.offsets) > 0).all()
    for m, pairs in enumerate(window.moves.pairs.tolist()):
        first, second = window.moves.ends[m, :, :pairs]
        assert (window.offsets[second] - window.offsets[first] == window.moves.steps[m]).all()
        assert np.array_equal(window.offsets[first], window.moves.first[m, :pairs])
        assert window.moves.rows[m] * window.moves.width[m] == pairs


@pytest.mark.parametrize("shape", [(5, 7), (1, 5, 7), (4, 5, 7)])
@pytest.mark.parametrize("radius", [1, 2])
def test_no_window_reaches_another_row(shape: tuple[int, ...], radius: int) -> None:
    levels = np.arange(math.prod(shape)).reshape(shape)
    line = geometry.lay_out(levels, radius)
    flat = len(shape) == len("yx") or shape[0] == 1
    window = geometry.window(radius, 2 if flat else 3, line.strides)
    volume = levels if levels.ndim == len("zyx") else levels[None]
    for place in np.flatnonzero(line.place >= 0):
        z, y, x = np.unravel_index(line.place[place], volume.shape)
        near = tuple(slice(max(c - radius, 0), c + radius + 1) for c in (z, y, x))
        found = line.levels[place + window.offsets]
        assert sorted(found[found != line.missing] - 1) == sorted(volume[near].ravel())


@pytest.mark.parametrize(("levels", "radius", "kind"), [(127, 1, np.uint8), (128, 1, np.uint16), (16, 3, np.uint8)])
def test_bytes_serve_as_long_as_nothing_overflows(levels: int, radius: int, kind: type) -> None:
    image = np.arange(20 * 20).reshape(20, 20) % levels
    assert geometry.lay_out(image, radius).levels.dtype == kind
    volume = np.zeros((7, 7, 7), dtype=np.int64)
    assert geometry.lay_out(volume, 2).levels.dtype == np.uint8
    assert geometry.lay_out(volume, 3).levels.dtype == np.uint16
