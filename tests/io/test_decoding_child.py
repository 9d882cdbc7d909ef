# SPDX-License-Identifier: Apache-2.0
"""A decoder that dies or complains costs a case, not the process, and its half-grey picture is not taken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from radiomicnet_md import io
from radiomicnet_md.errors import InputError
from radiomicnet_md.io import decoding, decoding_child

JPEG_START = b"\xff\xd8\xff"


def shipped(name: str) -> bytes:
    path = get_testdata_file(name)
    assert path is not None
    return Path(path).read_bytes()


def side() -> int:
    """The process that decodes for this one."""
    return decoding._SIDE[0]._process.pid


def damaged(at: int) -> bytes:
    """A JPEG file of pydicom's with one byte of its stream left out."""
    data = shipped("SC_rgb_jpeg.dcm")
    at += data.index(JPEG_START)
    return data[:at] + data[at + 1 :]


@pytest.mark.verifies("SRS-INP-001")
def test_a_decoder_that_dies_takes_only_its_own_process_along(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert decoding.decode(shipped("SC_rgb_jpeg.dcm")) is not None
    before = side()
    path = tmp_path / "damaged"
    path.write_bytes(damaged(20))
    with pytest.raises(InputError) as caught:
        io.read(path)
    assert caught.value.code == "E-INPUT-NOT-DECODED"
    assert decoding.decode(shipped("SC_rgb_jpeg.dcm")) is not None
    assert side() == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.verifies("SRS-INP-001")
def test_a_process_that_is_killed_is_begun_again() -> None:
    assert decoding.decode(shipped("MR_small_jp2klossless.dcm")) is not None
    before = side()
    os.kill(before, signal.SIGKILL)
    found = [decoding.decode(shipped("MR_small_jp2klossless.dcm")) for _ in range(2)]
    assert found[-1] is not None
    assert side() != before


@pytest.mark.verifies("SRS-INP-001")
def test_a_fork_has_a_side_of_its_own_and_leaves_the_other_in_order() -> None:
    data = shipped("MR_small_jp2klossless.dcm")
    assert decoding.decode(data) is not None
    before = side()
    child = os.fork()
    if not child:
        decoded = decoding.decode(data)
        os._exit(0 if decoded is not None and side() != before else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert decoding.decode(data) is not None
    assert side() == before


@pytest.mark.verifies("SRS-INP-001")
def test_it_ends_with_whoever_asks() -> None:
    program = "from radiomicnet_md.io import decoding; import os, sys; decoding.decode(sys.stdin.buffer.read());"
    program += "print(decoding._SIDE[0]._process.pid, flush=True); os._exit(0)"  # not a word to the other side
    done = subprocess.run(
        [sys.executable, "-c", program], input=shipped("SC_rgb_jpeg.dcm"), capture_output=True, check=True
    )
    place = Path("/proc", done.stdout.decode().strip())
    for _ in range(200):
        if not place.exists() or ") Z " in (place / "stat").read_text():
            return
        time.sleep(0.05)
    pytest.fail("it waits for nobody")


@pytest.mark.verifies("SRS-INP-001")
def test_a_complaint_is_a_refusal() -> None:
    data = shipped("SC_rgb_jpeg.dcm")
    start, end = data.index(JPEG_START), data.rindex(b"\xff\xd9")
    scan = data.index(b"\xff\xda", start)
    middle = (scan + end) // 2
    early_end = data[:middle] + b"\xff\xd9" + bytes(end - middle) + data[end + 2 :]
    assert decoding.decode(data) is not None
    assert decoding.decode(early_end) is None


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
    decoded = decoding.decode(shipped(name))
    assert decoded is not None
    array, plugin = decoded
    assert array.shape == shape
    assert plugin in decoding_child.PLUGINS


@pytest.mark.verifies("SRS-INP-006")
def test_a_child_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_WALL_SECONDS", 0.01)
    assert decoding.decode(shipped("SC_rgb_jpeg.dcm")) is None
