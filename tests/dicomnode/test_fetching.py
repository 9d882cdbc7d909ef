# SPDX-License-Identifier: Apache-2.0
"""Studies of an archive arrive whole, by both protocols, and what is not there is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread, dcmwrite

from radiomicnet_md.errors import ExitCode
from tests.dicomnode import nodes
from tests.dicomnode.orthanc import Orthanc


@pytest.fixture
def orthanc(require: Callable[[str], Path], tmp_path: Path) -> Iterator[Orthanc]:
    with Orthanc(require("orthanc"), tmp_path / "orthanc") as running:
        yield running


@pytest.mark.verifies("SRS-DCM-004")
@pytest.mark.parametrize("form", ["web", "dimse"])
def test_a_study_is_fetched_as_it_was_stored(home: Path, orthanc: Orthanc, form: str) -> None:
    nodes.configure(home, {"archive": getattr(orthanc, form)})
    for number in range(3):
        stream = BytesIO()
        dcmwrite(stream, nodes.study(number))
        orthanc.upload(stream.getvalue())
    wanted, out = nodes.study(1), home.parent / "fetched"
    for option in (("--study", wanted.StudyInstanceUID), ("--patient-id", "P-1")):
        said = nodes.call(home, "fetch", "--from", "archive", *option, "--out", out)
        assert said.returncode == ExitCode.OK, said.stdout
        (line,) = nodes.lines(said)
        assert dcmread(line["file"]) == wanted
        assert [path for path in out.rglob("*") if path.is_file()] == [Path(line["file"])]
    none = nodes.call(home, "fetch", "--from", "archive", "--accession", "NOBODY", "--out", out)
    assert (none.returncode, nodes.lines(none)[-1]["reason"]["code"]) == (ExitCode.INTENDED_USE, "E-FETCH-NOTHING")
    orthanc.stop()
    down = nodes.call(home, "fetch", "--from", "archive", "--study", "1.2.3", "--out", out)
    assert (down.returncode, nodes.lines(down)[-1]["reason"]["code"]) == (ExitCode.RETRY, "E-FETCH-LATER")
