# SPDX-License-Identifier: Apache-2.0
"""What ``features`` measures of a file is what the Python calls measure of its samples; its outputs open elsewhere."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as everybody calls it
from numpy.typing import NDArray

from radiomicnet_md import radiomics
from radiomicnet_md.errors import ExitCode
from radiomicnet_md.image import array_sha256, mask_sha256
from radiomicnet_md.radiomics import lesion_definitions, levels
from radiomicnet_md.radiomics.definitions import NAMED
from tests.cli.conftest import Command
from tests.io import samples

pytestmark = [pytest.mark.verifies("SRS-RAD-011"), pytest.mark.usefixtures("home")]

GREY = np.random.default_rng(3).integers(0, 250, (12, 15)).astype(np.uint8)
MASK = np.zeros(GREY.shape, dtype=np.uint8)
MASK[2:9, 3:11] = 1
VOLUME = np.random.default_rng(4).integers(-300, 300, (4, 9, 8)).astype(np.int16)
REGION = np.zeros(VOLUME.shape, dtype=np.uint8)
REGION[1:4, 2:8, 1:6] = 5
REGION[0, 0, 0] = 9
PICTURES = ["png", "nii", "nii.gz", "nrrd", "mha", "dcm"]
VOLUMES = ["nii", "nii.gz", "nrrd", "mha"]


def scanner(dataset: Any) -> None:  # noqa: ANN401
    """Give an ultrasound frame the place of a slice, so that SimpleITK has a geometry to compare with."""
    del dataset.SequenceOfUltrasoundRegions
    dataset.PixelSpacing = ["0.5", "0.25"]
    dataset.ImagePositionPatient = ["-10", "20.5", "30"]
    dataset.ImageOrientationPatient = ["0", "1", "0", "0", "0", "-1"]
    dataset.SliceThickness = "3"


def saved(folder: Path, pixels: NDArray[Any], suffix: str, name: str = "image") -> Path:
    """A file of any format; where the format has one, with spacing, place and axes."""
    path = folder / f"{name}.{suffix}"
    if suffix == "png":
        return samples.put(folder, samples.picture(pixels), path.name)
    if suffix == "dcm":
        return samples.put(folder, samples.ultrasound(scanner, pixels), path.name)
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing((0.25, 0.5, 2.0)[: pixels.ndim])
    image.SetOrigin((-4.0, 3.0, 17.5)[: pixels.ndim])
    image.SetDirection([0, 1, -1, 0] if pixels.ndim == 2 else [0, 1, 0, -1, 0, 0, 0, 0, 1])
    sitk.WriteImage(image, str(path))
    return path


def assert_same_place(written: Path, source: Path) -> None:
    one, other = sitk.ReadImage(str(written)), sitk.ReadImage(str(source))
    assert one.GetSize() == other.GetSize()
    for part in ("GetOrigin", "GetDirection"):
        assert getattr(one, part)() == pytest.approx(getattr(other, part)(), rel=1e-6, abs=1e-6), part
    axes = 2 if source.suffix == ".dcm" else 3  # ITK does not ask a lone slice for its thickness and says 1.0
    assert one.GetSpacing()[:axes] == pytest.approx(other.GetSpacing()[:axes], rel=1e-6)


def read_back(path: Path, shape: tuple[int, ...]) -> NDArray[np.float64]:
    image = sitk.ReadImage(str(path))
    assert image.GetPixelID() == sitk.sitkFloat64
    return np.asarray(sitk.GetArrayFromImage(image)).reshape(shape)


def assert_values(rows: list[dict[str, Any]], expected: Any) -> None:  # noqa: ANN401
    assert [row["name"] for row in rows] == list(expected.values)
    for row in rows:
        value = expected.values[row["name"]]
        if isinstance(value, float):
            assert (row["value"], row["hex"], row["reason"]) == (value, value.hex(), None)
        else:
            assert (row["value"], row["hex"], row["reason"]) == (None, None, str(value.reason))


@pytest.mark.parametrize("suffix", PICTURES)
def test_a_picture_of_each_format(suffix: str, command: Command, tmp_path: Path) -> None:
    source, mask = saved(tmp_path, GREY, suffix), saved(tmp_path, MASK, suffix, "mask")
    folder = tmp_path / "maps"
    said = command("features", source, "--mask", mask, "--set", "all", "--bin-count", 16, "--maps", folder, "--json")
    assert said.code == ExitCode.OK
    head, *rows = said.lines
    spacing = None if suffix == "png" else (0.5, 0.25)
    expected = radiomics.lesion(GREY, MASK, spacing, bin_count=16)
    assert_values(rows, expected)
    assert (head["shape"], head["spacing_mm"]) == ([12, 15], spacing and list(spacing))
    assert head["levels_sha256"] == head["maps"]["levels_sha256"] == expected.levels_sha256
    binned = levels.discretise(GREY, MASK == 1, bin_count=16).array
    maps = radiomics.dense(binned, image=GREY, voxel_size=math.prod(spacing or [math.nan]))
    assert len(list(folder.iterdir())) == 93
    for name, plane in zip(lesion_definitions.TEXTURE, maps, strict=True):
        assert np.array_equal(read_back(folder / f"{name}.nrrd", GREY.shape), plane, equal_nan=True), name
    if suffix != "png":
        assert_same_place(folder / "glcm_Contrast.nrrd", source)


@pytest.mark.parametrize("suffix", VOLUMES)
def test_a_volume_of_each_format(suffix: str, command: Command, tmp_path: Path) -> None:
    source, mask = saved(tmp_path, VOLUME, suffix), saved(tmp_path, REGION, suffix, "mask")
    said = command("features", source, "--mask", mask, "--label", 5, "--set", "all", "--json")
    assert said.code == ExitCode.OK
    head, *rows = said.lines
    assert len(rows) == 107
    assert_values(rows, radiomics.lesion(VOLUME, REGION == 5, (2.0, 0.5, 0.25)))
    assert (head["label"], head["pixels"], head["spacing_mm"]) == (5, 90, [2.0, 0.5, 0.25])


@pytest.mark.parametrize(("form", "suffix"), [("nrrd", "nrrd"), ("nifti", "nii")])
def test_maps_of_a_volume(form: str, suffix: str, command: Command, tmp_path: Path) -> None:
    source, folder = saved(tmp_path, VOLUME, "nii.gz"), tmp_path / "new" / "maps"
    options = ("--set", "all", "--bin-width", 50, "--format", form, "--radius", 2)
    assert command("features", source, "--maps", folder, *options).code == ExitCode.OK
    expected = radiomics.dense(levels.discretise(VOLUME, bin_width=50).array, image=VOLUME, radius=2, voxel_size=0.25)
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{n}.{suffix}" for n in lesion_definitions.TEXTURE)
    for name, values in zip(lesion_definitions.TEXTURE, expected, strict=True):
        file = folder / f"{name}.{suffix}"
        assert np.array_equal(read_back(file, VOLUME.shape), values), name
        assert_same_place(file, source)


@pytest.mark.verifies("SRS-RAD-005")
def test_the_first_line_says_what_was_measured(command: Command, tmp_path: Path) -> None:
    source, mask = saved(tmp_path, GREY, "png"), saved(tmp_path, MASK * 7, "png", "mask")
    head = command("features", source, "--mask", mask, "--json", "--maps", tmp_path / "maps").lines[0]
    box = np.s_[2:9, 3:11]
    inside = np.zeros(GREY.shape, dtype=np.int16)
    inside[box] = (GREY[box] >> 2) - (GREY[box].min() >> 2) + 1
    assert head == {
        "name": "measurement",
        "device_result": False,
        "input": str(source),
        "input_sha256": head["input_sha256"],
        "shape": [12, 15],
        "spacing_mm": None,
        "rescale": None,
        "mask": str(mask),
        "mask_sha256": mask_sha256(MASK),
        "label": 7,
        "set": "paper",
        "pixels": 56,
        "bin_count": None,
        "bin_width": 4.0,
        "level_count": int(inside.max()),
        "levels_sha256": array_sha256(inside),
        "maps": {
            "folder": str(tmp_path / "maps"),
            "format": "nrrd",
            "count": 13,
            "radius": 4,
            "bin_count": None,
            "bin_width": 4.0,
            "level_count": int((GREY >> 2).max() - (GREY >> 2).min()) + 1,
            "levels_sha256": array_sha256((GREY >> 2).astype(np.int16) - (GREY.min() >> 2) + np.int16(1)),
        },
    }


@pytest.mark.parametrize("chosen", [("--set", "named"), ("--set", "all")])
def test_csv_holds_what_json_holds(chosen: tuple[str, ...], command: Command, tmp_path: Path) -> None:
    source, file = saved(tmp_path, GREY, "png"), tmp_path / "values.csv"
    file.write_text("what was there before")
    said = command("features", source, *chosen, "--csv", file, "--json")
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, strict=True))
    assert list(rows[0]) == ["name", "ibsi", "value", "unit", "reason"]
    assert len(rows) == len(said.lines) - 1
    for row, line in zip(rows, said.lines[1:], strict=True):
        assert (row["value"] and float(row["value"])) == ("" if line["value"] is None else line["value"])
        assert [row[key] for key in ("name", "ibsi", "unit")] == [line[key] for key in ("name", "ibsi", "unit")]
        assert row["reason"] == (line["reason"] or "")
    assert file.read_bytes().count(b"\r\n") == len(rows) + 1


def test_a_person_reads_a_table(command: Command, tmp_path: Path) -> None:
    source, mask = saved(tmp_path, GREY, "png"), saved(tmp_path, MASK, "png", "mask")
    said = command("features", source, "--mask", mask, "--set", "all").out.splitlines()
    assert said[0] == "measurement, not a device result"
    assert said[1].endswith("12 x 15 px, unknown pixel size")
    assert said[2].endswith(": 56 px")
    blank = said.index("")
    titles, *rows = said[blank + 1 :]
    assert titles.split() == ["name", "IBSI", "value", "unit"]
    assert len(rows) == 102
    end = titles.index("value") + len("value")
    assert {row[end : end + 2] for row in rows} == {"  "}
    assert all(row[end - 1] != " " and row[end + 2] != " " for row in rows)
    assert any(row.endswith("undefined  the size of a pixel is not known") for row in rows)


def test_the_values_of_the_file_s_rescale_are_measured(command: Command, tmp_path: Path) -> None:
    def scaled(dataset: Any) -> None:  # noqa: ANN401
        dataset.RescaleSlope, dataset.RescaleIntercept = "2", "-1024"

    source = samples.put(tmp_path, samples.ultrasound(scaled, GREY))
    head, *rows = command("features", source, "--json").lines
    assert head["rescale"] == [2.0, -1024.0]
    found = {row["name"]: row["value"] for row in rows}
    assert found["firstorder_Mean"] == pytest.approx(GREY.mean() * 2 - 1024, rel=1e-12)
    assert "stored value x 2 + -1024" in command("features", source).out


def test_without_a_mask_the_set_all_has_ninety_three_values(command: Command, tmp_path: Path) -> None:
    lines = command("features", saved(tmp_path, GREY, "png"), "--set", "all", "--json").lines
    assert [line["name"] for line in lines[1:]] == list(lesion_definitions.TEXTURE)
    assert {line["device_result"] for line in lines} == {False}


def test_the_maps_of_paper_and_named_know_no_mask(command: Command, tmp_path: Path) -> None:
    source, mask = saved(tmp_path, GREY, "png"), saved(tmp_path, MASK, "png", "mask")
    for folder, options in (("a", ()), ("b", ("--mask", mask))):
        command("features", source, "--set", "named", "--maps", tmp_path / folder, *options)
    for name in NAMED:
        assert (tmp_path / "a" / f"{name}.nrrd").read_bytes() == (tmp_path / "b" / f"{name}.nrrd").read_bytes()


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_a_bar_moves_where_a_person_watches(
    quiet: tuple[str, ...], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[float] = []
    dense: Callable[..., Any] = radiomics.dense

    def watched(*given: Any, progress: Callable[[float], None], **options: Any) -> Any:  # noqa: ANN401
        def tell(share: float) -> None:
            shares.append(share)
            progress(share)

        return dense(*given, progress=tell, **options)

    monkeypatch.setattr(radiomics, "dense", watched)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    call = ("features", saved(tmp_path, GREY, "png"), "--set", "all", "--maps", tmp_path / "maps", *quiet)
    said = command(*call)
    assert said.code == ExitCode.OK
    assert shares[-1] == 1.0
    assert ("measuring 93 maps" in said.err) == (not quiet)


def test_compiling_is_said_until_it_is_done(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    call = ("features", saved(tmp_path, GREY, "png"), "--set", "all")
    assert "compiling" not in command(*call).err
    assert "compiling for this processor, once" in command(*call, "--maps", tmp_path / "maps").err
    assert command(*call, "--maps", tmp_path / "maps", "--quiet").err == ""
    (tmp_path / "cache" / "windows_0").mkdir(parents=True)
    samples.put(tmp_path / "cache" / "windows_0", b"", "families.glcm-1.nbc")
    assert "compiling" not in command(*call, "--maps", tmp_path / "maps").err
