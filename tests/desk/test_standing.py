# SPDX-License-Identifier: Apache-2.0
"""A request that outlives a process is decided once; asked again, it gives what its record says, or nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from radiomicnet_md import intent, io, standing
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Desk
from radiomicnet_md.engine.record import Reason
from radiomicnet_md.errors import DivergedError, ExitCode
from tests import desks

REASON = Reason("E-INBOX-ATTEMPTS", "It was tried too often.", "Look at it.")


@pytest.mark.verifies("SRS-DCM-001")
def test_a_request_that_is_done_gives_its_files_again_and_adds_no_record(desk: Desk, tmp_path: Path) -> None:
    (path,) = desks.write_images(tmp_path, "scan.png")
    target, request = Target(tmp_path / "out", "scan", "dicom"), intent.new_id()
    first = standing.answer_request(io.Input(path), desk, target, request, io.Reader())
    before, size = desks.tree(tmp_path / "out"), desk.ledger.size
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").mkdir()
    half = tmp_path / "out" / f".scan.{first.record_id}.part"  # as a crash between the record and the files leaves it
    half.mkdir()
    (half / "mask.png").write_bytes(b"half")
    assert standing.answer_request(io.Input(path), desk, target, request, io.Reader()) == first
    assert desks.tree(tmp_path / "out") == before
    assert desk.ledger.size == size


@pytest.mark.verifies("SRS-DCM-001")
def test_a_refused_request_stays_refused(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "scan.png"
    path.write_bytes(b"no image")
    target, request = Target(tmp_path / "out", "scan"), intent.new_id()
    first = standing.answer_request(io.Input(path), desk, target, request, io.Reader())
    size = desk.ledger.size
    assert standing.answer_request(io.Input(path), desk, target, request, io.Reader()) == first
    assert standing.refuse_request(io.Input(path), desk, request, REASON) == first
    assert (first.status, first.exit_code, desk.ledger.size) == ("refused", ExitCode.INTENDED_USE, size)


@pytest.mark.verifies("SRS-DCM-001")
def test_what_was_tried_too_often_is_refused_once_with_its_reason(desk: Desk, tmp_path: Path) -> None:
    (path,) = desks.write_images(tmp_path, "scan.png")
    request, size = intent.new_id(), desk.ledger.size
    said = [standing.refuse_request(io.Input(path), desk, request, REASON) for _ in range(2)]
    said.append(standing.answer_request(io.Input(path), desk, Target(tmp_path / "out", "scan"), request, io.Reader()))
    assert said[0] == said[1] == said[2]
    assert (said[0].reason, said[0].outputs, desk.ledger.size) == (REASON, (), size + 1)


@pytest.mark.verifies("SRS-DCM-001", rc=("RC-033",))
def test_another_answer_than_the_recorded_one_is_not_given_out(desk: Desk, tmp_path: Path) -> None:
    (path,) = desks.write_images(tmp_path, "scan.png")
    request = intent.new_id()
    standing.answer_request(io.Input(path), desk, Target(tmp_path / "out", "scan"), request, io.Reader())
    other = replace(desk, engine=desks.FakeEngine(level=160))
    with pytest.raises(DivergedError) as raised:
        standing.answer_request(io.Input(path), other, Target(tmp_path / "again", "scan"), request, io.Reader())
    assert raised.value.code == "E-REQUEST-DIVERGED"
    assert not (tmp_path / "again" / "scan").exists()
