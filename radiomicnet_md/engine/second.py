# SPDX-License-Identifier: Apache-2.0
"""Confirms a release with an engine that shares no kernel with the first: same inputs, same integers, or a name.

Rules of this module:

- Both engines get the same canvases and channel factors; only the network is run twice.
- Whole arrays are compared, the padding of the canvas included, so nothing is left out that a digest leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine import measure
from radiomicnet_md.engine.compiled_engine import CompiledEngine
from radiomicnet_md.engine.openvino_engine import OpenVinoEngine
from radiomicnet_md.engine.segment import Engine


def confirm(files: Mapping[str, bytes], inputs: Mapping[str, NDArray[np.uint8]]) -> list[str]:
    """Run the network of a verified release through both engines.

    :param files: the release's bytes by name
    :param inputs: grey images (rows, columns) by name, such as the release's golden inputs
    :returns: a line for each array of each input in which the engines differ; none where every bit agrees
    :raises ConfigurationError: E-SECOND where OpenVINO is not installed, E-SECOND-PRECISION where it would not
        compute in float32
    """
    engine = Engine(files)
    parts = engine.program, engine.tensors, engine.spatial
    first, second = CompiledEngine(*parts), OpenVinoEngine(*parts)
    found = []
    for name, source in inputs.items():
        measured = measure.measure(source, engine.preprocessing)
        views, factors = engine.preprocessing.views(measured.levels), engine.factors(measured.paper)
        ours, theirs = first.run(views, factors), second.run(views, factors)
        for stage, array in ours.items():
            wrong = int(np.count_nonzero(array != theirs[stage]))
            if wrong:
                found.append(f"{name}: {stage} in {wrong} of {array.size} integers")
    return found
