# SPDX-License-Identifier: Apache-2.0
"""The one door for inputs: which parser is asked, whose digest is told, when a file is loaded, which spacing holds."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from radiomicnet_md import io
from radiomicnet_md.image import Frame
from radiomicnet_md.io import opening
from radiomicnet_md.io.inputs import Input
from radiomicnet_md.io.source import UnreadableError
from tests.io import samples

SMALL: NDArray[np.uint8] = (np.arange(8 * 10, dtype=np.uint8) * 3).reshape(8, 10)
KINDS: dict[str, Callable[[], bytes]] = {
    "dicom": lambda: samples.ultrasound(levels=SMALL),
    "png": lambda: samples.picture(SMALL),
    "jpeg": lambda: samples.picture(SMALL, "JPEG"),
    "tiff": lambda: samples.picture(SMALL, "TIFF"),
    "nifti": lambda: samples.nifti(SMALL),
    "nrrd": lambda: samples.nrrd(SMALL),
    "mha": lambda: samples.mha(SMALL),
}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def refused(read: Callable[[], object]) -> UnreadableError:
    with pytest.raises(UnreadableError) as caught:
        read()
    return caught.value


def loop(folder: Path, name: str = "loop") -> tuple[Path, str]:
    """A file of three frames, each with levels of its own, and its digest."""
    data = samples.loop(np.stack([SMALL + np.uint8(number) for number in range(3)]))
    return samples.put(folder, data, name), sha256(data)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were loaded."""
    seen: list[str] = []
    load = Input.load

    def counted(item: Input) -> bytes:
        seen.append(item.path.name)
        return load(item)

    monkeypatch.setattr(Input, "load", counted)
    return seen


@pytest.mark.verifies("SRS-INP-001", "SRS-INP-007")
@pytest.mark.parametrize("kind", KINDS)
def test_each_format_goes_to_its_parser_with_its_digest(kind: str, tmp_path: Path) -> None:
    data = KINDS[kind]()
    path = samples.put(tmp_path, data)
    for given in (path, Input(path)):
        origin = opening.read(given).image.origin
        assert (origin.format, origin.file_sha256) == (kind, sha256(data))


@pytest.mark.verifies("SRS-INP-001", "SRS-INP-007")
@pytest.mark.parametrize(
    ("data", "code"), [(b"PK\x03\x04" + bytes(60), "E-INPUT-ARCHIVE"), (b"only words", "E-INPUT-NOT-AN-IMAGE")]
)
def test_what_is_no_image_is_refused_with_its_digest(data: bytes, code: str, tmp_path: Path) -> None:
    error = refused(lambda: opening.read(samples.put(tmp_path, data)))
    assert (error.code, error.file_sha256) == (code, sha256(data))


@pytest.mark.verifies("SRS-INP-007")
@pytest.mark.parametrize("frame", [None, Frame(1, 3)])
def test_what_a_survey_found_is_raised_with_the_digest_and_without_its_old_trace(
    frame: Frame | None, tmp_path: Path
) -> None:
    path, digest = loop(tmp_path)
    found = UnreadableError("E-INPUT-SERIES", "Two images have one number.", remedy="Give them apart.")
    item, depths = Input(path, frame=frame, problem=found), []
    for _ in range(2):
        assert refused(lambda: opening.read(item)) is found
        assert found.file_sha256 == digest
        depths.append(_trace(found))
    assert depths[0] == depths[1]


def _trace(error: BaseException) -> int:
    """How long a traceback is; that of an error that is raised again and again must not grow."""
    return len(traceback.extract_tb(error.__traceback__))


@pytest.mark.verifies("SRS-INP-009", "SRS-INP-007")
def test_frames_of_one_file_are_of_one_load(tmp_path: Path, loads: list[str]) -> None:
    path, digest = loop(tmp_path)
    reader = opening.Reader()
    for number in (1, 3, 2):
        image = reader.read(Input(path, frame=Frame(number, 3))).image
        assert (image.origin.frame, image.origin.file_sha256) == (Frame(number, 3), digest)
        assert (image.pixels[0, :, :, 0] == SMALL + np.uint8(number - 1)).all()
    assert loads == ["loop"]
    error = refused(lambda: reader.read(Input(path, frame=Frame(4, 3))))
    assert (error.code, error.file_sha256) == ("E-INPUT-FRAME", digest)
    assert loads == ["loop"]


@pytest.mark.verifies("SRS-INP-009")
def test_a_file_is_let_go_when_another_is_asked_for(tmp_path: Path, loads: list[str]) -> None:
    (one, digest), (other, _) = loop(tmp_path), loop(tmp_path, "other")
    reader, first = opening.Reader(), Input(one, frame=Frame(1, 3))
    for between in (Input(other, frame=Frame(1, 3)), Input(samples.put(tmp_path, KINDS["png"](), "whole"))):
        reader.read(first)
        reader.read(between)
    reader.read(first)
    assert loads == ["loop", "other", "loop", "whole", "loop"]
    loads.clear()
    assert refused(lambda: reader.read(Input(tmp_path / "absent", frame=Frame(1, 3)))).code == "E-INPUT-MISSING"
    assert reader.read(first).image.origin.file_sha256 == digest
    assert loads == ["absent", "loop"]


@pytest.mark.verifies("SRS-INP-009", "SRS-INP-007")
def test_a_file_that_cannot_be_opened_is_told_for_each_frame_from_one_load(tmp_path: Path, loads: list[str]) -> None:
    data = samples.loop(np.stack([SMALL] * 3), change=lambda dataset: setattr(dataset, "Rows", 9_999))
    path, reader, depths = samples.put(tmp_path, data, "long"), opening.Reader(), []
    for number in (1, 2, 3):
        item = Input(path, frame=Frame(number, 3))
        error = refused(lambda item=item: reader.read(item))  # type: ignore[misc]
        assert (error.code, error.file_sha256) == ("E-INPUT-TRUNCATED", sha256(data))
        depths.append(_trace(error))
    assert loads == ["long"]
    assert len(set(depths)) == 1


def spaced(folder: Path, stated: str, declared: tuple[float, float] | None) -> io.Reading:
    """A file that states ``stated`` (across, down), read with ``declared`` (down, across)."""
    return opening.Reader(declared).read(samples.put(folder, samples.nrrd(SMALL, stated)))


@pytest.mark.verifies("SRS-INP-015")
def test_a_declared_spacing_is_for_a_file_that_states_none(tmp_path: Path) -> None:
    image = spaced(tmp_path, "# nothing", (0.25, 0.5)).image
    assert (image.spacing_mm, image.spacing_declared) == ((0.25, 0.5), True)
    image = spaced(tmp_path, "# nothing", None).image
    assert (image.spacing_mm, image.spacing_declared) == (None, False)
    image = spaced(tmp_path, "spacings: 0.5 0.25", None).image
    assert (image.spacing_mm, image.spacing_declared) == ((0.25, 0.5), False)


@pytest.mark.verifies("SRS-INP-015")
@pytest.mark.parametrize("declared", [(100.0, 200.0), (101.0, 202.0), (99.0, 198.0)])
def test_a_hundredth_is_no_contradiction_and_what_is_stated_holds(
    declared: tuple[float, float], tmp_path: Path
) -> None:
    image = spaced(tmp_path, "spacings: 200 100", declared).image
    assert (image.spacing_mm, image.spacing_declared) == ((100.0, 200.0), False)


@pytest.mark.verifies("SRS-INP-015", "SRS-INP-007")
@pytest.mark.parametrize("declared", [(101.1, 200.0), (100.0, 202.1), (98.9, 200.0), (200.0, 100.0)])
def test_more_than_a_hundredth_is_refused_with_the_digest(declared: tuple[float, float], tmp_path: Path) -> None:
    error = refused(lambda: spaced(tmp_path, "spacings: 200 100", declared))
    digest = sha256(samples.nrrd(SMALL, "spacings: 200 100"))
    assert (error.code, error.file_sha256) == ("E-INPUT-SPACING", digest)
