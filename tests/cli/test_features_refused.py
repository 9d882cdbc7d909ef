# SPDX-License-Identifier: Apache-2.0
"""What ``features`` cannot measure ends with its code, its remedy and its exit code, and leaves nothing behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as everybody calls it
from numpy.typing import NDArray

from radiomicnet_md import radiomics
from radiomicnet_md.errors import ExitCode
from tests import desks
from tests.cli.conftest import Command
from tests.io import samples

pytestmark = [pytest.mark.verifies("SRS-RAD-012", "SRS-CLI-004"), pytest.mark.usefixtures("home")]

GREY = np.random.default_rng(3).integers(0, 250, (12, 15)).astype(np.uint8)
MASK = np.zeros(GREY.shape, dtype=np.uint8)
MASK[2:9, 3:11] = 1
TWO = MASK.copy()
TWO[3, 4] = 4
SPOILT = GREY.astype(np.float32)
SPOILT[1, 1] = np.nan
INFINITE = GREY.astype(np.float32)
INFINITE[1, 1] = np.inf


def inputs(folder: Path) -> None:
    """The inputs of every case, in a folder that then must stay as it is."""
    files = {
        "scan.png": samples.picture(GREY),
        "mask.png": samples.picture(MASK),
        "two.png": samples.picture(TWO),
        "empty.png": samples.picture(MASK * 0),
        "small.png": samples.picture(MASK[:, :9]),
        "colour.png": samples.picture(np.stack([GREY, GREY // 2, GREY], axis=-1)),
        "nan.nii": samples.nifti(SPOILT),
        "inf.nii": samples.nifti(INFINITE),
        "four.nii": samples.nifti(np.zeros((2, 3, 12, 15), np.uint8)),
        "wide.nrrd": samples.nrrd(GREY, "spacings: 0.1 0.2"),
        "wider.nrrd": samples.nrrd(MASK, "spacings: 0.1 0.3"),
        "narrow.nrrd": samples.nrrd(GREY[:4], "spacings: 0.1 0.2"),
        "deep.nii": samples.nifti(GREY.astype(np.int16) * 100),
        "cine.dcm": samples.ultrasound(cine),
        "text.png": b"no image at all",
        "short.nii": samples.nifti(GREY)[:-20],
    }
    for name, data in files.items():
        samples.put(folder, data, name)
    for name, origin, turn in (("vol", 0, 1), ("moved", 1, 1), ("turned", 0, -1)):
        image = sitk.GetImageFromArray(np.arange(3 * 9 * 9, dtype=np.uint8).reshape(3, 9, 9) % 2)
        image.SetOrigin((0, 0, origin))
        image.SetDirection([turn, 0, 0, 0, turn, 0, 0, 0, 1])
        sitk.WriteImage(image, str(folder / f"{name}.mha"))
    (folder / "folder").mkdir()
    samples.put(folder / "folder", samples.nrrd(GREY), "glcm_Contrast.nrrd")


def cine(dataset: Any) -> None:  # noqa: ANN401
    dataset.NumberOfFrames = 2
    dataset.PixelData = dataset.PixelData * 2


@dataclass(frozen=True)
class Fault:
    """A command line, and what it must come to."""

    line: str
    code: str
    exit_code: ExitCode = ExitCode.INTENDED_USE


ALL = "--set all --maps out/maps --csv values.csv"
FAULTS = [
    Fault(f"scan.png --mask small.png {ALL}", "E-MASK-GEOMETRY"),
    Fault("scan.png --mask small.png", "E-MASK-GEOMETRY"),
    Fault("wide.nrrd --mask wider.nrrd", "E-MASK-GEOMETRY"),
    Fault(f"vol.mha --mask moved.mha {ALL}", "E-MASK-GEOMETRY"),
    Fault(f"vol.mha --mask turned.mha {ALL}", "E-MASK-GEOMETRY"),
    Fault(f"vol.mha --mask scan.png {ALL}", "E-MASK-GEOMETRY"),
    Fault(f"scan.png --mask empty.png {ALL}", "E-MASK-EMPTY"),
    Fault(f"scan.png --mask two.png {ALL}", "E-MASK-LABELS"),
    Fault(f"scan.png --mask two.png --label 2 {ALL}", "E-MASK-LABEL-ABSENT"),
    Fault(f"scan.png --mask mask.png --label 0 {ALL}", "E-MASK-LABEL-ABSENT"),
    Fault("scan.png --mask colour.png", "E-FEATURES-COLOUR"),
    Fault("scan.png --mask nowhere.png", "E-INPUT-MISSING"),
    Fault("scan.png --mask nan.nii", "E-MASK-VALUES"),
    Fault(f"scan.png --label 1 {ALL}", "E-FEATURES-LABEL", ExitCode.USAGE),
    Fault(f"deep.nii --bin-width 10 {ALL}", "E-LEVELS-COUNT", ExitCode.USAGE),
    Fault(f"deep.nii {ALL}", "E-LEVELS-COUNT", ExitCode.USAGE),
    Fault(f"scan.png --bin-count 257 {ALL}", "E-LEVELS-COUNT", ExitCode.USAGE),
    Fault(f"scan.png --bin-count 0 {ALL}", "E-LEVELS-COUNT", ExitCode.USAGE),
    Fault(f"scan.png --bin-width -1 {ALL}", "E-LEVELS-PARAMETER", ExitCode.USAGE),
    Fault(f"vol.mha --radius 5 {ALL}", "E-FEATURES-RADIUS", ExitCode.USAGE),
    Fault(f"scan.png --radius 0 {ALL}", "E-FEATURES-RADIUS", ExitCode.USAGE),
    Fault("scan.png --radius 181 --maps out/maps", "E-FEATURES-RADIUS", ExitCode.USAGE),
    Fault("scan.png --radius 6 --maps out/maps", "E-FEATURES-WINDOW", ExitCode.USAGE),
    Fault(f"scan.png --radius 6 {ALL}", "E-FEATURES-RADIUS", ExitCode.USAGE),
    Fault("vol.mha --set all --maps mask.png", "E-OUTPUT-FOLDER", ExitCode.CONFIGURATION),
    Fault(f"nan.nii {ALL}", "E-LEVELS-NOT-FINITE"),
    Fault("nan.nii --maps out/maps", "E-LEVELS-NOT-FINITE"),
    Fault(f"inf.nii {ALL}", "E-LEVELS-NOT-FINITE"),
    Fault(f"four.nii {ALL}", "E-INPUT-DIMENSIONS"),
    Fault(f"cine.dcm {ALL}", "E-INPUT-FRAMES"),
    Fault(f"colour.png {ALL}", "E-FEATURES-COLOUR"),
    Fault("vol.mha --maps out/maps", "E-FEATURES-3D"),
    Fault(f"narrow.nrrd --radius 2 {ALL}", "E-FEATURES-WINDOW", ExitCode.USAGE),
    Fault(f"text.png {ALL}", "E-INPUT-NOT-AN-IMAGE"),
    Fault(f"short.nii {ALL}", "E-INPUT-TRUNCATED"),
    Fault(f"folder {ALL}", "E-INPUT-DIRECTORY"),
    Fault("scan.png --maps mask.png", "E-OUTPUT-FOLDER", ExitCode.CONFIGURATION),
    Fault("scan.png --maps mask.png/below", "E-OUTPUT-FOLDER", ExitCode.CONFIGURATION),
    Fault("scan.png --csv nowhere/values.csv", "E-OUTPUT-FOLDER", ExitCode.CONFIGURATION),
    Fault("scan.png --csv folder", "E-OUTPUT-FOLDER", ExitCode.CONFIGURATION),
    Fault("scan.png --csv scan.png", "E-OUTPUT-INPUT", ExitCode.USAGE),
    Fault("scan.png --mask mask.png --csv mask.png", "E-OUTPUT-INPUT", ExitCode.USAGE),
    Fault("folder/glcm_Contrast.nrrd --set all --maps folder", "E-OUTPUT-INPUT", ExitCode.USAGE),
]  # fmt: skip


def state(folder: Path) -> tuple[dict[str, bytes], list[Path]]:
    return desks.tree(folder), sorted(folder.rglob("*"))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.line)
def test_each_fault(fault: Fault, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    inputs(folder)
    monkeypatch.chdir(folder)
    before = state(folder)
    said = command("features", *fault.line.split(), "--json")
    assert [line["status"] for line in said.lines] == ["error"]
    reason = said.lines[0]["reason"]
    assert (reason["code"], said.code) == (fault.code, fault.exit_code)
    assert reason["remedy"]
    assert reason["text"] in said.err
    assert "Traceback" not in said.err
    assert state(folder) == before


def test_a_failure_among_the_maps_leaves_nothing(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    inputs(folder)
    before, dense = state(folder), radiomics.dense

    def interrupted(levels: NDArray[Any], features: list[str], **options: Any) -> NDArray[np.float64]:  # noqa: ANN401
        if features[0].startswith("gldm"):
            raise KeyboardInterrupt
        return dense(levels, features, **options)

    monkeypatch.setattr(radiomics, "dense", interrupted)
    call = ("features", folder / "scan.png", "--set", "all", "--maps", folder / "maps", "--csv", folder / "values.csv")
    said = command(*call)
    assert (said.code, said.out) == (ExitCode.INTERRUPTED, "")
    assert state(folder) == before
