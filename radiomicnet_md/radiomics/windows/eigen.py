# SPDX-License-Identifier: Apache-2.0
"""Second largest |eigenvalue| of symmetric matrices whose largest is known, eight matrices of one size at a time.

Rules of this module:

- A = D^−½ W D^−½ of a connected, non-bipartite graph has the eigenvalue 1 once, with the vector √d, and all
  others in (−1, 1). One reflection takes it out; Householder's reflections make the rest tridiagonal
  (Golub and Van Loan, Matrix Computations, 4th ed., 8.3); Laguerre's iteration comes down on the largest root
  from 1, third order and never below it (Parlett, The Symmetric Eigenvalue Problem, 1998, 7.5).
- Entry (i, j) of matrix b stands at (i · size + j) · 8 + b, of which the lower triangle counts; a vector's entry i at
  i · 8 + b. No matrix sees another: its bits do not depend on its neighbours.
- Only + − × ÷ √ in a fixed order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.vector import BYTES, any_above, choose, load, root, splat, store

BATCH = BYTES // 8
_TINY = 1e-300
_CLOSE = 4e-14  # Laguerre's steps fall by the third power: after one this small nothing is left to gain
_MOST_STEPS = 100

Floats = NDArray[np.float64]
Vector = Any  # of BATCH doubles, one of each matrix


@jit.serial
def work_size(size: int) -> int:
    """Doubles of scratch that :func:`second` needs for matrices of a size."""
    return 4 * size * BATCH


@jit.serial
def _update(a: Floats, size: int, first: int, u: Floats, p: Floats) -> None:
    # A −= u pᵀ + p uᵀ from row and column ``first`` on.
    for i in range(first, size):
        u_i = load(u, i * BATCH)
        p_i = load(p, i * BATCH)
        for j in range(first, i + 1):
            k = (i * size + j) * BATCH
            store(a, k, load(a, k) - (u_i * load(p, j * BATCH) + p_i * load(u, j * BATCH)))


@jit.serial
def _subtract_projection(p: Floats, u: Floats, beta: Vector, first: int, size: int) -> None:
    # p −= ½ β (pᵀu) u: what makes the two-sided reflection a sum of two products.
    dot = load(p, first * BATCH) * load(u, first * BATCH)
    for i in range(first + 1, size):
        dot += load(p, i * BATCH) * load(u, i * BATCH)
    share = dot * (splat(0.5) * beta)
    for i in range(first, size):
        store(p, i * BATCH, load(p, i * BATCH) - share * load(u, i * BATCH))


@jit.serial
def _deflate(a: Floats, size: int, degrees: Floats, u: Floats, p: Floats) -> None:
    # W → D^−½ W D^−½, then reflect its eigenvector v of 1 onto the first axis: rows and columns from 1 on keep the
    # others. With u = v + e₀ and A v = v, A u is v plus the first column: no product is needed.
    one = splat(1.0)
    total = load(degrees, 0)
    for i in range(1, size):
        total += load(degrees, i * BATCH)
    for i in range(size):
        degree = load(degrees, i * BATCH)
        store(u, i * BATCH, root(degree / total))
        p_i = one / root(degree)
        store(p, i * BATCH, p_i)
        for j in range(i + 1):
            k = (i * size + j) * BATCH
            store(a, k, load(a, k) * (p_i * load(p, j * BATCH)))
    beta = one / (one + load(u, 0))  # 2 / uᵀu
    for i in range(size):
        store(p, i * BATCH, (load(u, i * BATCH) + load(a, i * size * BATCH)) * beta)
    store(u, 0, load(u, 0) + one)
    _subtract_projection(p, u, beta, 0, size)
    _update(a, size, 1, u, p)


@jit.serial
def _reflect(a: Floats, size: int, k: int, u: Floats, p: Floats, off: Floats) -> None:
    # One Householder step: column k below the diagonal becomes (√off[k], 0, …).
    zero = splat(0.0)
    head = load(a, ((k + 1) * size + k) * BATCH)
    norm = head * head
    for i in range(k + 2, size):
        entry = load(a, (i * size + k) * BATCH)
        norm += entry * entry
        store(u, i * BATCH, entry)
    alpha = root(norm)
    alpha = choose(head, zero, zero - alpha, alpha)
    square = norm - head * alpha  # uᵀu / 2
    beta = choose(square, splat(_TINY), splat(1.0) / square, zero)
    store(off, k * BATCH, norm)
    store(u, (k + 1) * BATCH, head - alpha)
    for i in range(k + 1, size):  # p ← A u: each entry of the lower triangle serves its row and its column
        u_i = load(u, i * BATCH)
        p_i = load(a, (i * size + i) * BATCH) * u_i
        for j in range(k + 1, i):
            entry = load(a, (i * size + j) * BATCH)
            p_i += entry * load(u, j * BATCH)
            store(p, j * BATCH, load(p, j * BATCH) + entry * u_i)
        store(p, i * BATCH, p_i)
    for i in range(k + 1, size):
        store(p, i * BATCH, load(p, i * BATCH) * beta)
    _subtract_projection(p, u, beta, k + 1, size)
    _update(a, size, k + 1, u, p)


@jit.serial
def _largest(diagonal: Floats, off: Floats, order: int, sign: float, active: Vector) -> Vector:
    # The largest eigenvalue of sign · T: Laguerre's iteration from 1 down, where ``active`` is above 0; elsewhere 1.
    zero, one, tiny = splat(0.0), splat(1.0), splat(_TINY)
    close, signs, n, others = splat(_CLOSE), splat(sign), splat(float(order)), splat(float(order - 1))
    x = one
    for _ in range(_MOST_STEPS):
        # The leading minors of xI − sign · T with their first and half their second derivatives by x.
        old_value, old_slope, old_bend = one, zero, zero
        value, slope, bend = x - signs * load(diagonal, 0), one, zero
        for k in range(1, order):
            d = x - signs * load(diagonal, k * BATCH)
            e = load(off, (k - 1) * BATCH)
            next_bend = d * bend + (slope - e * old_bend)
            next_slope = d * slope + (value - e * old_slope)
            next_value = d * value - e * old_value
            old_value, old_slope, old_bend = value, slope, bend
            value, slope, bend = next_value, next_slope, next_bend
        safe = choose(value, tiny, value, one)
        g = slope / safe
        h = g * g - (bend + bend) / safe
        under = others * (n * h - g * g)
        step = n / (g + root(choose(under, zero, under, zero)))
        step = choose(active, zero, choose(value, tiny, step, zero), zero)
        x -= step
        active = choose(step, close, one, zero)
        if not any_above(active, zero):
            break
    return x


@jit.serial
def _below(diagonal: Floats, off: Floats, order: int, x: Vector) -> Vector:
    # 1 where T has an eigenvalue at −x or below: there some leading minor of xI + T is not positive; else 0.
    zero, one = splat(0.0), splat(1.0)
    old = one
    value = x + load(diagonal, 0)
    found = choose(value, zero, zero, one)
    for k in range(1, order):
        old, value = value, (x + load(diagonal, k * BATCH)) * value - load(off, (k - 1) * BATCH) * old
        found = choose(value, zero, found, one)
    return found


@jit.serial
def second(a: Floats, size: int, degrees: Floats, work: Floats, out: Floats) -> None:
    """Second largest absolute eigenvalue of each D^−½ W D^−½.

    :param a: symmetric pair counts, each of a connected graph that is not bipartite, at least 3 nodes; spoiled
    :param degrees: their row sums
    :param work: scratch of at least :func:`work_size` doubles
    :param out: (BATCH,) in [0, 1]
    """
    long = size * BATCH
    u, p, off, diagonal = work[:long], work[long : 2 * long], work[2 * long : 3 * long], work[3 * long : 4 * long]
    _deflate(a, size, degrees, u, p)
    for k in range(1, size - 2):
        _reflect(a, size, k, u, p, off)
    for i in range(1, size):
        store(diagonal, (i - 1) * BATCH, load(a, (i * size + i) * BATCH))
    beside = load(a, ((size - 1) * size + size - 2) * BATCH)
    store(off, (size - 2) * BATCH, beside * beside)
    zero = splat(0.0)
    largest = _largest(diagonal, off[BATCH:], size - 1, 1.0, splat(1.0))
    largest = choose(largest, zero, largest, zero)
    below = _below(diagonal, off[BATCH:], size - 1, largest)
    if any_above(below, zero):
        smallest = _largest(diagonal, off[BATCH:], size - 1, -1.0, below)
        smallest = choose(below, zero, smallest, zero)
        largest = choose(smallest, largest, smallest, largest)
    store(out, 0, largest)
