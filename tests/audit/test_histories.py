# SPDX-License-Identifier: Apache-2.0
"""Honest histories raise no alarm (the short form of ``python -m tests.audit.tampering``)."""

from __future__ import annotations

import pytest

from tests.audit import histories

pytestmark = pytest.mark.verifies("SRS-LOG-018", "SRS-LOG-008")


def test_random_honest_histories_raise_no_alarm() -> None:
    assert histories.run(150, number=2026) >= 150


def test_a_false_alarm_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a verification that takes a lagging anchor for a changed one, the histories do not pass."""
    monkeypatch.setattr("radiomicnet_md_audit.verify._LONGEST_LINE", 0)
    monkeypatch.setattr("radiomicnet_md_audit.verify.Walk.anchor_goes_on", lambda walk: walk._anchor_last)
    with pytest.raises(histories.FalseAlarmError):
        histories.run(20, number=1)
