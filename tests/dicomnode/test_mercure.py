# SPDX-License-Identifier: Apache-2.0
"""A task of mercure: images in one folder, objects and a result in the other, and a record of each case."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread, uid

from radiomicnet_md.errors import ExitCode
from tests import desks
from tests.dicomnode import nodes


class Task:
    """A task's two folders."""

    def __init__(self, home: Path) -> None:
        """Make them, empty."""
        self.home, self.into, self.out = home, home.parent / "into", home.parent / "out"
        for folder in (self.into, self.out):
            folder.mkdir()

    def put(self, dataset: Any) -> None:  # noqa: ANN401
        """Add an image, under the name that mercure gives it."""
        dataset.save_as(self.into / f"{dataset.SeriesInstanceUID}#{dataset.SOPInstanceUID}.dcm")

    def run(self, **more: str) -> tuple[int, list[dict[str, Any]]]:
        """Exit code and lines."""
        given = {"MERCURE_IN_DIR": str(self.into), "MERCURE_OUT_DIR": str(self.out), **more}
        environment = desks.environment(self.home.parent, **given)
        command = [sys.executable, *nodes.STUB, "mercure", "--home", str(self.home), "--json", "--quiet"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
        return done.returncode, nodes.lines(done)

    @property
    def result(self) -> dict[str, Any]:
        """What result.json says."""
        return dict(json.loads((self.out / "result.json").read_bytes()))


@pytest.fixture
def task(home: Path) -> Task:
    return Task(home)


def as_ct(dataset: Any) -> None:  # noqa: ANN401
    dataset.SOPClassUID, dataset.Modality = uid.CTImageStorage, "CT"
    dataset.file_meta.MediaStorageSOPClassUID = uid.CTImageStorage


@pytest.mark.verifies("SRS-DCM-005", "SRS-DCM-008")
def test_each_image_ends_in_a_record_and_its_objects_are_left_to_be_sent(task: Task) -> None:
    task.put(nodes.study(1))
    task.put(nodes.study(2, as_ct))
    settings = {"process": {"settings": {"notify": True}}}
    (task.into / "task.json").write_text(json.dumps(settings), encoding="utf-8")
    code, lines = task.run()
    assert code == ExitCode.OK
    assert sorted(line["status"] for line in lines) == ["accepted", "refused"]
    assert sorted(one["state"] for one in nodes.recorded(task.home)[0]) == ["REFUSED", "RESULT"]
    objects = [dcmread(path) for path in task.out.glob("*.dcm")]
    assert {str(one.StudyInstanceUID) for one in objects} == {str(nodes.study(1).StudyInstanceUID)}
    names = {f"{one.SeriesInstanceUID}#{one.SOPInstanceUID}.dcm" for one in objects} | {"result.json"}
    assert {path.name for path in task.out.iterdir()} == names
    assert "SEG" in {one.Modality for one in objects}
    notification = {"text": "1 decided (1 with a lesion), 1 refused, 0 failed", "requested": True}
    assert task.result["__mercure_notification"] == notification
    assert [case["record_id"] for case in task.result["cases"]] == [line["record_id"] for line in lines]
    text = (task.out / "result.json").read_text(encoding="utf-8") + json.dumps(lines)
    assert all(value not in text for value in ("P-1", "Phantom", str(nodes.study(1).StudyInstanceUID)))


@pytest.mark.verifies("SRS-DCM-005")
def test_a_task_without_images_is_a_recorded_refusal(task: Task) -> None:
    code, lines = task.run()
    assert (code, [line["status"] for line in lines]) == (ExitCode.OK, ["refused"])
    assert task.result["__mercure_notification"]["requested"] is False


@pytest.mark.verifies("SRS-DCM-005")
@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"process": {"settings": {"threshold": 0.5}}}',
        '{"process": {"settings": {"notify": "yes"}}}',
        '{"process": [{"settings": {"notifi": true}}]}',
        '{"process": {"settings": [1]}}',
    ],
)
def test_a_task_that_sets_anything_else_is_refused_before_anything_is_decided(task: Task, text: str) -> None:
    task.put(nodes.study(1))
    (task.into / "task.json").write_text(text, encoding="utf-8")
    code, lines = task.run()
    assert (code, lines[-1]["reason"]["code"]) == (ExitCode.CONFIGURATION, "E-MERCURE-TASK")
    assert list(task.out.iterdir()) == []
    assert nodes.recorded(task.home)[0] == []


@pytest.mark.verifies("SRS-DCM-005")
def test_folders_that_are_not_there_are_said(task: Task) -> None:
    for more in ({"MERCURE_IN_DIR": str(task.into / "absent")}, {"MERCURE_OUT_DIR": ""}):
        code, lines = task.run(**more)
        assert (code, lines[-1]["reason"]["code"]) == (ExitCode.CONFIGURATION, "E-MERCURE-FOLDER")
