# SPDX-License-Identifier: Apache-2.0
"""The program itself: help, release, qualification, silence."""

from __future__ import annotations

import shutil
from pathlib import Path

from radiomicnet_md_validation.oq.bench import Decided, Program, run
from radiomicnet_md_validation.oq.catalogue import about
from radiomicnet_md_validation.oq.plugin import Seen

_GUARD = """\
import sys
def hear(event, given):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        sys.stderr.write(f"NETWORK {event} {given[1:]}\\n")
        sys.stderr.flush()
        import os
        os._exit(99)
sys.addaudithook(hear)
"""


@about(
    "OQ-001",
    "SRS-CLI-001",
    "SRS-CLI-003",
    objective="Help comes at once and tells every exit code",
    expected="exit code 0, the table of exit codes, no torch imported",
)
def test_help_is_light(command: tuple[str, ...], seen: Seen) -> None:
    said = run([*command, "--help"], {"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rpartition("|")[2].strip() for line in said.err.splitlines() if line.startswith("import time:")}
    heavy = {"torch", "numba", "numpy"} & imported
    seen(f"exit code {said.code}, {len(imported)} modules, heavy: {', '.join(sorted(heavy)) or 'none'}")
    assert said.code == 0
    assert imported, "nothing was told of what was imported"
    assert not heavy
    assert "6 not qualified" in said.out


@about(
    "OQ-002",
    "SRS-REL-001",
    "SRS-REL-002",
    "SRS-REC-005",
    objective="A release with one changed byte decides nothing",
    expected="exit code 4, the case refused or an error on the record, no mask",
)
def test_a_changed_release_decides_nothing(program: Program, scan: Path, tmp_path: Path, seen: Seen) -> None:
    folder = _release(program, tmp_path)
    weights = folder / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    _refuses(program.copied(tmp_path), scan, folder, seen)


@about(
    "OQ-003",
    "SRS-REL-001",
    "SRS-REL-002",
    objective="A release with other weights, or with a file more than is signed, decides nothing",
    expected="exit code 4 for each, no mask",
)
def test_other_weights_and_a_file_more_decide_nothing(program: Program, scan: Path, tmp_path: Path, seen: Seen) -> None:
    folder = _release(program, tmp_path)
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes() + b"\0" * 8)
    home = program.copied(tmp_path)
    _refuses(home, scan, folder, seen)
    shutil.rmtree(folder)
    folder = _release(program, tmp_path)
    (folder / "more.json").write_text("{}", encoding="utf-8")
    _refuses(home, scan, folder, seen)


@about(
    "OQ-004",
    "SRS-HOM-002",
    "SRS-QUA-002",
    objective="A clinical home that is not qualified decides nothing",
    expected="exit code 6, E-NOT-QUALIFIED on the record, no mask, and the commands to qualify",
)
def test_an_unqualified_clinical_home_refuses(command: tuple[str, ...], scan: Path, tmp_path: Path, seen: Seen) -> None:
    (tmp_path / "passphrase").write_text("words of this test alone\n", encoding="utf-8")
    more = {"RADIOMICNET_MD_KEY_PASSPHRASE_FILE": str(tmp_path / "passphrase")}
    clinical = Program(command, tmp_path / "clinical", more)
    assert clinical("init", "--clinical").code == 0
    said = clinical("segment", scan, "--out", tmp_path / "out")
    seen(f"exit code {said.code}, {', '.join(said.reasons())}")
    assert (said.code, said.reasons()) == (6, ["E-NOT-QUALIFIED"])
    assert "qualify iq" in said.lines[0]["reason"]["remedy"]
    assert not list(tmp_path.glob("out/**/*"))


@about(
    "OQ-005",
    "SRS-HOM-001",
    "SRS-REC-004",
    objective="Whatever a demonstration home makes says so",
    expected="the stamp in every record",
)
def test_a_demonstration_is_stamped(decided: Decided, seen: Seen) -> None:
    stamps = {name: decided.predicate(name)["stamps"] for name in decided.lines}
    seen(f"{len(stamps)} records, stamps {', '.join(sorted({stamp for each in stamps.values() for stamp in each}))}")
    assert stamps
    assert all("unqualified demonstration" in each for each in stamps.values())


@about(
    "OQ-006",
    "SRS-ENG-001",
    "SRS-CLI-005",
    objective="A decision opens no connection, and a fresh process with one thread gives the same bits",
    expected="no connection tried; digests of mask and contributions as with all threads",
)
def test_the_same_bits_in_silence(decided: Decided, program: Program, scan: Path, tmp_path: Path, seen: Seen) -> None:
    import os

    (tmp_path / "sitecustomize.py").write_text(_GUARD, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
    words = "import socket; socket.create_connection(('127.0.0.1', 9), 1)"
    guarded = run([program.command[0], "-c", words], {"PYTHONPATH": path})
    assert (guarded.code, "NETWORK" in guarded.err) == (99, True), "the guard itself hears nothing"
    said = program.copied(tmp_path)("segment", scan, "--out", tmp_path / "out", PYTHONPATH=path, **one)
    seen(f"exit code {said.code}, connections: {'NETWORK' in said.err}")
    assert (said.code, "NETWORK" in said.err) == (0, False)
    for name in ("mask_sha256", "contributions_sha256"):
        seen(f"{name} {said.lines[0][name]}")
        assert said.lines[0][name] == decided.lines["scan"][name]


def _release(program: Program, folder: Path) -> Path:
    """A copy of the release that is in force."""
    (line,) = program("release", "show").lines
    return Path(shutil.copytree(line["path"], folder / "release"))


def _refuses(home: Program, scan: Path, release: Path, seen: Seen) -> None:
    said = home("segment", scan, "--out", home.home.parent / "out", "--release", release)
    seen(f"exit code {said.code}, {', '.join(said.reasons())}")
    assert said.code == 4
    assert said.lines[0]["status"] != "accepted"
    assert home.record(said.lines[0]["record_id"])["outputs"] is None
    assert not list((home.home.parent / "out").glob("**/*"))
