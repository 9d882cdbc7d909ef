# SPDX-License-Identifier: Apache-2.0
"""Whatever lies at a path ends in a reading or in one typed error that says what to do."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiomicnet_md import io
from radiomicnet_md.errors import ExitCode, InputError
from radiomicnet_md.io import source
from tests.io import samples

VALID = {
    "dicom": samples.ultrasound,
    "png": samples.picture,
    "jpeg": lambda: samples.picture(kind="JPEG"),
    "tiff": lambda: samples.picture(kind="TIFF"),
    "nifti": samples.nifti,
    "nifti.gz": lambda: samples.nifti(compressed=True),
    "nrrd": samples.nrrd,
    "mha": samples.mha,
    "rle": lambda: samples.compress(samples.ultrasound(), "1.2.840.10008.1.2.5"),
}


def refusal(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        io.read(path)
    problem = caught.value
    assert problem.code.startswith("E-INPUT-")
    assert problem.exit_code == ExitCode.INTENDED_USE
    assert problem.remedy.endswith(".")
    assert str(path) not in str(problem)
    assert problem.__cause__ is None
    return problem


@pytest.mark.verifies("SRS-INP-007", rc=("RC-025",))
def test_what_cannot_be_read_is_named_by_its_digest_too(tmp_path: Path) -> None:
    data = samples.ultrasound()[:-60]
    with pytest.raises(io.UnreadableError) as caught:
        io.read(samples.put(tmp_path, data))
    assert caught.value.file_sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.verifies("SRS-INP-001", "SRS-INP-007")
@pytest.mark.parametrize("kind", VALID)
def test_a_format_is_told_by_its_bytes_and_the_file_is_hashed(kind: str, tmp_path: Path) -> None:
    data = VALID[kind]()
    reading = io.read(samples.put(tmp_path, data, "name.that.lies.png"))
    assert reading.image.origin.format == {"nifti.gz": "nifti", "rle": "dicom"}.get(kind, kind)
    assert reading.image.origin.file_sha256 == hashlib.sha256(data).hexdigest()
    assert reading.image.pixels.shape == (1, 96, 128, 1)
    if kind != "jpeg":
        assert (reading.image.pixels[0, :, :, 0] == samples.frame()).all()


@pytest.mark.verifies("SRS-INP-001")
@pytest.mark.parametrize("kind", VALID)
def test_a_truncated_file_never_becomes_an_image(kind: str, tmp_path: Path) -> None:
    data = VALID[kind]()
    for length in (1, 5, 20, 131, 133, 180, 360, len(data) // 3, len(data) // 2, len(data) - 200, len(data) - 40):
        problem = refusal(samples.put(tmp_path, data[:length]))
        assert getattr(problem, "file_sha256", None) == hashlib.sha256(data[:length]).hexdigest()
        if length > len(data) // 2 and kind != "rle":
            assert problem.code == "E-INPUT-TRUNCATED", length


@pytest.mark.verifies("SRS-INP-001")
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "E-INPUT-EMPTY"),
        (b"not an image, only words\n" * 40, "E-INPUT-NOT-AN-IMAGE"),
        (b"%PDF-1.7\n" + bytes(4000), "E-INPUT-NOT-AN-IMAGE"),
        (bytes(4000), "E-INPUT-NOT-AN-IMAGE"),
        (b"\x1f\x8b\x08\x00" + bytes(30), "E-INPUT-BROKEN"),
        (samples.picture(kind="TIFF", compression="tiff_lzw"), "E-INPUT-UNSUPPORTED"),
    ],
)
def test_files_that_are_no_image(data: bytes, code: str, tmp_path: Path) -> None:
    assert refusal(samples.put(tmp_path, data)).code == code


@pytest.mark.verifies("SRS-INP-001")
@pytest.mark.verifies("SRS-INP-001", rc=("RC-013",))
def test_things_that_are_no_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "absent").code == "E-INPUT-MISSING"
    assert refusal(tmp_path / "nul\0byte").code == "E-INPUT-MISSING"
    assert refusal(samples.put(tmp_path, b"x", "file") / "below").code == "E-INPUT-MISSING"
    assert refusal(tmp_path).code == "E-INPUT-DIRECTORY"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert refusal(pipe).code == "E-INPUT-NOT-A-FILE"


@pytest.mark.verifies("SRS-INP-001")
@pytest.mark.verifies("SRS-INP-001", rc=("RC-013",))
def test_a_file_or_folder_that_may_not_be_read(tmp_path: Path) -> None:
    path, folder = samples.put(tmp_path, samples.picture()), tmp_path / "folder"
    folder.mkdir()
    path.chmod(0)
    folder.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)  # to the superuser no door is closed
        assert refusal(path).code == "E-INPUT-PERMISSION"
        with pytest.raises(InputError) as caught:
            io.find_inputs(folder)
        assert caught.value.code == "E-INPUT-PERMISSION"
    finally:
        os.seteuid(user)


@pytest.mark.verifies("SRS-INP-006")
def test_a_file_beyond_the_bound_is_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_FILE_BYTES", 10_000)
    assert refusal(samples.put(tmp_path, samples.ultrasound())).code == "E-INPUT-TOO-LARGE"


@pytest.mark.verifies("SRS-INP-006")
@pytest.mark.parametrize(
    "data",
    [
        samples.png_claiming(20_000, 20_000),
        samples.png_claiming(2**31 - 1, 2**31 - 1),
        samples.nifti(extents=(20_000, 20_000), compressed=True),
        samples.nifti(extents=(32767,) * 7),
        samples.nrrd().replace(b"sizes: 128 96", b"sizes: 20000 20000"),
        samples.mha().replace(b"DimSize = 128 96", b"DimSize = 20000 20000"),
        samples.ultrasound(
            lambda dataset: dataset.__setattr__("Rows", 20_000) or dataset.__setattr__("Columns", 20_000)
        ),
        samples.ultrasound(lambda dataset: dataset.__setattr__("NumberOfFrames", 10**9)),
    ],
)
def test_a_claim_beyond_the_bound_is_refused_from_the_header(data: bytes, tmp_path: Path) -> None:
    assert refusal(samples.put(tmp_path, data)).code == "E-INPUT-TOO-LARGE"


@pytest.mark.verifies("SRS-INP-006")
def test_a_bomb_costs_little_memory(tmp_path: Path) -> None:
    code = (
        "import re, sys, zlib; from pathlib import Path; from radiomicnet_md import io\n"
        "def peak(): return re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]\n"
        "try: io.read(Path(sys.argv[1]))\n"
        "except io.UnreadableError as error: print(error.code, peak())\n"
    )
    for data in (samples.png_claiming(20_000, 20_000), samples.nifti(extents=(20_000, 20_000), compressed=True)):
        done = subprocess.run(
            [sys.executable, "-c", code, str(samples.put(tmp_path, data))], capture_output=True, text=True, check=True
        )
        name, kibibytes = done.stdout.split()
        assert (name, done.stderr) == ("E-INPUT-TOO-LARGE", "")
        assert int(kibibytes) < 2**20


@pytest.mark.verifies("SRS-INP-001")
@pytest.mark.parametrize(
    "data",
    [
        samples.nifti(extents=(0, 0)),
        samples.nrrd().replace(b"sizes: 128 96", b"sizes: 0 0"),
        samples.mha().replace(b"DimSize = 128 96", b"DimSize = 0 0"),
        samples.ultrasound(lambda dataset: dataset.__setattr__("Rows", 0)),
    ],
)
def test_an_image_of_no_pixels(data: bytes, tmp_path: Path) -> None:
    assert refusal(samples.put(tmp_path, data)).code == "E-INPUT-NO-SAMPLES"


@pytest.mark.verifies("SRS-INP-001")
def test_a_folder_lists_its_images_in_order(tmp_path: Path) -> None:
    for name, data in {
        "b": samples.ultrasound(),
        "a.png": samples.picture(),
        "c.dcm": b"broken, but it claims to be one",
        "README.md": b"# words",
        ".hidden.png": samples.picture(),
        "DICOMDIR": samples.ultrasound(),
        "table.csv.gz": b"\x1f\x8b\x08\x00",
    }.items():
        samples.put(tmp_path, data, name)
    (tmp_path / "folder.png").mkdir()
    found = [path.name for path in io.find_inputs(tmp_path)]
    assert found == ["a.png", "b", "c.dcm", "DICOMDIR"]  # an index that cannot be read is refused, not passed over
    assert io.find_inputs(tmp_path / "README.md") == (tmp_path / "README.md",)


@pytest.mark.verifies("SRS-INP-001")
def test_a_folder_without_images(tmp_path: Path) -> None:
    samples.put(tmp_path, b"# words", "README.md")
    for folder, code in ((tmp_path, "E-INPUT-NO-IMAGES"), (tmp_path / "absent", "E-INPUT-MISSING")):
        with pytest.raises(InputError) as caught:
            io.find_inputs(folder)
        assert caught.value.code == code


HEADS = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0+", b"\x1f\x8b\x08", b"NRRD0004\n", b"NDims = 2\n"]
HEADS += [bytes(128) + b"DICM", b"\x08\x00\x05\x00CS\x0a\x00", b"\x5c\x01\0\0" + bytes(340) + b"n+1\0"]


@pytest.mark.verifies("SRS-INP-001")
@settings(max_examples=300, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=st.sampled_from(HEADS), tail=st.binary(max_size=600))
def test_law_any_bytes_end_in_a_reading_or_a_typed_error(head: bytes, tail: bytes, tmp_path: Path) -> None:
    _read_or_refuse(tmp_path, head + tail)


@pytest.mark.verifies("SRS-INP-001")
@settings(max_examples=500, deadline=4000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(sorted(VALID)),
    edits=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), min_size=1, max_size=6),
    reach=st.sampled_from([1600, 2**30]),  # headers, or anywhere
)
def test_law_any_damage_ends_in_a_reading_or_a_typed_error(
    kind: str, edits: list[tuple[float, bytes]], reach: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(_BYTES[kind])
    for share, new in edits:
        at = int(share * (min(reach, len(data)) - len(new)))
        data[at : at + len(new)] = new
    heard: list[logging.LogRecord] = []
    listener = logging.Handler()
    listener.emit = heard.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(listener)  # as a service would; caplog also listens where nobody else can
    try:
        _read_or_refuse(tmp_path, bytes(data))
    finally:
        logging.getLogger().removeHandler(listener)
    assert capfd.readouterr() == ("", "")
    assert not heard


_BYTES = {kind: make() for kind, make in VALID.items()}


def _read_or_refuse(folder: Path, data: bytes) -> None:
    path = samples.put(folder, data)
    try:
        reading = io.read(path)
    except InputError as problem:
        code, digest = problem.code, getattr(problem, "file_sha256", None)
    else:
        code, digest = "E-INPUT-NONE", reading.image.origin.file_sha256
        assert reading.image.pixels.ndim == 4
    assert code.startswith("E-INPUT-")
    assert digest == (hashlib.sha256(data).hexdigest() if data else None)
