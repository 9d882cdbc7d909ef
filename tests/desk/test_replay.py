# SPDX-License-Identifier: Apache-2.0
"""A replay says IDENTICAL, or the first stage that differs, or why the two cannot be compared; and is recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from radiomicnet_md import io, shelf
from radiomicnet_md.decision import Decision
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Answer, Desk, segment_file
from radiomicnet_md.engine.record import MOST_REGIONS
from radiomicnet_md.errors import ExitCode, NotQualifiedError, UsageError
from radiomicnet_md.replay import Verdict, alike, replay
from radiomicnet_md_audit.statement import REPLAY
from radiomicnet_md_audit.stored import verify_ledger
from tests import desks

pytestmark = pytest.mark.verifies("SRS-ENG-007")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return desks.write_images(tmp_path / "in", "scan.png")[0]


@pytest.fixture
def answer(desk: Desk, path: Path, out: Path) -> Answer:
    return segment_file(path, desk, Target(out, "scan"))


def test_the_kept_samples_and_the_file_give_the_recorded_bytes(desk: Desk, path: Path, answer: Answer) -> None:
    for source in (None, path):
        done = replay(answer.record_id[:8], desk, source)
        assert (done.finding.verdict, done.exit_code) == (Verdict.IDENTICAL, ExitCode.OK)
        entry = desk.ledger.find(done.record_id)
        recorded = desk.ledger.read(entry)
        assert recorded.predicate_type == REPLAY
        assert recorded.predicate["of"] == answer.record_id
        assert recorded.predicate["verdict"] == "IDENTICAL"
    assert verify_ledger(desk.ledger, desk.ledger.anchor_text()).ok


@pytest.mark.verifies("SRS-ENG-007", rc=("RC-017",))
def test_another_engine_diverges_at_a_named_stage(desk: Desk, answer: Answer) -> None:
    other = replace(desk, engine=desks.FakeEngine(level=170))
    done = replay(answer.record_id, other)
    assert (done.finding.verdict, done.finding.stage) == (Verdict.DIVERGENCE, "logit")
    assert done.exit_code == ExitCode.DIVERGED


def test_other_code_with_the_same_bits_is_identical_and_with_other_bits_is_not_compared(
    desk: Desk, answer: Answer
) -> None:
    elsewhere = replace(desk, maker=replace(desk.maker, code={"version": "0.2.0", "sha256": "9" * 64}))
    assert replay(answer.record_id, elsewhere).finding.verdict == Verdict.IDENTICAL
    done = replay(answer.record_id, replace(elsewhere, engine=desks.FakeEngine(level=170)))
    assert (done.finding.verdict, done.exit_code) == (Verdict.ENVIRONMENT, ExitCode.NOT_QUALIFIED)


def test_another_release_is_not_compared(desk: Desk, answer: Answer) -> None:
    release = {"id": "fake", "version": "1.2.4", "manifest_sha256": "8" * 64}
    done = replay(answer.record_id, replace(desk, maker=replace(desk.maker, release=release)))
    assert (done.finding.verdict, done.finding.stage) == (Verdict.ENVIRONMENT, "release")


@pytest.mark.verifies("SRS-ENG-007", rc=("RC-017",))
def test_missing_samples_and_another_file_are_input_missing(desk: Desk, answer: Answer, tmp_path: Path) -> None:
    other = desks.write_images(tmp_path / "other", "a.png", "b.png")[1]
    assert replay(answer.record_id, desk, other).finding.verdict == Verdict.INPUT
    entry = desk.ledger.read(desk.ledger.find(answer.record_id))
    about = entry.predicate["input"]
    assert isinstance(about, dict)
    shelf.artefact(desk.home.folder, str(about["pixels_sha256"])).unlink()
    done = replay(answer.record_id, desk)
    assert (done.finding.verdict, done.exit_code) == (Verdict.INPUT, ExitCode.INTENDED_USE)


def test_a_refusal_is_refused_again(desk: Desk, tmp_path: Path, out: Path) -> None:
    unreadable = tmp_path / "broken.png"
    unreadable.write_bytes(b"not an image")
    refused = segment_file(unreadable, desk, Target(out, "broken"))
    assert replay(refused.record_id, desk, unreadable).finding.verdict == Verdict.IDENTICAL
    assert replay(refused.record_id, desk).finding.verdict == Verdict.INPUT


def test_a_refusal_of_too_many_regions_is_refused_again(
    desk: Desk, engine: desks.FakeEngine, path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = engine.decide

    def crowded(levels: NDArray[np.uint8], spacing_mm: tuple[float, float] | None) -> Decision:
        decision = decide(levels, spacing_mm)
        return replace(decision, chosen=decision.chosen * (MOST_REGIONS + 1))

    monkeypatch.setattr(engine, "decide", crowded)
    refused = segment_file(path, desk, Target(out, "scan"))
    assert refused.reason is not None
    assert refused.reason.code == "E-SCREEN-REGIONS"
    done = replay(refused.record_id, desk, path)
    assert (done.finding.verdict, done.exit_code) == (Verdict.IDENTICAL, ExitCode.OK)
    monkeypatch.undo()
    assert replay(refused.record_id, desk, path).finding.stage == "admission"


def test_the_same_samples_under_another_header_are_the_recorded_image(
    desk: Desk, engine: desks.FakeEngine, path: Path, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, decide, seen = io.read, engine.decide, []

    def elsewhere(source: Path) -> io.Reading:
        reading = read(source)
        origin = replace(reading.image.origin, format="dicom", modality="CT", file_sha256="7" * 64)
        return replace(reading, image=replace(reading.image, origin=origin, spacing_mm=(0.5, 0.25)))

    def noting(levels: NDArray[np.uint8], spacing_mm: tuple[float, float] | None) -> Decision:
        seen.append(spacing_mm)
        return decide(levels, spacing_mm)

    monkeypatch.setattr(io, "read", elsewhere)
    monkeypatch.setattr(engine, "decide", noting)
    assert replay(answer.record_id, desk, path).finding.verdict == Verdict.IDENTICAL
    assert seen == [None]


def test_an_error_cannot_be_replayed_and_a_barred_desk_does_not_replay(
    desk: Desk, path: Path, answer: Answer, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    error = segment_file(path, desk, Target(tmp_path / "taken", "scan"))
    with pytest.raises(UsageError):
        replay(error.record_id, desk)
    barred = NotQualifiedError("E-KAT", "Wrong answers.", remedy="Run: radiomicnet-md doctor")
    with pytest.raises(NotQualifiedError):
        replay(answer.record_id, replace(desk, engine=barred))


@pytest.mark.verifies("SRS-ENG-007", rc=("RC-017",))
def test_floats_may_differ_by_one_part_in_a_million_million_and_nothing_else_may() -> None:
    one = (1.0).hex()
    assert alike({"a": [one]}, {"a": [(1.0 + 5e-13).hex()]})
    assert not alike({"a": [one]}, {"a": [(1.0 + 5e-12).hex()]})
    assert not alike({"a": 1}, {"a": 2})
    assert not alike({"a": 1}, {"b": 1})
    assert not alike(one, "UNDEFINED")
