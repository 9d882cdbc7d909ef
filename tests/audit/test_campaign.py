# SPDX-License-Identifier: Apache-2.0
"""The campaign adds its parts up, says what it found, and does not pass when anything came out otherwise."""

from __future__ import annotations

import json
from concurrent.futures import Future
from typing import Any

import pytest

from tests.audit.tampering import campaign, summary

pytestmark = pytest.mark.verifies("SRS-LOG-004", "SRS-LOG-018")


def results() -> dict[str, Any]:
    return {
        "date": "2026-01-01",
        "machine": "2 cores",
        "seed": 7,
        "catalogue": {"cases": 3, "runs": {"sqlite D": 2, "export N": 1}, "unlike": []},
        "histories": campaign.honest(3, 1),
        "corpus": {"accepted": 4, "rejected": 5, "we_refuse": {"E-BASE64": 2}, "we_accept": {}, "unexplained": []},
        "small export": {"files": 10, "bytes": 9_000, "missed": []},
        "large export": campaign.changed(3, 12, 0, 2),
        "seconds": 60,
    }


def test_a_campaign_in_which_all_is_well_says_so() -> None:
    made = results()
    assert made == json.loads(json.dumps(made))
    assert summary.holds(made)
    text = summary.markdown(made)
    assert "Everything came out as it must." in text
    assert "| D: detected offline | 2 | 0 | 0 |" in text
    assert made["histories"]["ended"] >= 3
    assert made["large export"]["bytes"] > 0
    assert "11 notes and proofs" in text


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("catalogue", "unlike"),
        ("histories", "alarms"),
        ("corpus", "unexplained"),
        ("small export", "missed"),
        ("large export", "missed"),
    ],
)
def test_a_campaign_in_which_one_thing_is_not_says_that(part: str, name: str) -> None:
    made = results()
    made[part][name] = ["something strange"]
    assert not summary.holds(made)
    assert "Not as it must be: something strange" in summary.markdown(made)


def test_parts_are_added_up() -> None:
    def done(value: dict[str, Any]) -> Future[dict[str, Any]]:
        future: Future[dict[str, Any]] = Future()
        future.set_result(value)
        return future

    one = {"files": 9, "bytes": 2, "missed": ["a"], "runs": {"x": 1}}
    two = {"files": 9, "bytes": 3, "missed": [], "runs": {"x": 2, "y": 1}}
    assert campaign._sum(done(one), done(two)) == {"files": 9, "bytes": 5, "missed": ["a"], "runs": {"x": 3, "y": 1}}


def test_an_alarm_in_a_history_is_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radiomicnet_md_audit.verify.Walk.anchor_goes_on", lambda walk: walk._anchor_last)
    assert "E-ANCHOR-LEADS" in campaign.honest(3, 1)["alarms"][0]
