# SPDX-License-Identifier: Apache-2.0
"""With an archive that nobody here wrote: in by C-STORE, decided, back by STOW-RS and C-STORE, found and equal."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite

from radiomicnet_md.errors import ExitCode
from tests.dicomnode import nodes
from tests.dicomnode.nodes import Node
from tests.dicomnode.orthanc import Orthanc, free_port

Require = Callable[[str], Path]


@pytest.fixture
def node_port() -> int:
    return free_port()


@pytest.fixture
def orthanc(require: Require, tmp_path: Path, node_port: int) -> Iterator[Orthanc]:
    with Orthanc(require("orthanc"), tmp_path / "orthanc", node_port) as running:
        yield running


def encoded(number: int) -> bytes:
    stream = BytesIO()
    dcmwrite(stream, nodes.study(number))
    return stream.getvalue()


def binary(orthanc: Orthanc, **query: str) -> list[Any]:
    """The masks that the archive holds."""
    found = [one["00080018"]["Value"][0] for one in orthanc.find(Modality="SEG", **query)]
    stored = [dcmread(BytesIO(orthanc.file(uid))) for uid in found]
    return [one for one in stored if one.SegmentationType == "BINARY"]


@pytest.mark.verifies("SRS-DCM-001", "SRS-DCM-003")
@pytest.mark.parametrize("form", ["web", "dimse"])
def test_pushed_from_the_archive_decided_and_found_beside_the_image(
    home: Path, orthanc: Orthanc, node_port: int, form: str
) -> None:
    nodes.configure(home, {"archive": getattr(orthanc, form)})
    with Node(home, "--to", "archive", "--port", str(node_port), "--from", "ORTHANC") as node:
        orthanc.push(orthanc.upload(encoded(1)))
        lines = node.until(lambda said: [line["status"] for line in said] == ["accepted", "sent"])
        assert node.terminate() == ExitCode.OK
    answer = lines[0]
    source = nodes.study(1)
    (stored,) = binary(orthanc, StudyInstanceUID=str(source.StudyInstanceUID))
    given = [path for path in answer["outputs"] if path.endswith(".dcm")]
    assert len(orthanc.find(StudyInstanceUID=str(source.StudyInstanceUID))) == 1 + len(given)
    assert (stored.PatientID, stored.StudyInstanceUID) == (source.PatientID, source.StudyInstanceUID)
    mask = np.ascontiguousarray(stored.pixel_array.reshape(source.Rows, source.Columns), dtype=np.uint8)
    assert mask.any()
    assert hashlib.sha256(mask.tobytes()).hexdigest() == answer["mask_sha256"]
    decisions, sendings = nodes.recorded(home)
    assert [one["state"] for one in decisions] == ["RESULT"]
    assert [(one["of"], one["destination"]) for one in sendings] == [(answer["record_id"], "archive")]
    assert sendings[0]["protocol"] == {"web": "STOW-RS", "dimse": "C-STORE"}[form]
    assert list((home / "outbox").glob("*/job.json")) == []


@pytest.mark.verifies("SRS-DCM-003")
@pytest.mark.parametrize("form", ["web", "dimse"])
def test_what_an_archive_that_is_down_was_to_get_is_sent_when_it_is_back(
    home: Path, orthanc: Orthanc, form: str
) -> None:
    nodes.configure(home, {"archive": getattr(orthanc, form)})
    orthanc.stop()
    with Node(home, "--to", "archive") as node:
        assert nodes.send(node.port, [nodes.study(1)]) == [0]
        node.until(lambda said: [line["status"] for line in said][:3] == ["accepted", "waiting", "waiting"])
        node.process.kill()  # the outbox survives this too
        node.process.wait()
    assert len(list((home / "outbox").glob("*/job.json"))) == 1
    with Node(home, "--to", "archive") as node:
        orthanc.start()
        node.until(lambda said: any(line["status"] == "sent" for line in said))
        assert node.terminate() == ExitCode.OK
    assert len(binary(orthanc)) == 1
    assert len(nodes.recorded(home)[1]) == 1


@pytest.mark.verifies("SRS-DCM-003")
@pytest.mark.parametrize("form", ["web", "dimse"])
def test_files_are_sent_by_hand_and_one_that_stays_down_is_said(home: Path, orthanc: Orthanc, form: str) -> None:
    nodes.configure(home, {"archive": getattr(orthanc, form), "gone": {"ae": "GONE", "host": "127.0.0.1", "port": 9}})
    folder = home.parent / "to-send"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.dcm").write_bytes(encoded(number))
    sent = nodes.call(home, "send", folder, "--to", "archive")
    assert (sent.returncode, [line["status"] for line in nodes.lines(sent)]) == (ExitCode.OK, ["sent"])
    assert len(orthanc.find(Modality="US")) == 3
    assert (nodes.recorded(home)[1][0]["of"], len(nodes.recorded(home)[1])) == (None, 1)
    down = nodes.call(home, "send", folder, "--to", "gone", "--wait", "1")
    assert (down.returncode, nodes.lines(down)[-1]["reason"]["code"]) == (ExitCode.RETRY, "E-SEND-WAITING")
    assert len(list((home / "outbox").glob("*/job.json"))) == 1
    nodes.configure(home, {"gone": getattr(orthanc, form)})
    later = nodes.call(home, "send", "--to", "gone")
    assert later.returncode == ExitCode.OK
    assert list((home / "outbox").glob("*/job.json")) == []


@pytest.mark.verifies("SRS-DCM-010")
def test_the_objects_of_one_record_are_sent_again(home: Path, orthanc: Orthanc) -> None:
    nodes.configure(home, {"archive": orthanc.web})
    with Node(home) as node:
        assert nodes.send(node.port, [nodes.study(1), nodes.study(2)]) == [0, 0]
        answers = node.until(lambda said: len(said) == 2)
        assert node.terminate() == ExitCode.OK
    out, record = home.parent / "out", answers[1]["record_id"]
    sent = nodes.call(home, "send", out, "--record", record[:8], "--to", "archive")
    assert (sent.returncode, [line["of"] for line in nodes.lines(sent)]) == (ExitCode.OK, [record])
    uids = {dcmread(path).SOPInstanceUID for path in answers[1]["outputs"] if path.endswith(".dcm")}
    assert {one["00080018"]["Value"][0] for one in orthanc.find()} == uids
    assert len(uids) == 5
    assert [one["of"] for one in nodes.recorded(home)[1]] == [record]
    none = nodes.call(home, "send", out, "--record", "0" * 26, "--to", "archive")
    assert (none.returncode, nodes.lines(none)[-1]["reason"]["code"]) == (ExitCode.INTENDED_USE, "E-SEND-NOTHING")


@pytest.mark.verifies("SRS-DCM-001")
def test_an_archive_that_is_told_to_moves_a_study_to_the_node(
    home: Path, orthanc: Orthanc, node_port: int, require: Require
) -> None:
    movescu, studies = require("dcmtk").with_name("movescu"), [nodes.study(1), nodes.study(2)]
    for number in (1, 2):
        orthanc.upload(encoded(number))
    study = [f"StudyInstanceUID={studies[1].StudyInstanceUID}"]
    keys = [part for key in ("QueryRetrieveLevel=STUDY", *study) for part in ("-k", key)]
    who = ["-aet", nodes.AE_TITLE, "-aec", "ORTHANC", "-aem", nodes.AE_TITLE]
    with Node(home, "--port", str(node_port), "--from", "ORTHANC") as node:
        command = [str(movescu), "-S", *who, *keys, "127.0.0.1", str(orthanc.dicom_port)]
        assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
        (answer,) = node.until(lambda said: len(said) == 1)
        assert node.terminate() == ExitCode.OK
    assert answer["status"] == "accepted"
    assert len(nodes.recorded(home)[0]) == 1


@pytest.mark.verifies("SRS-DCM-003")
@pytest.mark.parametrize("form", ["web", "dimse"])
def test_what_an_archive_refuses_for_good_is_set_aside(home: Path, orthanc: Orthanc, form: str) -> None:
    nodes.configure(home, {"archive": getattr(orthanc, form)})
    dataset = nodes.study(1)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.3.4.5"  # a class that no archive knows
    if form == "web":
        del dataset.SOPInstanceUID
    path = home.parent / "odd.dcm"
    dataset.save_as(path, enforce_file_format=False)
    sent = nodes.call(home, "send", path, "--to", "archive")
    assert (sent.returncode, [line["status"] for line in nodes.lines(sent)]) == (ExitCode.SOME_FAILED, ["refused"])
    assert len(list((home / "outbox" / "failed").glob("*/job.json"))) == 1
    assert nodes.recorded(home)[1] == []


@pytest.mark.verifies("SRS-DCM-003")
def test_destinations_that_are_not_there_or_not_safe_are_mistakes_of_the_configuration(home: Path) -> None:
    unknown = nodes.call(home, "send", "--to", "archive")
    assert (unknown.returncode, nodes.lines(unknown)[-1]["reason"]["code"]) == (ExitCode.CONFIGURATION, "E-DESTINATION")
    for odd in (
        {"url": "http://pacs.example.org/dicom-web"},
        {"ae": "TOO LONG FOR AN AE TITLE", "host": "h", "port": 1},
    ):
        nodes.configure(home, {"archive": odd})
        said = nodes.call(home, "send", "--to", "archive")
        assert (said.returncode, nodes.lines(said)[-1]["reason"]["code"]) == (ExitCode.CONFIGURATION, "E-CONFIG")


@pytest.mark.verifies("SRS-DCM-002")
def test_other_people_s_senders(home: Path, require: Require) -> None:
    tools = require("dcmtk").parent
    path = home.parent / "one.dcm"
    path.write_bytes(encoded(1))
    with Node(home) as node:
        address = ["127.0.0.1", str(node.port)]

        def run(name: str, *arguments: str) -> int:
            return subprocess.run([str(tools / name), *arguments], capture_output=True, check=False).returncode

        assert run("echoscu", "-aec", nodes.AE_TITLE, *address) == 0
        assert run("echoscu", "-aec", "ANOTHER", *address) != 0
        assert run("storescu", "-aec", nodes.AE_TITLE, *address, str(path)) == 0
        node.until(lambda said: len(said) == 1)
        assert run("dcmsend", "-aec", nodes.AE_TITLE, *address, str(path)) == 0
        node.until(lambda said: len(said) == 2)
        assert run("storescu", "-xi", "-aec", nodes.AE_TITLE, *address, str(path)) == 0  # as implicit: other bytes
        node.until(lambda said: len(said) == 3)
        assert node.terminate() == ExitCode.OK
    decisions, _ = nodes.recorded(home)
    assert len({one["outputs"]["mask_sha256"] for one in decisions}) == 1
    assert len(decisions) == 2
