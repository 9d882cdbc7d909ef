# SPDX-License-Identifier: Apache-2.0
"""What stands in a record in the place of an identifying value confirms it to who has the salt, and to nobody else."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from pathlib import Path

import pytest

from radiomicnet_md import shelf
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Desk, commitments, segment_file
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.image import Identity
from tests import desks, patients

WHO = Identity({"PatientID": "4711-canary", "PatientName": "Quill^Ada"})


@pytest.mark.verifies("SRS-PRV-001", rc=("RC-014",))
def test_a_commitment_is_whole_salted_and_says_nothing_of_the_value(caplog: pytest.LogCaptureFixture) -> None:
    salt, other = secrets.token_bytes(32), secrets.token_bytes(32)
    with caplog.at_level(logging.DEBUG):
        found = commitments(WHO, salt)
    assert found == {
        keyword: hmac.new(salt, f"{keyword}\0{value}".encode(), hashlib.sha256).hexdigest()
        for keyword, value in WHO.values.items()
    }
    assert not set(found.values()) & set(commitments(WHO, other).values())
    assert not [value for value in WHO.values.values() if value in f"{found}{caplog.text}"]


@pytest.mark.verifies("SRS-PRV-001", rc=("RC-014",))
def test_who_cannot_be_sealed_away_is_not_recorded_either(
    desk: Desk, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ConfigurationError("E-HOME-WRITE", "The home cannot be written.", remedy="Free space.")

    path = patients.write(tmp_path / "in" / "1.dcm", patients.PEOPLE["quill"], 1)
    monkeypatch.setattr(shelf.Staged, "keep_identity", fails)
    before = desk.ledger.size
    with pytest.raises(ConfigurationError):
        segment_file(path, desk, Target(out, "scan"))
    assert desk.ledger.size == before
    assert desks.tree(out) == {}
