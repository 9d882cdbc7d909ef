# SPDX-License-Identifier: Apache-2.0
"""Honest histories raise no alarm (the short form of ``python -m tests.audit.tampering``)."""

from __future__ import annotations

import pytest

from tests.audit import histories

pytestmark = pytest.mark.verifies("SRS-LOG-018", "SRS-LOG-008")


def test_random_honest_histories_raise_no_alarm() -> None:
    assert histories.run(120, number=2026) >= 120


def test_a_false_alarm_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a verification that takes the anchor's newest line for one beyond the log, no history passes."""
    monkeypatch.setattr("radiomicnet_md_audit.verify.Walk.anchor_goes_on", lambda walk: walk._anchor_last)
    with pytest.raises(histories.FalseAlarmError):
        histories.run(20, number=1)
