# SPDX-License-Identifier: Apache-2.0
"""What is outside the intended use is refused by name, on the record, and gives no mask."""

from __future__ import annotations

from pathlib import Path

from radiomicnet_md_validation.oq.bench import PHANTOM, Decided, Program
from radiomicnet_md_validation.oq.catalogue import about
from radiomicnet_md_validation.oq.plugin import Seen


def _refused(decided: Decided, name: str, code: str, seen: Seen) -> None:
    line = decided.lines[name]
    said = decided.predicate(name)
    seen(f"{line['status']}, {(line['reason'] or {}).get('code')}, exit code of all {decided.said.code}")
    assert line["status"] == "refused"
    assert line["reason"]["code"].startswith(code)
    assert (said["state"], said["outputs"], said["decision"]) == ("REFUSED", None, None)
    assert said["reason"]["code"] == line["reason"]["code"]
    assert not list((decided.out / name).glob("*"))
    assert decided.said.code == 3


@about(
    "OQ-020",
    "SRS-INP-002",
    "SRS-REC-005",
    objective="An image of another modality is refused",
    expected="refused on the record with the gate's reason, no file delivered",
)
def test_another_modality(decided: Decided, seen: Seen) -> None:
    _refused(decided, "modality", "E-GATE-MODALITY", seen)


@about(
    "OQ-021",
    "SRS-INP-005",
    "SRS-REC-005",
    objective="A picture in colour is refused",
    expected="refused on the record with the gate's reason, no file delivered",
)
def test_colour(decided: Decided, seen: Seen) -> None:
    _refused(decided, "colour", "E-GATE", seen)


@about(
    "OQ-022",
    "SRS-INP-001",
    "SRS-INP-006",
    objective="A file that ends too early is refused",
    expected="refused on the record as unreadable, no file delivered",
)
def test_a_truncated_file(decided: Decided, seen: Seen) -> None:
    _refused(decided, "truncated", "E-INPUT", seen)


@about(
    "OQ-023",
    "SRS-INP-003",
    objective="An image that carries nothing is refused",
    expected="refused on the record, no file delivered",
)
def test_an_empty_picture(decided: Decided, seen: Seen) -> None:
    _refused(decided, "empty", "E-GATE", seen)


@about(
    "OQ-024",
    "SRS-INP-012",
    objective="Images of two patients in one folder are refused",
    expected="both refused with E-STUDY-PATIENTS, no file delivered",
)
def test_two_patients(program: Program, scan: Path, tmp_path: Path, seen: Seen) -> None:
    other = scan.read_bytes().replace(PHANTOM, PHANTOM[:-2] + b"2 ")
    assert other != scan.read_bytes()
    study = tmp_path / "study"
    study.mkdir()
    for name, data in (("one", scan.read_bytes()), ("two", other)):
        (study / f"{name}.dcm").write_bytes(data)
    said = program.copied(tmp_path)("segment", study, "--out", tmp_path / "out")
    seen(f"exit code {said.code}, {', '.join(said.reasons())}")
    assert said.code in (3, 5)
    assert said.reasons() == ["E-STUDY-PATIENTS"] * 2
    assert not [path for path in tmp_path.glob("out/**/*") if path.is_file()]
