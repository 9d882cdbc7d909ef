# SPDX-License-Identifier: Apache-2.0
"""Decisions: what is delivered is what was recorded, recorded first, and comes out again."""

from __future__ import annotations

import hashlib
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from radiomicnet_md_validation.oq.bench import SAMPLES, Decided, Program
from radiomicnet_md_validation.oq.catalogue import about
from radiomicnet_md_validation.oq.plugin import Seen

_ROOM = 65536  # bytes a file: enough to open the log, too little for what is kept with a record
_LIMITED = f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({_ROOM}, {_ROOM})); "
_CHAIN = "os.execv(sys.argv[1], sys.argv[1:])"


def _mask(decided: Decided) -> NDArray[np.uint8]:
    """The delivered picture of the mask as 0 and 1."""
    found = np.asarray(Image.open(decided.out / "scan" / "mask.png"))
    return np.ascontiguousarray(found != 0).astype(np.uint8)


@about(
    "OQ-010",
    "SRS-OUT-001",
    "SRS-REC-003",
    objective="A drawn breast is decided, and the delivered mask is the recorded one",
    expected="status accepted; SHA-256 of the mask's 0 and 1 at the input's size as in the record",
)
def test_the_mask_is_the_recorded_one(decided: Decided, seen: Seen) -> None:
    line = decided.lines["scan"]
    recorded = decided.predicate("scan")["outputs"]
    mask = _mask(decided)
    digest = hashlib.sha256(mask.tobytes()).hexdigest()
    seen(f"{line['status']}, mask {mask.shape}, {digest}")
    assert line["status"] == "accepted"
    assert list(mask.shape) == recorded["mask_shape"]
    assert digest == recorded["mask_sha256"] == line["mask_sha256"]


@about(
    "OQ-011",
    "SRS-ENG-005",
    "SRS-ENG-004",
    objective="The decision is the sum that the record shows",
    expected="score = intercept + sum of the terms for each region, and logit integrals of three zones",
)
def test_the_score_is_the_sum_of_its_terms(decided: Decided, seen: Seen) -> None:
    said = decided.predicate("scan")
    regions: list[dict[str, Any]] = [*said["decision"]["chosen"], *filter(None, [said["decision"]["runner_up"]])]
    sums = [(one["intercept"] + sum(one["terms"].values()), one["score"]) for one in regions]
    seen(f"{len(said['decision']['chosen'])} chosen of {said['decision']['candidates']}; sums {sums}")
    assert regions
    assert all(total == score for total, score in sums)
    assert set(said["pixels"]["integrals"]) == {"lesion", "border", "background"}


@about(
    "OQ-012",
    "SRS-REC-001",
    "SRS-OUT-003",
    objective="Without a record there is no result: the disk takes nothing more",
    expected="another exit code than 0, no file delivered, and the log as it was and whole",
)
def test_a_full_disk_gives_no_mask(program: Program, scan: Path, tmp_path: Path, seen: Seen) -> None:
    home = program.copied(tmp_path)
    before = _state(home)
    limit = (sys.executable, "-c", _LIMITED + _CHAIN)
    said = home("segment", scan, "--out", tmp_path / "out", prefix=limit)
    after = _state(home)
    left = [path.name for path in tmp_path.glob("out/**/*") if path.is_file()]
    seen(f"exit code {said.code}, files {left}, log {before['size']} and then {after['size']} entries")
    assert said.code != 0
    assert left == []
    assert after == before


@about(
    "OQ-013",
    "SRS-ENG-007",
    objective="A recorded decision comes out again",
    expected="exit code 0, verdict IDENTICAL",
)
def test_a_replay_is_identical(decided: Decided, seen: Seen) -> None:
    said = decided.program("audit", "replay", decided.lines["scan"]["record_id"])
    seen(f"exit code {said.code}, {said.out.strip()[:200]}")
    assert said.code == 0
    assert said.lines[-1]["verdict"] == "IDENTICAL"


@about(
    "OQ-014",
    "SRS-INP-004",
    objective="Where a file states no spacing, nothing is given in millimetres",
    expected="spacing null in the record of the picture, and stated in that of the DICOM file",
)
def test_millimetres_are_given_only_where_known(decided: Decided, seen: Seen) -> None:
    spacings = {name: decided.predicate(name)["input"]["spacing_mm"] for name in ("scan", "picture")}
    lesions = (decided.predicate("picture")["radiomics"] or {}).get("lesions", [])
    inches = [name for one in lesions for name, value in one["values"].items() if "mm" in str(value).split()]
    seen(f"spacing {spacings}, values in mm: {inches}")
    assert spacings["picture"] is None
    assert spacings["scan"] is not None
    assert inches == []


@about(
    "OQ-015",
    "SRS-OUT-002",
    "SRS-OUT-020",
    "SRS-OUT-024",
    objective="DICOM objects can be read back and name their source",
    expected="the segmentation's bits are the mask's; segmentation and measurements name the source's instance",
)
def test_dicom_objects_are_what_was_decided(decided: Decided, scan: Path, seen: Seen) -> None:
    if find_spec("highdicom") is None:
        pytest.skip("the extra dicom is not installed: this site writes no DICOM objects")
    source = _element(scan.read_bytes(), b"\x08\x00\x18\x00UI")
    objects = {name: (decided.out / "scan" / f"{name}.dcm").read_bytes() for name in ("mask", "measurements")}
    mask = _mask(decided)
    bits = np.unpackbits(_samples(objects["mask"]), bitorder="little")[: mask.size]
    same = bool(np.array_equal(bits.reshape(mask.shape), mask))
    named = {name: source in data for name, data in objects.items()}
    seen(f"segmentation equal: {same}; names the source: {named}")
    assert all(data[128:132] == b"DICM" for data in objects.values())
    assert same
    assert all(named.values())


def _state(home: Program) -> dict[str, Any]:
    said = home("audit", "verify")
    assert said.code == 0, said.out
    return {name: said.lines[0][name] for name in ("ok", "size", "root")}


def _element(data: bytes, begins: bytes) -> bytes:
    """The value of an element with a short length, explicit VR, little-endian; its padding taken away."""
    at = data.index(begins) + len(begins)
    return data[at + 2 : at + 2 + int.from_bytes(data[at : at + 2], "little")].rstrip(b"\0 ")


def _samples(data: bytes) -> NDArray[np.uint8]:
    """The last pixel data of a file, explicit VR, little-endian."""
    at = data.rindex(SAMPLES)
    length = int.from_bytes(data[at + 8 : at + 12], "little")
    return np.frombuffer(data, np.uint8, length, at + 12)
