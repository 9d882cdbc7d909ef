# SPDX-License-Identifier: Apache-2.0
"""The oracle: a release's whole decision evaluated once more, from definitions, in plain numpy and Python.

Rules of this package:

- No torch and no numba, and no function of the engine or of the radiomic measurements that it checks; what it
  shares with them is what a release is written in: names, bit widths, operations, digests and the records' types.
- Integers throughout; slow and obvious. It must agree bit for bit, and says where it does not.
- It ends where the decision ends: acceptance, PyRadiomics' values of the lesions and records are not evaluated.
"""

from __future__ import annotations

from radiomicnet_md.engine.reference.network import convolve, requantise, run

__all__ = ["convolve", "requantise", "run"]
