# SPDX-License-Identifier: Apache-2.0
"""Second largest |eigenvalue| of symmetric matrices whose largest is known, eight matrices of one size at a time.

Rules of this module:

- A = D^−½ W D^−½ of a connected, non-bipartite graph has the eigenvalue 1 once, with the vector √d, and all
  others in (−1, 1). One reflection takes it out; Householder's reflections make the rest tridiagonal
  (Golub and Van Loan, Matrix Computations, 4th ed., 8.3); Laguerre's iteration comes down on the largest root
  from 1, third order and never below it (Parlett, The Symmetric Eigenvalue Problem, 1998, 7.5).
- Each matrix has its own lane and never sees its neighbours: its bits do not depend on who lies beside it.
- Only + − × ÷ √ in a fixed order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit

BATCH = 8
_TINY = 1e-300
_CLOSE = 4e-14  # Laguerre's steps fall by the third power: after one this small nothing is left to gain
_MOST_STEPS = 100

Floats = NDArray[np.float64]


@jit.serial
def _normalise(w: Floats, size: int, vector: Floats) -> None:
    # In place W → D^−½ W D^−½, vector → √(d / Σd): the eigenvector of 1.
    root = np.empty((size, BATCH))
    total = np.zeros(BATCH)
    for i in range(size):
        for b in range(BATCH):
            root[i, b] = 0.0
        for j in range(size):
            for b in range(BATCH):
                root[i, b] += w[i, j, b]
        for b in range(BATCH):
            total[b] += root[i, b]
    for i in range(size):
        for b in range(BATCH):
            vector[i, b] = np.sqrt(root[i, b] / total[b])
            root[i, b] = 1.0 / np.sqrt(root[i, b])
    for i in range(size):
        for j in range(size):
            for b in range(BATCH):
                w[i, j, b] *= root[i, b] * root[j, b]


@jit.serial
def _deflate(a: Floats, size: int, vector: Floats) -> None:
    # Reflect the eigenvector of 1 onto the first axis; rows and columns 1 … size − 1 keep the other eigenvalues.
    # With u = v + e₀ and A v = v, A u is v plus the first column: no product is needed.
    p = np.empty((size, BATCH))
    half = np.zeros(BATCH)
    beta = np.empty(BATCH)
    for b in range(BATCH):
        beta[b] = 1.0 / (1.0 + vector[0, b])  # 2 / uᵀu
        vector[0, b] += 1.0
    for i in range(size):
        for b in range(BATCH):
            p[i, b] = (vector[i, b] - (1.0 if i == 0 else 0.0) + a[i, 0, b]) * beta[b]
            half[b] += p[i, b] * vector[i, b]
    for i in range(size):
        for b in range(BATCH):
            p[i, b] -= 0.5 * beta[b] * half[b] * vector[i, b]
    for i in range(1, size):
        for j in range(1, size):
            for b in range(BATCH):
                a[i, j, b] -= vector[i, b] * p[j, b] + p[i, b] * vector[j, b]


@jit.serial
def _reflect(a: Floats, size: int, k: int, u: Floats, p: Floats, off: Floats) -> None:
    # One Householder step: column k below the diagonal becomes (off[k], 0, …).
    beta = np.empty(BATCH)
    norm = np.zeros(BATCH)
    for i in range(k + 1, size):
        for b in range(BATCH):
            norm[b] += a[i, k, b] * a[i, k, b]
    for b in range(BATCH):
        head = a[k + 1, k, b]
        alpha = -np.sqrt(norm[b]) if head > 0.0 else np.sqrt(norm[b])
        off[k, b] = norm[b]
        square = norm[b] - head * alpha  # uᵀu / 2
        beta[b] = 1.0 / square if square > _TINY else 0.0
        u[k + 1, b] = head - alpha
    for i in range(k + 2, size):
        for b in range(BATCH):
            u[i, b] = a[i, k, b]
    half = np.zeros(BATCH)
    for i in range(k + 1, size):
        for b in range(BATCH):
            p[i, b] = 0.0
        for j in range(k + 1, size):
            for b in range(BATCH):
                p[i, b] += a[i, j, b] * u[j, b]
        for b in range(BATCH):
            p[i, b] *= beta[b]
            half[b] += p[i, b] * u[i, b]
    for i in range(k + 1, size):
        for b in range(BATCH):
            p[i, b] -= 0.5 * beta[b] * half[b] * u[i, b]
    for i in range(k + 1, size):
        for j in range(k + 1, size):
            for b in range(BATCH):
                a[i, j, b] -= u[i, b] * p[j, b] + p[i, b] * u[j, b]


@jit.serial
def _largest(diagonal: Floats, off: Floats, first: int, size: int, sign: float, x: Floats) -> None:
    # Laguerre's iteration from x (at or above the largest root of sign · T) down to it.
    n = float(size - first)
    done = np.zeros(BATCH)
    old = np.empty((3, BATCH))
    new = np.empty((3, BATCH))
    left = BATCH
    for _ in range(_MOST_STEPS):
        if left == 0:
            return
        for b in range(BATCH):
            old[0, b], old[1, b], old[2, b] = 1.0, 0.0, 0.0
            new[0, b], new[1, b], new[2, b] = x[b] - sign * diagonal[first, b], 1.0, 0.0
        for k in range(first + 1, size):
            for b in range(BATCH):  # the leading minors of xI − T, their first and half their second derivatives
                d = x[b] - sign * diagonal[k, b]
                e = off[k - 1, b]
                minor = d * new[0, b] - e * old[0, b]
                slope = d * new[1, b] + new[0, b] - e * old[1, b]
                bend = d * new[2, b] + new[1, b] - e * old[2, b]
                old[0, b], old[1, b], old[2, b] = new[0, b], new[1, b], new[2, b]
                new[0, b], new[1, b], new[2, b] = minor, slope, bend
        left = 0
        for b in range(BATCH):
            value = new[0, b]
            safe = value if value > _TINY else 1.0
            g = new[1, b] / safe
            h = g * g - 2.0 * (new[2, b] / safe)
            under = (n - 1.0) * (n * h - g * g)
            step = n / (g + np.sqrt(under if under > 0.0 else 0.0)) if value > _TINY else 0.0
            step = step if done[b] == 0.0 else 0.0
            x[b] -= step
            done[b] = 1.0 if step < _CLOSE else 0.0
            left += 1 if step >= _CLOSE else 0


@jit.serial
def _reaches_below(diagonal: Floats, off: Floats, first: int, size: int, x: Floats) -> bool:
    # Whether some T has an eigenvalue below −x: not all leading minors of xI + T are positive.
    below = False
    old = np.ones(BATCH)
    new = np.empty(BATCH)
    for b in range(BATCH):
        new[b] = x[b] + diagonal[first, b]
        below |= new[b] <= 0.0
    for k in range(first + 1, size):
        for b in range(BATCH):
            minor = (x[b] + diagonal[k, b]) * new[b] - off[k - 1, b] * old[b]
            old[b] = new[b]
            new[b] = minor
            below |= minor <= 0.0
    return below


@jit.serial
def second(w: Floats, size: int, out: Floats) -> None:
    """Second largest absolute eigenvalue of each D^−½ W D^−½.

    :param w: symmetric pair counts (size, size, BATCH), each of a connected graph that is not bipartite; spoiled
    :param size: at least 2
    :param out: (BATCH,) in [0, 1]
    """
    vector = np.empty((size, BATCH))
    _normalise(w, size, vector)
    _deflate(w, size, vector)
    off = np.empty((size, BATCH))  # squares of the entries beside the diagonal
    u = np.empty((size, BATCH))
    p = np.empty((size, BATCH))
    for k in range(1, size - 2):
        _reflect(w, size, k, u, p, off)
    diagonal = np.empty((size, BATCH))
    for i in range(1, size):
        for b in range(BATCH):
            diagonal[i, b] = w[i, i, b]
    for b in range(BATCH):
        off[size - 2, b] = w[size - 1, size - 2, b] * w[size - 1, size - 2, b]
    up = np.ones(BATCH)
    _largest(diagonal, off, 1, size, 1.0, up)
    for b in range(BATCH):
        out[b] = up[b] if up[b] > 0.0 else 0.0
    if _reaches_below(diagonal, off, 1, size, out):
        down = np.ones(BATCH)
        _largest(diagonal, off, 1, size, -1.0, down)
        for b in range(BATCH):
            out[b] = max(out[b], down[b])
