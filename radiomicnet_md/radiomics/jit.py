# SPDX-License-Identifier: Apache-2.0
"""Compiled loops that keep their Python types, release the interpreter lock, and never relax IEEE 754.

Rules of this module:

- ``fastmath`` stays off: no reordering, no fused multiply-add, so a kernel's bits do not depend on the machine.
- Compiled code is kept in a folder named after the sources of all kernels: numba itself looks only at the file of the
  outermost one, and would run an old kernel inside a new one after an upgrade.
- A division by 0 gives what IEEE 754 says and no exception: the check would keep a loop from being vectorised.
- A parallel kernel writes each output from one iteration only; threads cannot matter.
- Threads that have nothing to do sleep: those that spin for the next loop take the processor from whatever else runs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

_HERE = Path(__file__).parent
_KERNELS = (_HERE, _HERE.parent / "engine" / "kernels")  # all compiled loops of the package stand in these


def _sources_digest() -> str:
    digest = hashlib.sha256()
    for file in (file for folder in _KERNELS for file in sorted(folder.rglob("*.py"))):
        digest.update(file.read_bytes())
    return digest.hexdigest()


os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when the first parallel kernel is loaded
_settings: Any = numba.config  # its names are made at run time
_settings.CACHE_DIR = str(Path(_settings.CACHE_DIR or _HERE / "__pycache__") / f"kernels-{_sources_digest()[:16]}")


def compiled(module: str) -> bool:
    """Whether a kernel of a module has been compiled before, from these sources and into this cache."""
    return any(Path(_settings.CACHE_DIR).glob(f"*/{module}.*.nbc"))


Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def serial(function: Kernel) -> Kernel:
    """The function compiled for one thread, kept on disk between processes."""
    return cast("Kernel", numba.njit(nogil=True, cache=True, error_model="numpy")(function))


def parallel(function: Kernel) -> Kernel:
    """The function compiled with its ``numba.prange`` loops over threads, kept on disk between processes."""
    return cast("Kernel", numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")(function))
