# SPDX-License-Identifier: Apache-2.0
"""A decoder that dies or complains costs a case, not the process, and its half-grey picture is not taken."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from radiomicnet_md import io
from radiomicnet_md.errors import InputError
from radiomicnet_md.io import decoding_child

JPEG_START = b"\xff\xd8\xff"


def shipped(name: str) -> bytes:
    path = get_testdata_file(name)
    assert path is not None
    return Path(path).read_bytes()


def damaged(at: int) -> bytes:
    """A JPEG file of pydicom's with one byte of its stream left out."""
    data = shipped("SC_rgb_jpeg.dcm")
    at += data.index(JPEG_START)
    return data[:at] + data[at + 1 :]


@pytest.mark.verifies("SRS-INP-001")
def test_a_decoder_that_dies_takes_only_the_child_along(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    child = subprocess.run(
        [sys.executable, "-P", "-m", decoding_child.__name__], input=damaged(20), capture_output=True, check=False
    )
    if child.returncode != -signal.SIGABRT:
        assert child.returncode == 1  # a later GDCM may have learned to refuse
    path = tmp_path / "damaged"
    path.write_bytes(damaged(20))
    with pytest.raises(InputError) as caught:
        io.read(path)
    assert caught.value.code == "E-INPUT-NOT-DECODED"
    assert capfd.readouterr() == ("", "")


@pytest.mark.verifies("SRS-INP-001")
def test_a_complaint_is_a_refusal() -> None:
    data = shipped("SC_rgb_jpeg.dcm")
    start, end = data.index(JPEG_START), data.rindex(b"\xff\xd9")
    scan = data.index(b"\xff\xda", start)
    middle = (scan + end) // 2
    early_end = data[:middle] + b"\xff\xd9" + bytes(end - middle) + data[end + 2 :]
    assert decoding_child.decode(data) is not None
    assert decoding_child.decode(early_end) is None


@pytest.mark.verifies("SRS-INP-001", "SRS-INP-007")
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("SC_rgb_jpeg.dcm", (1, 256, 256, 3)),
        ("MR_small_jpeg_ls_lossless.dcm", (1, 64, 64, 1)),
        ("MR_small_jp2klossless.dcm", (1, 64, 64, 1)),
        ("examples_ybr_color.dcm", (30, 240, 320, 3)),
    ],
)
def test_what_is_whole_is_decoded_and_the_decoder_named(name: str, shape: tuple[int, ...]) -> None:
    decoded = decoding_child.decode(shipped(name))
    assert decoded is not None
    array, plugin = decoded
    assert array.shape == shape
    assert plugin in decoding_child.PLUGINS


@pytest.mark.verifies("SRS-INP-006")
def test_a_child_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding_child, "_WALL_SECONDS", 0.01)
    assert decoding_child.decode(shipped("SC_rgb_jpeg.dcm")) is None
