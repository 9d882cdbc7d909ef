# SPDX-License-Identifier: Apache-2.0
"""One wrong stage, one wrong score or one changed parameter, and no further case is decided. No engine is loaded."""

from __future__ import annotations

import json
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from radiomicnet_md.engine.segment import ANSWERS, Engine
from radiomicnet_md.errors import IntegrityError, NotQualifiedError

ANSWER = {"stages": {"levels": "1" * 64, "mask": "2" * 64}, "scores": [5, -8]}


def asked(found: dict[str, Any], now: str = "as built") -> None:
    """The known-answer test of an engine whose release says ``ANSWER`` and which gives ``found``."""
    golden = BytesIO()
    np.save(golden, np.zeros((2, 3), dtype=np.uint8))
    held: Any = SimpleNamespace(
        _digest=lambda: now,
        _built="as built",
        _files={ANSWERS: json.dumps({"one": ANSWER}).encode(), "golden/one.npy": golden.getvalue()},
        answers=lambda inputs: dict.fromkeys(inputs, found),
    )
    Engine.known_answer_test(held)


@pytest.mark.verifies("SRS-REL-004", rc=("RC-008",))
@pytest.mark.parametrize(
    "found",
    [{**ANSWER, "stages": {**ANSWER["stages"], "mask": "3" * 64}}, {**ANSWER, "scores": [5, -7]}],
    ids=["stage", "score"],
)
def test_an_answer_that_is_not_the_known_one_is_refused(found: dict[str, Any]) -> None:
    asked(ANSWER)
    with pytest.raises(NotQualifiedError) as caught:
        asked(found)
    assert caught.value.code == "E-KAT"


@pytest.mark.verifies("SRS-REL-004", rc=("RC-008",))
def test_a_parameter_that_changed_is_refused_although_the_answers_hold() -> None:
    with pytest.raises(IntegrityError) as caught:
        asked(ANSWER, now="changed")
    assert caught.value.code == "E-PARAMETERS"
