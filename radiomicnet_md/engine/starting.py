# SPDX-License-Identifier: Apache-2.0
"""A verified release becomes an engine that has given its known answers, or an error with a name.

A signature says who made a release, not that its parts fit together. Whatever does not is found here, before a case.
"""

from __future__ import annotations

from safetensors import SafetensorError

from radiomicnet_md.engine.release import Release
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.errors import IntegrityError

_UNFIT = (ArithmeticError, AttributeError, LookupError, RuntimeError, SafetensorError, TypeError, ValueError)


def started(release: Release) -> Engine:
    """The engine with its known answers given.

    Raises :class:`NotQualifiedError` when the answers are other ones, :class:`IntegrityError` when a bound does not
    hold or the release's files do not fit together.
    """
    try:
        engine = Engine.load(release)
        engine.known_answer_test()
    except _UNFIT as error:
        raise IntegrityError(
            "E-RELEASE-CONTENT",
            f"The files of the release are as signed, but no engine can be made of them ({type(error).__name__}).",
            remedy="Use the release that ships with this version of the program, or ask the release's maker.",
        ) from error
    return engine
