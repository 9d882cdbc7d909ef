# SPDX-License-Identifier: Apache-2.0
"""An engine whose numbers changed after it was built decides nothing more, and the desk says why in its records."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from radiomicnet_md import desk as desks_
from radiomicnet_md import home as homes
from radiomicnet_md.engine import immutable
from radiomicnet_md.engine.release import default_folder, open_release
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.engine.state import State
from radiomicnet_md.errors import ExitCode, IntegrityError
from tests import desks

pytestmark = pytest.mark.verifies("SRS-REL-004")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(open_release(default_folder()))


def weight(engine: Any) -> None:  # noqa: ANN401
    engine.network._layers["stem"].weight[0, 0, 0] += 1


def table(engine: Any) -> None:  # noqa: ANN401
    engine.network._sigmoid[511] += 1


def threshold(engine: Any) -> None:  # noqa: ANN401
    engine._thresholds[0, 0] = np.nextafter(engine._thresholds[0, 0], np.inf)


def gate(engine: Any) -> None:  # noqa: ANN401
    engine._gating.mean[0] += 1


def head(engine: Any) -> None:  # noqa: ANN401
    object.__setattr__(engine.head, "bias", engine.head.bias + 1)


@pytest.mark.parametrize("change", [weight, table, threshold, gate, head])
def test_a_changed_number_anywhere_is_noticed_before_any_answer(engine: Engine, change: Callable[[Any], None]) -> None:
    held = copy.deepcopy(engine)
    assert held._digest() == engine._built
    change(held)
    with pytest.raises(IntegrityError) as caught:
        held.known_answer_test()
    assert caught.value.code == "E-PARAMETERS"
    assert engine._digest() == engine._built


def test_a_digest_tells_types_shapes_and_places_apart() -> None:
    things = [1, 1.0, True, "1", b"1", None, [1], [[1]], {"a": 1}, {"b": 1}, np.zeros(4), np.zeros((2, 2))]
    things += [np.zeros(4, dtype=np.float32), torch.zeros(4), [np.zeros(1), np.zeros(3)], [np.zeros(3), np.zeros(1)]]
    digests = [immutable.digest(thing) for thing in things]
    same = {immutable.digest(np.zeros(4, dtype=np.float32))} & set(digests)
    assert len(set(digests)) == len(things) - 1  # a tensor is its array
    assert len(same) == 1


class Fading(desks.FakeEngine):
    """Its parameters are not those it was built with, from the second test on."""

    def known_answer_test(self) -> None:
        raise IntegrityError("E-PARAMETERS", "A parameter changed.", remedy="Start again.")


@pytest.mark.verifies("SRS-REC-005")
def test_after_a_hundred_cases_a_changed_parameter_ends_all_deciding_with_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desks.remember_keys(monkeypatch)
    monkeypatch.setattr(desks_, "CASES_BETWEEN_TESTS", 2)
    monkeypatch.setattr(desks_, "_deliver", lambda *_: ())
    desk = desks.make_desk(homes.create(tmp_path / "home"), Fading())
    before = desk.ledger.size
    inputs = desks.write_images(tmp_path / "in", *(f"{n}.png" for n in range(4)))
    answers = list(desks_.segment_files(inputs, desk, tmp_path / "out"))
    assert [answer.status for answer in answers] == ["accepted", "accepted", "error", "error"]
    assert {answer.exit_code for answer in answers[2:]} == {ExitCode.INTEGRITY}
    assert desk.ledger.size == before + 4
    assert desks_.retested(desk).state is State.DEGRADED
    desk.ledger.close()
