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

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.windows.eight import WIDTH as BATCH
from radiomicnet_md.radiomics.windows.eight import add_product, next_minor, scale, subtract_products

_TINY = 1e-300
_CLOSE = 4e-14  # Laguerre's steps fall by the third power: after one this small nothing is left to gain
_MOST_STEPS = 100

Floats = NDArray[np.float64]


@jit.serial
def work_size(size: int) -> int:
    """Doubles of scratch that :func:`second` needs for matrices of a size."""
    return (8 * size + 6) * BATCH


@jit.serial
def _update(a: Floats, size: int, first: int, u: Floats, p: Floats) -> None:
    # A −= u pᵀ + p uᵀ from row and column ``first`` on.
    for i in range(first, size):
        for j in range(first, i + 1):
            subtract_products(a, (i * size + j) * BATCH, u, i * BATCH, p, j * BATCH)


@jit.serial
def _subtract_projection(p: Floats, u: Floats, beta: Floats, first: int, size: int, total: Floats) -> None:  # noqa: PLR0913
    # p −= ½ β (pᵀu) u: what makes the two-sided reflection a sum of two products.
    total[:] = 0.0
    for i in range(first, size):
        add_product(total, 0, p, i * BATCH, u, i * BATCH)
    for b in range(BATCH):
        total[b] *= -0.5 * beta[b]
    for i in range(first, size):
        add_product(p, i * BATCH, total, 0, u, i * BATCH)


@jit.serial
def _deflate(a: Floats, size: int, degrees: Floats, u: Floats, p: Floats, small: Floats) -> None:  # noqa: PLR0913
    # W → D^−½ W D^−½, then reflect its eigenvector v of 1 onto the first axis: rows and columns from 1 on keep the
    # others. With u = v + e₀ and A v = v, A u is v plus the first column: no product is needed.
    beta, total = small[:BATCH], small[BATCH : 2 * BATCH]
    total[:] = 0.0
    for i in range(size):
        for b in range(BATCH):
            total[b] += degrees[i * BATCH + b]
            p[i * BATCH + b] = 1.0 / np.sqrt(degrees[i * BATCH + b])
    for i in range(size):
        for b in range(BATCH):
            u[i * BATCH + b] = np.sqrt(degrees[i * BATCH + b] / total[b])
        for j in range(i + 1):
            scale(a, (i * size + j) * BATCH, p, i * BATCH, p, j * BATCH)
    for b in range(BATCH):
        beta[b] = 1.0 / (1.0 + u[b])  # 2 / uᵀu
    for i in range(size):
        for b in range(BATCH):
            p[i * BATCH + b] = (u[i * BATCH + b] + a[i * size * BATCH + b]) * beta[b]
    for b in range(BATCH):
        u[b] += 1.0
    _subtract_projection(p, u, beta, 0, size, total)
    _update(a, size, 1, u, p)


@jit.serial
def _reflect(a: Floats, size: int, k: int, u: Floats, p: Floats, off: Floats, small: Floats) -> None:  # noqa: PLR0913
    # One Householder step: column k below the diagonal becomes (√off[k], 0, …).
    beta, total = small[:BATCH], small[BATCH : 2 * BATCH]
    total[:] = 0.0
    for i in range(k + 1, size):
        place = (i * size + k) * BATCH
        add_product(total, 0, a, place, a, place)
        for b in range(BATCH):
            u[i * BATCH + b] = a[place + b]
            p[i * BATCH + b] = 0.0
    for b in range(BATCH):
        head = u[(k + 1) * BATCH + b]
        alpha = -np.sqrt(total[b]) if head > 0.0 else np.sqrt(total[b])
        square = total[b] - head * alpha  # uᵀu / 2
        beta[b] = 1.0 / square if square > _TINY else 0.0
        u[(k + 1) * BATCH + b] = head - alpha
        off[k * BATCH + b] = total[b]
    for i in range(k + 1, size):
        for j in range(k + 1, i):
            place = (i * size + j) * BATCH
            add_product(p, i * BATCH, a, place, u, j * BATCH)
            add_product(p, j * BATCH, a, place, u, i * BATCH)
        add_product(p, i * BATCH, a, (i * size + i) * BATCH, u, i * BATCH)
    for i in range(k + 1, size):
        for b in range(BATCH):
            p[i * BATCH + b] *= beta[b]
    _subtract_projection(p, u, beta, k + 1, size, total)
    _update(a, size, k + 1, u, p)


@jit.serial
def _minors(diagonal: Floats, off: Floats, order: int, x: Floats, sign: float, work: Floats) -> None:  # noqa: PLR0913
    # Leading minors of xI − sign · T, their first and half their second derivatives: three times BATCH values an order.
    minors, shifted = work[order * BATCH :], work[: order * BATCH]
    for k in range(order):
        for b in range(BATCH):
            shifted[k * BATCH + b] = x[b] - sign * diagonal[k * BATCH + b]
    minors[: 6 * BATCH] = 0.0
    for b in range(BATCH):
        minors[b] = 1.0
        minors[3 * BATCH + b] = shifted[b]
        minors[4 * BATCH + b] = 1.0
    for k in range(1, order):
        next_minor(minors, 3 * k * BATCH, shifted, k * BATCH, off, (k - 1) * BATCH)


@jit.serial
def _largest(  # noqa: PLR0913 - a kernel takes plain values
    diagonal: Floats, off: Floats, order: int, sign: float, work: Floats, active: Floats, x: Floats
) -> None:
    # Laguerre's iteration from x (at or above the largest root of sign · T) down to it, where ``active`` is not 0.
    n = float(order)
    last = work[4 * order * BATCH : (4 * order + 3) * BATCH]
    for _ in range(_MOST_STEPS):
        if active.max() == 0.0:
            return
        _minors(diagonal, off, order, x, sign, work)
        for b in range(BATCH):
            value = last[b]
            safe = value if value > _TINY else 1.0
            g = last[BATCH + b] / safe
            h = g * g - 2.0 * (last[2 * BATCH + b] / safe)
            under = (n - 1.0) * (n * h - g * g)
            step = n / (g + np.sqrt(under if under > 0.0 else 0.0)) if value > _TINY else 0.0
            step = step if active[b] > 0.0 else 0.0
            x[b] -= step
            active[b] = 1.0 if step >= _CLOSE else 0.0


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
    small = work[4 * long : 4 * long + 3 * BATCH]
    rest = work[4 * long + 3 * BATCH :]
    _deflate(a, size, degrees, u, p, small)
    for k in range(1, size - 2):
        _reflect(a, size, k, u, p, off, small)
    for i in range(1, size):
        for b in range(BATCH):
            diagonal[(i - 1) * BATCH + b] = a[(i * size + i) * BATCH + b]
    for b in range(BATCH):
        beside = a[((size - 1) * size + size - 2) * BATCH + b]
        off[(size - 2) * BATCH + b] = beside * beside
    active, down = small[:BATCH], small[BATCH : 2 * BATCH]
    order = size - 1
    active[:] = 1.0
    out[:] = 1.0
    _largest(diagonal, off[BATCH:], order, 1.0, rest, active, out)
    for b in range(BATCH):
        out[b] = out[b] if out[b] > 0.0 else 0.0
    _minors(diagonal, off[BATCH:], order, out, -1.0, rest)
    minors = rest[order * BATCH :]
    active[:] = 0.0
    for k in range(1, order + 1):  # a leading minor of xI + T that is not positive: an eigenvalue at −x or below
        for b in range(BATCH):
            active[b] = 1.0 if minors[3 * k * BATCH + b] <= 0.0 else active[b]
    for b in range(BATCH):
        down[b] = active[b]
    _largest(diagonal, off[BATCH:], order, -1.0, rest, active, down)
    for b in range(BATCH):
        out[b] = max(out[b], down[b])
