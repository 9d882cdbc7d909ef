# SPDX-License-Identifier: Apache-2.0
"""The conformance statement says what the node really negotiates; the unit that starts it is a valid one."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import uid
from pydicom.pixels.decoders.base import get_decoder
from pynetdicom import AE

from radiomicnet_md.dicomnode import conformance, tables
from tests.dicomnode import nodes
from tests.dicomnode.nodes import Node

_UID = re.compile(r"`(1\.2\.840\.10008\.[0-9.]+)`")


@pytest.mark.verifies("SRS-DCM-006")
def test_the_statement_is_what_a_peer_is_given(home: Path) -> None:
    printed = nodes.call(home, "conformance")
    (line,) = nodes.lines(printed)
    provider = line["statement"].partition("## As provider")[2].partition("## As user")[0]
    named = set(_UID.findall(provider))
    classes = sorted(one for one in named if "Storage" in uid.UID(one).keyword)
    syntaxes = sorted(one for one in named if uid.UID(one).is_transfer_syntax)
    assert len(classes) == len(tables.RECEIVED)
    assert len(syntaxes) == len(tables.SYNTAXES)
    offered = [*classes, uid.EncapsulatedPDFStorage, uid.RTStructureSetStorage]
    with Node(home) as node:
        for syntax in (*syntaxes, uid.MPEG2MPML):
            entity = AE(ae_title="PEER")
            for sop_class in offered:
                entity.add_requested_context(sop_class, syntax)
            association = entity.associate("127.0.0.1", node.port, ae_title=nodes.AE_TITLE)
            accepted = {str(one.abstract_syntax) for one in association.accepted_contexts}
            assert accepted == (set(classes) if syntax in syntaxes else set())
            if association.is_established:
                association.release()


@pytest.mark.verifies("SRS-DCM-006")
def test_every_syntax_that_is_taken_can_be_decoded_here() -> None:
    assert [one.name for one in tables.SYNTAXES if not get_decoder(one).is_available] == []


@pytest.mark.verifies("SRS-DCM-006")
def test_the_statement_has_every_status_and_object() -> None:
    text = conformance.statement()
    assert all(f"0x{status:04X}" in text for status in tables.STATUSES)
    assert all(str(one) in text for one in tables.SENT)
    assert "not a cleared device" in text.lower()


@pytest.mark.verifies("SRS-DCM-006")
def test_the_service_s_unit_is_valid_and_its_command_exists(
    root: Path, tmp_path: Path, home: Path, require: Callable[[str], Path]
) -> None:
    unit = (root / "deploy" / "radiomicnet-md-listen.service").read_text(encoding="utf-8")
    program, *arguments = shlex.split(unit.partition("ExecStart=")[2].partition("\n")[0])
    there = tmp_path / "radiomicnet-md-listen.service"
    there.write_text(unit.replace(program, "/bin/true"), encoding="utf-8")
    verified = subprocess.run(
        [require("systemd-analyze"), "verify", str(there)], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    assert arguments[:2] == ["dicom", "listen"]
    nodes.configure(home, {"archive": {"ae": "ARCHIVE", "host": "127.0.0.1", "port": 9}})
    options = [str(tmp_path / "out") if "%S" in one else one for one in arguments[2:]]
    with Node(home, *options) as node:
        assert node.port
