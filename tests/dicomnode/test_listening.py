# SPDX-License-Identifier: Apache-2.0
"""What a node takes in ends in one record each; what it does not take leaves nothing."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import socket
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import uid
from pynetdicom import AE
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.pdu import P_DATA_TF

from radiomicnet_md.dicomnode import tables
from radiomicnet_md.errors import ExitCode
from tests.dicomnode import nodes
from tests.dicomnode.nodes import Node

KILLS = int(os.environ.get("RADIOMICNET_MD_KILLS", "6"))
BURST = 200


def out(home: Path) -> list[Path]:
    return sorted((home.parent / "out").glob("*/mask.dcm"))


@pytest.mark.verifies("SRS-DCM-001", "SRS-DCM-008")
def test_each_acknowledged_instance_ends_in_one_record_and_a_clean_stop(home: Path) -> None:
    with Node(home) as node:
        assert nodes.send(node.port, [nodes.study(1), nodes.study(2)]) == [0, 0]
        lines = node.until(lambda said: len(said) == 2)
        assert [line["status"] for line in lines] == ["accepted", "accepted"]
        assert nodes.send(node.port, [nodes.study(1)]) == [0]  # sent again: given out again, not decided again
        again = node.until(lambda said: len(said) == 3)[2]
        assert again["record_id"] in {line["record_id"] for line in lines}
        assert node.terminate() == ExitCode.OK
        errors = node.process.stderr.read() if node.process.stderr else ""
    decisions, _ = nodes.recorded(home)
    assert [one["state"] for one in decisions] == ["RESULT", "RESULT"]
    assert len(set(nodes.terminal(decisions))) == 2
    assert not list((home / "inbox").glob("*.dcm"))
    assert len(out(home)) == 2
    said = json.dumps(node.lines) + errors
    sent = nodes.study(1)
    assert all(str(value) not in said for value in (sent.SOPInstanceUID, sent.StudyInstanceUID, sent.PatientID))


@pytest.mark.verifies("SRS-DCM-001")
def test_a_burst_of_studies_over_many_associations_loses_none(home: Path) -> None:
    studies = [nodes.study(number) for number in range(BURST)]
    with Node(home, STUB_ONLY_MASK="yes") as node:
        for start in range(0, BURST, 10):
            assert nodes.send(node.port, studies[start : start + 10]) == [0] * 10
        node.until(lambda said: len(said) == BURST, 480)
        assert node.terminate() == ExitCode.OK
    decisions, _ = nodes.recorded(home)
    assert len(decisions) == len(set(nodes.terminal(decisions))) == BURST


@pytest.mark.verifies("SRS-DCM-001")
def test_killed_anywhere_and_started_again_each_study_has_one_terminal_record(home: Path) -> None:
    """The sender does what a modality does: whatever was not acknowledged is sent again."""
    chance = random.Random(20261127)  # noqa: S311 -- the same points in every run
    nodes.configure(home, {"nowhere": {"ae": "NOWHERE", "host": "127.0.0.1", "port": 9}})
    waiting = {number: nodes.study(number) for number in range(4 * KILLS)}
    total = len(waiting)
    for _ in range(KILLS):
        with Node(home, "--to", "nowhere", STUB_ONLY_MASK="yes") as node:
            killer = subprocess.Popen(["sleep", str(chance.uniform(0.0, 1.2))])
            acknowledged = [
                number
                for number in list(waiting)[:6]
                if killer.poll() is None and nodes.send(node.port, [waiting[number]]) == [0]
            ]
            killer.wait()
            node.process.send_signal(signal.SIGKILL)
            node.process.wait()
        for number in acknowledged:
            del waiting[number]
    with Node(home, "--to", "nowhere", STUB_ONLY_MASK="yes") as node:
        statuses = nodes.send(node.port, waiting.values()) if waiting else []
        assert statuses == [0] * len(waiting)
        end = time.monotonic() + 120
        while list((home / "inbox").glob("*.dcm")) and time.monotonic() < end:
            time.sleep(0.1)
        assert node.terminate() == ExitCode.OK
    decisions, _ = nodes.recorded(home)
    counts = Counter(nodes.terminal(decisions))
    assert (len(counts), set(counts.values())) == (total, {1})
    results = sum(one["state"] == "RESULT" for one in decisions)
    assert len(out(home)) == len(list((home / "outbox").glob("*/job.json"))) == results > total / 2


@pytest.mark.verifies("SRS-DCM-001")
def test_a_loop_is_one_instance_and_a_request_for_each_frame(home: Path) -> None:
    def as_loop(dataset: Any) -> None:  # noqa: ANN401
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = uid.UltrasoundMultiFrameImageStorage
        dataset.NumberOfFrames, dataset.PixelData = 3, 3 * dataset.PixelData

    with Node(home) as node:
        for times in (1, 2):
            assert nodes.send(node.port, [nodes.study(1, as_loop)]) == [0]
            node.until(lambda said, count=3 * times: len(said) == count)  # type: ignore[misc]
        assert node.terminate() == ExitCode.OK
    decisions, _ = nodes.recorded(home)
    assert [one["state"] for one in decisions] == ["RESULT"] * 3
    assert len(set(nodes.terminal(decisions))) == 3
    assert len({line["record_id"] for line in node.lines}) == 3


@pytest.mark.verifies("SRS-DCM-002")
def test_who_may_not_call_gets_no_association(home: Path) -> None:
    with Node(home, "--from", "MODALITY", "--from", "OTHER") as node:
        assert nodes.send(node.port, [nodes.study(1)], called="ANOTHER", calling="MODALITY") == [None]
        assert nodes.send(node.port, [nodes.study(1)], calling="STRANGER") == [None]
        assert nodes.send(node.port, [nodes.study(1)], calling="MODALITY") == [0]
        node.until(lambda said: len(said) == 1)
        assert node.terminate() == ExitCode.OK
    assert len(nodes.recorded(home)[0]) == 1


@pytest.mark.verifies("SRS-DCM-002")
def test_more_associations_than_the_limit_are_rejected_and_others_go_on(home: Path) -> None:
    with Node(home) as node:
        entity = AE(ae_title="MANY")
        entity.add_requested_context(uid.UltrasoundImageStorage)
        made = [entity.associate("127.0.0.1", node.port, ae_title=nodes.AE_TITLE) for _ in range(12)]
        assert sum(one.is_established for one in made) == tables.MOST_ASSOCIATIONS
        for one in made:
            if one.is_established:
                one.release()
        time.sleep(1)  # the node counts an association until its thread has ended
        assert nodes.send(node.port, [nodes.study(1)]) == [0]


@pytest.mark.verifies("SRS-DCM-002")
def test_a_class_outside_the_table_is_not_negotiated(home: Path) -> None:
    def as_pdf(dataset: Any) -> None:  # noqa: ANN401
        dataset.SOPClassUID = uid.EncapsulatedPDFStorage

    with Node(home) as node:
        assert nodes.send(node.port, [nodes.study(1, as_pdf)]) == [None]
        assert nodes.send(node.port, [nodes.study(2)]) == [0]


@pytest.mark.verifies("SRS-DCM-002")
def test_another_class_of_images_is_taken_and_refused_with_a_record(home: Path) -> None:
    def as_ct(dataset: Any) -> None:  # noqa: ANN401
        dataset.SOPClassUID, dataset.Modality = uid.CTImageStorage, "CT"
        dataset.file_meta.MediaStorageSOPClassUID = uid.CTImageStorage

    with Node(home) as node:
        assert nodes.send(node.port, [nodes.study(1, as_ct)]) == [0]
        (line,) = node.until(lambda said: len(said) == 1)
        assert line["status"] == "refused"
    assert [one["state"] for one in nodes.recorded(home)[0]] == ["REFUSED"]
    assert out(home) == []


@pytest.mark.verifies("SRS-DCM-002")
def test_an_association_that_ends_in_the_middle_of_an_instance_leaves_nothing(home: Path) -> None:
    with Node(home) as node:
        for how in (_abort, _close):
            association = _associated(node.port)
            sock = association.dul.socket.socket
            sock.sendall(_half_a_store(association))
            how(association, sock)
        assert nodes.send(node.port, [nodes.study(1)]) == [0]
        node.until(lambda said: len(said) == 1)
        assert node.terminate() == ExitCode.OK
    assert len(nodes.recorded(home)[0]) == 1
    assert [path.name for path in (home / "inbox").iterdir() if path.name not in {".lock", "failed"}] == []


@pytest.mark.verifies("SRS-DCM-002")
@pytest.mark.parametrize("head", [struct.pack(">BBL", 4, 0, 0xFFFFFFF0), struct.pack(">BBL", 1, 0, 1 << 24)])
def test_a_pdu_that_claims_more_than_the_limit_is_cut_off(home: Path, head: bytes) -> None:
    with Node(home) as node:
        with socket.create_connection(("127.0.0.1", node.port), timeout=10) as sock:
            sock.sendall(head + b"\0" * 64)
            start = time.monotonic()
            while sock.recv(4096):
                pass
            assert time.monotonic() - start < 5
        assert nodes.send(node.port, [nodes.study(1)]) == [0]


@pytest.mark.verifies("SRS-DCM-002")
@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda dataset: delattr(dataset, "StudyInstanceUID"), tables.UNREADABLE),
        (lambda dataset: setattr(dataset, "StudyInstanceUID", "1.2.840.1"), tables.SUCCESS),
    ],
    ids=["no study", "whole"],
)
def test_what_cannot_be_told_apart_is_not_acknowledged(home: Path, change: Callable[[Any], None], status: int) -> None:
    with Node(home) as node:
        assert nodes.send(node.port, [nodes.study(1, change)]) == [status]


@pytest.mark.verifies("SRS-DCM-002")
def test_one_listener_a_home_and_one_a_port(home: Path) -> None:
    with Node(home) as node:
        with pytest.raises(RuntimeError, match="E-LISTEN-BUSY"):
            Node(home)
        assert nodes.send(node.port, [nodes.study(1)]) == [0]


@pytest.mark.verifies("SRS-DCM-001")
def test_a_study_waits_until_nothing_of_it_comes_any_more(home: Path) -> None:
    same = hashlib.sha256(b"one study").hexdigest()

    def of_one(dataset: Any) -> None:  # noqa: ANN401
        dataset.StudyInstanceUID = f"2.25.{int(same[:24], 16)}"

    with Node(home, "--study-timeout", "2") as node:
        for number in range(3):
            assert nodes.send(node.port, [nodes.study(number, of_one)]) == [0]
            time.sleep(1)
        assert len(list((home / "inbox").glob("*.dcm"))) == 3
        node.until(lambda said: len(said) == 3)


def _associated(port: int) -> Any:  # noqa: ANN401
    entity = AE(ae_title="BROKEN")
    entity.add_requested_context(uid.UltrasoundImageStorage, uid.ExplicitVRLittleEndian)
    return entity.associate("127.0.0.1", port, ae_title=nodes.AE_TITLE)


def _half_a_store(association: Any) -> bytes:  # noqa: ANN401
    """The command of a C-STORE and the first part of its data set, as P-DATA-TF PDUs (PS3.8, 9.3.5)."""
    dataset = nodes.study(9)
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    request.DataSet = BytesIO(encode(dataset, is_implicit_vr=False, is_little_endian=True) or b"")
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    sent = b""
    for primitive in list(message.encode_msg(association.accepted_contexts[0].context_id, 4096))[:3]:
        pdu = P_DATA_TF()
        pdu.from_primitive(primitive)
        sent += pdu.encode()
    return sent


def _abort(association: Any, _: socket.socket) -> None:  # noqa: ANN401
    association.abort()


def _close(_: Any, sock: socket.socket) -> None:  # noqa: ANN401
    sock.close()
