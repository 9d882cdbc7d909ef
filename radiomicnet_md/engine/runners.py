# SPDX-License-Identifier: Apache-2.0
"""The engines that can run a locked network, by the name that a release gives; the same bits from each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine.program import Operation, Tensors
from radiomicnet_md.engine.runner import Runner
from radiomicnet_md.errors import IntegrityError

COMPILED, TORCH, OPENVINO = "compiled", "torch", "openvino"
NAMES = (COMPILED, TORCH, OPENVINO)


def made(name: str, operations: tuple[Operation, ...], tensors: Tensors, sigmoid: NDArray[np.integer]) -> Runner:
    """The engine of a name for a program with its tensors; only its own library is imported.

    Raises :class:`IntegrityError` (``E-ENGINE``) for a name that this version does not know.
    """
    match name:
        case "compiled":
            from radiomicnet_md.engine.compiled_engine import CompiledEngine

            return CompiledEngine(operations, tensors, sigmoid)
        case "torch":
            from radiomicnet_md.engine.torch_engine import TorchEngine

            return TorchEngine(operations, tensors, sigmoid)
        case "openvino":
            from radiomicnet_md.engine.openvino_engine import OpenVinoEngine

            return OpenVinoEngine(operations, tensors, sigmoid)
    raise IntegrityError(
        "E-ENGINE",
        f"The release asks for the engine {name!r}, which this version does not have.",
        remedy="Use the version of the program that the release was made with.",
    )
