# SPDX-License-Identifier: Apache-2.0
"""A canary in every text attribute of an image is heard nowhere but in the DICOM objects that belong to it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from radiomicnet_md.errors import ExitCode
from radiomicnet_md.io import decoding
from tests import canaries, desks
from tests.cli.conftest import Command
from tests.io import samples


def _inverted(dataset: Any) -> None:  # noqa: ANN401
    dataset.PhotometricInterpretation = "MONOCHROME1"


def _compressed(dataset: Any) -> None:  # noqa: ANN401
    dataset.SOPInstanceUID = f"1.2.826.0.1.{canaries.NUMBER}.9"
    dataset.compress("1.2.840.10008.1.2.4.80", generate_instance_uid=False)


def _other(dataset: Any) -> None:  # noqa: ANN401
    dataset.PatientID = f"{canaries.WORD} else"


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The titles and environments of the decoding processes."""
    seen: list[str] = []
    begun = subprocess.Popen

    def noted(command: list[str], **options: Any) -> Any:  # noqa: ANN401
        seen.append(f"{command} {options.get('env')}")
        return begun(command, **options)

    decoding.end()
    monkeypatch.setattr(decoding.subprocess, "Popen", noted)
    return seen


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, of this test alone."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.mark.verifies("SRS-PRV-009", "SRS-INP-008")
def test_no_canary_is_heard_after_a_result_a_refusal_and_a_failure(  # noqa: PLR0913 - what is listened to
    command: Command,
    home: Path,
    engine: desks.FakeEngine,
    tmp_path: Path,
    processes: list[str],
    scratch: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert canaries.singing()[1] >= 60
    given, out = tmp_path / "given", tmp_path / "results"
    accepted = canaries.write(given / "a.dcm")
    compressed = canaries.write(given / "b.dcm", _compressed)
    refused = canaries.write(given / "c.dcm", _inverted)
    broken = given / "d.dcm"
    broken.write_bytes(accepted.read_bytes()[:-4000])
    two = [canaries.write(given / "two" / "e.dcm"), canaries.write(given / "two" / "f.dcm", _other)]
    said = [
        command("segment", path, "--out", out, *more) for path in (accepted, compressed) for more in ((), ("--json",))
    ]
    assert {one.code for one in said} == {ExitCode.OK}
    said += [command("segment", path, "--out", out) for path in (refused, broken)]
    said += [command("segment", two[0].parent, "--out", out)]
    assert [one.code for one in said[4:]] == [ExitCode.INTENDED_USE, ExitCode.INTENDED_USE, ExitCode.SOME_FAILED]

    def fails(levels: NDArray[np.uint8], spacing_mm: tuple[float, float] | None) -> object:
        raise ValueError(f"{canaries.WORD} {levels.shape} {spacing_mm}")

    with monkeypatch.context() as patched:
        patched.setattr(engine, "decide", fails)
        said.append(command("segment", accepted, "--out", out))
        assert said[-1].code == ExitCode.UNEXPECTED
    ids = [line["record_id"] for line in command("audit", "list", "--all", "--json").lines][1:]
    for record_id in ids:
        said += [command("audit", "show", record_id), command("audit", "show", record_id, "--json")]
    said += [command("audit", "list", "--all"), command("audit", "verify"), command("audit", "replay", ids[0])]
    (tmp_path / "told").mkdir()
    for form in ("csv", "jsonl", "fhir", "dicom"):
        said.append(command("audit", "report", "--form", form, "--out", tmp_path / "told" / f"report.{form}"))
    said.append(command("audit", "export", tmp_path / "told" / "bundle"))
    assert said[-1].code == ExitCode.OK
    files = {f"home/{name}": data for name, data in desks.tree(home).items()}
    files |= {f"told/{name}": data for name, data in desks.tree(tmp_path / "told").items()}
    files |= {f"scratch/{name}": data for name, data in desks.tree(scratch).items()}
    files |= {name: data for name, data in desks.tree(out).items() if not name.endswith(".dcm")}
    files |= {f"said {at}": (one.out + one.err).encode() for at, one in enumerate(said)}
    files["processes"] = "\n".join(processes).encode()
    assert processes
    assert len(files) > 60
    assert canaries.heard(files) == []
    assert canaries.heard(desks.tree(out))  # the objects are the patient's own: there they sing


@pytest.mark.verifies("SRS-PRV-009")
def test_the_search_hears_a_canary_in_any_spelling() -> None:
    data, count = canaries.singing()
    assert count > 1000
    assert {key for key, _ in canaries.heard({"the file itself": data})} == {"word", "number", "birth", "study date"}
    for spelled in (
        canaries.WORD.upper().encode(),
        canaries.WORD.encode("utf-16-le"),
        canaries.WORD.encode().hex().encode(),
    ):
        assert canaries.heard({"x": b"..." + spelled})
    assert not canaries.heard({"x": samples.ultrasound()})
