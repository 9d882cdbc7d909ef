# SPDX-License-Identifier: Apache-2.0
"""The auditor's door takes whatever it is handed: it says what that shows, or what is wrong, and never hangs."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import threading
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md_audit import anchor, bundle, canonical, dsse, export, sign
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit.__main__ import main
from radiomicnet_md_audit.bundle import verify_bundle
from radiomicnet_md_audit.errors import ExitCode, IntegrityError
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.note import NoteKey
from radiomicnet_md_audit.verify import CONSISTENT, STRUCTURE
from tests.audit.sites import Site

Capture = pytest.CaptureFixture[str]


class TestStructure:
    """Without signatures the door says less, and says so."""

    @pytest.mark.verifies("SRS-LOG-030")
    def test_a_whole_export_ends_with_0_and_is_not_called_verified(
        self, exported: Path, trusted: Path, capsys: Capture
    ) -> None:
        assert main(["verify", str(exported), "--policy", str(trusted), "--structure"]) is ExitCode.OK
        assert "STRUCTURE ONLY: this is not a verification of signatures" in capsys.readouterr().out
        assert main(["verify", str(exported), "--policy", str(trusted), "--structure", "--json"]) is ExitCode.OK
        report = json.loads(capsys.readouterr().out)
        assert (report["ok"], report["structure_only"]) == (False, True)
        shown = {claim["name"]: claim["ok"] for claim in report["claims"]}
        assert (shown[STRUCTURE], shown[CONSISTENT]) == (True, None)

    @pytest.mark.verifies("SRS-LOG-030")
    def test_the_whole_verification_does_not_say_so(self, exported: Path, trusted: Path, capsys: Capture) -> None:
        assert main(["verify", str(exported), "--policy", str(trusted)]) is ExitCode.OK
        assert "STRUCTURE" not in capsys.readouterr().out
        main(["verify", str(exported), "--policy", str(trusted), "--json"])
        assert "structure_only" not in json.loads(capsys.readouterr().out)

    @pytest.mark.verifies("SRS-LOG-030")
    def test_what_does_not_fit_together_ends_with_4(self, exported: Path, trusted: Path, capsys: Capture) -> None:
        lines = (exported / "entries.jsonl").read_bytes().split(b"\n")
        lines[2], lines[3] = lines[3], lines[2]
        (exported / "entries.jsonl").write_bytes(b"\n".join(lines))
        assert main(["verify", str(exported), "--policy", str(trusted), "--structure"]) is ExitCode.INTEGRITY
        assert "E-CHECKPOINT-ROOT" in capsys.readouterr().out

    @pytest.mark.verifies("SRS-LOG-030")
    def test_keys_that_are_not_trusted_end_with_4(self, exported: Path, site: Site, tmp_path: Path) -> None:
        other = replace(site, engine=sign.from_seed(bytes([99]) * 32))
        (tmp_path / "other.json").write_bytes(other.policy.to_json())
        given = ["verify", str(exported), "--policy", str(tmp_path / "other.json"), "--structure"]
        assert main(given) is ExitCode.INTEGRITY


class TestAnchor:
    """The anchor of a large log is larger than memory, and may come through a pipe."""

    @pytest.mark.verifies("SRS-LOG-015")
    def test_a_file_is_mapped_and_not_read(self, site: Site) -> None:
        mapped = anchor.mapped(site.anchor)
        assert not isinstance(mapped, bytes)
        assert mapped[:] == site.anchor.read_bytes()

    @pytest.mark.verifies("SRS-LOG-015")
    def test_the_device_maps_its_own(self, site: Site) -> None:
        with Ledger.open(site.url, None, None, site.anchor, policy=site.policy) as ledger:
            text = ledger.anchor_text()
        assert text is not None
        assert not isinstance(text, bytes)

    @pytest.mark.verifies("SRS-LOG-005")
    def test_an_anchor_is_compared_from_a_file_and_from_a_pipe(
        self, exported: Path, trusted: Path, site: Site, tmp_path: Path, capsys: Capture
    ) -> None:
        given = ["verify", str(exported), "--policy", str(trusted), "--json", "--anchor"]
        assert main([*given, str(site.anchor)]) is ExitCode.OK
        from_file = json.loads(capsys.readouterr().out)
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        writer = threading.Thread(target=lambda: pipe.write_bytes(site.anchor.read_bytes()))
        writer.start()
        assert main([*given, str(pipe)]) is ExitCode.OK
        writer.join()
        assert json.loads(capsys.readouterr().out) == from_file
        assert from_file["claims"][1]["ok"] is True

    @pytest.mark.verifies("SRS-LOG-005")
    def test_an_empty_anchor_a_folder_and_none_are_told_apart(
        self, exported: Path, trusted: Path, tmp_path: Path, capsys: Capture
    ) -> None:
        (tmp_path / "empty").touch()
        given = ["verify", str(exported), "--policy", str(trusted), "--json", "--anchor"]
        assert main([*given, str(tmp_path / "empty")]) is ExitCode.INTEGRITY
        assert "E-ANCHOR-EMPTY" in capsys.readouterr().out
        for path in (tmp_path, tmp_path / "nowhere"):
            assert main([*given, str(path)]) is ExitCode.USAGE
            assert json.loads(capsys.readouterr().out)["code"] == "E-FILE-MISSING"


def packed_zip(folder: Path, goal: Path) -> None:
    with zipfile.ZipFile(goal, "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder))
        archive.writestr("../../escaped", b"out")


def packed_tar(folder: Path, goal: Path) -> None:
    with tarfile.open(goal, "w:gz") as archive:
        archive.add(folder, "export")


PACKED: dict[str, Callable[[Path, Path], object]] = {
    "export.zip": packed_zip,
    "export.tar.gz": packed_tar,
    "no archive": lambda _, goal: goal.write_bytes(b"some bytes"),
}


@pytest.mark.verifies("SRS-LOG-031", "SRS-CLI-004")
@pytest.mark.parametrize("name", PACKED)
def test_an_archive_is_not_opened(exported: Path, trusted: Path, tmp_path: Path, name: str, capsys: Capture) -> None:
    PACKED[name](exported, tmp_path / name)
    before = sorted(tmp_path.rglob("*"))
    assert main(["verify", str(tmp_path / name), "--policy", str(trusted)]) is ExitCode.USAGE
    said = capsys.readouterr().err
    assert "E-BUNDLE-PACKED" in said
    assert "unpack" in said
    assert sorted(tmp_path.rglob("*")) == before


INSTEAD: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to nothing": lambda path: path.symlink_to("nowhere"),
    "folder": Path.mkdir,
}


@pytest.mark.verifies("SRS-LOG-031", "SRS-LOG-009")
@pytest.mark.parametrize("kind", INSTEAD)
@pytest.mark.parametrize("name", ["manifest.json", "entries.jsonl", "checkpoints.jsonl", "checkpoint", "policy.json"])
def test_what_is_no_file_is_found_and_not_read(exported: Path, site: Site, name: str, kind: str) -> None:
    (exported / name).unlink()
    INSTEAD[kind](exported / name)
    found: list[set[str]] = []

    def verify() -> None:
        found.append({finding.code for finding in verify_bundle(exported, site.policy).findings})

    thread = threading.Thread(target=verify, daemon=True)  # a reader of a pipe or of /dev/zero would never end
    thread.start()
    thread.join(timeout=30)
    assert len(found) == 1
    assert found[0] & {"E-BUNDLE-MISSING-FILE", "E-BUNDLE-UNLISTED"}


@pytest.mark.verifies("SRS-LOG-031", "SRS-LOG-009")
@pytest.mark.parametrize(("name", "code"), [("checkpoint", "E-BUNDLE-LARGE"), ("entries.jsonl", "E-BUNDLE-LINE")])
def test_a_file_that_grew_beyond_all_bounds_is_not_taken_into_memory(
    exported: Path, site: Site, name: str, code: str
) -> None:
    with (exported / name).open("ab") as file:
        file.truncate(4 * bundle.LARGEST_FILE_IN_MEMORY)  # a hole: it costs no disk
    tracemalloc.start()
    report = verify_bundle(exported, site.policy)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert code in {finding.code for finding in report.findings}
    assert peak < 2.5 * bundle.LARGEST_FILE_IN_MEMORY


PATHS = [
    "../escaped", "/etc/passwd", "a/../../b", "a//b", "a/", "./a", ".hidden", "a/.git", "C:\\a", "C:a", "a\\b",
    "\\\\host\\a", "a\x00b", "a b", "a:stream", "ä", "~", "-rf", "", ".", "..", "manifest.json", "a\n",
]  # fmt: skip


def with_manifest(folder: Path, site: Site, change: Callable[[dict[str, Any]], object]) -> None:
    """Sign a changed manifest, as a dishonest exporter with the log key could."""
    document: Any = canonical.loads(dsse.parse_unverified((folder / "manifest.json").read_bytes()).payload)
    change(document)
    sealed = dsse.seal(canonical.dumps(document), bundle.MANIFEST_TYPE, site.log)
    (folder / "manifest.json").write_bytes(sealed)


@pytest.mark.verifies("SRS-LOG-031", "SRS-LOG-009")
@pytest.mark.parametrize("path", PATHS, ids=repr)
def test_a_manifest_names_no_place_outside_and_not_itself(exported: Path, site: Site, path: str) -> None:
    with_manifest(exported, site, lambda _: None)
    assert verify_bundle(exported, site.policy).ok
    listed = {"sha256": "0" * 64, "size": 0}
    with_manifest(exported, site, lambda document: document["files"].update({path: listed}))
    report = verify_bundle(exported, site.policy)
    assert {finding.code for finding in report.findings} == {"E-MANIFEST", "E-LOG-EMPTY"}


def repeated(text: bytes) -> bytes:
    """The first member of an object, once more."""
    first = text[1 : text.index(b",")]
    return b"{" + first + b"," + text[1:]


# What JSON readers accept and this format does not, put into an object that was right.
STRANGE: dict[str, Callable[[bytes], bytes]] = {
    "a repeated key": repeated,
    "NaN": lambda text: b'{"a":NaN,' + text[1:],
    "Infinity": lambda text: b'{"a":-Infinity,' + text[1:],
    "a lone surrogate": lambda text: b'{"a":"\\ud800",' + text[1:],
    "a lone surrogate as a key": lambda text: b'{"\\udfff":0,' + text[1:],
    "a lone surrogate in UTF-8": lambda text: b'{"a":"\xed\xa0\x80",' + text[1:],
    "bytes that are no UTF-8": lambda text: b'{"a":"\xff",' + text[1:],
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "UTF-16": lambda text: text.decode().encode("utf-16"),
    "a float": lambda text: b'{"a":1.0,' + text[1:],
    "a huge number": lambda text: b'{"a":' + b"9" * 5000 + b"," + text[1:],
    "deep nesting": lambda text: b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"," + text[1:],
    "a comment": lambda text: text + b"//",
    "two values": lambda text: text + text,
    "nothing": lambda _: b"",
    "another kind": lambda _: b"[]",
}


def swapped(folder: Path, name: str, line: int, change: Callable[[bytes], bytes]) -> None:
    lines = (folder / name).read_bytes().split(b"\n")
    lines[line] = change(lines[line])
    (folder / name).write_bytes(b"\n".join(lines))


@pytest.mark.verifies("SRS-LOG-031", "SRS-REC-006")
@pytest.mark.parametrize("kind", STRANGE)
def test_strange_json_is_refused_wherever_the_verifier_reads_json(exported: Path, site: Site, kind: str) -> None:
    """Manifest, its payload, an entry, a checkpoint's line, a line of the anchor, the policy; each alone."""
    strange = STRANGE[kind]
    places: list[Callable[[Path], object]] = [
        lambda folder: swapped(folder, "manifest.json", 0, strange),
        lambda folder: swapped(folder, "entries.jsonl", 3, strange),
        lambda folder: swapped(folder, "checkpoints.jsonl", 3, lambda _: strange(b'{"a":0,"b":1}')),
    ]
    for place in places:
        folder = exported.with_name("changed")
        shutil.copytree(exported, folder)
        place(folder)
        report = verify_bundle(folder, site.policy)
        assert not report.ok
        assert report.findings
        shutil.rmtree(folder)
    payload = dsse.parse_unverified((exported / "manifest.json").read_bytes()).payload
    line = site.anchor.read_bytes().split(b"\n")[0]
    for parse, text in (
        (bundle.parse_manifest, payload),
        (anchor.parse_line, line),
        (policies.parse, site.policy.to_json()),
    ):
        with pytest.raises(IntegrityError):
            parse(strange(text))  # type: ignore[operator]


@pytest.mark.verifies("SRS-LOG-031")
@pytest.mark.parametrize("where", ["origin", "vkey", "keyid", "ed25519", "from_size", "until_size", "format"])
@pytest.mark.parametrize("value", ['"\\ud800"', "NaN", "1e999", "-0.0", "true", '"\\u0000"', "[]"])
def test_a_policy_with_a_strange_value_is_refused(site: Site, where: str, value: str) -> None:
    text = site.policy.to_json().decode()
    head, found, rest = text.partition(f'"{where}": ')
    assert found
    old = rest.split("\n")[0].removesuffix(",")
    with pytest.raises(IntegrityError) as caught:
        policies.parse(f"{head}{found}{value}{rest.removeprefix(old)}".encode())
    assert caught.value.code in {"E-POLICY", "E-NOTE-VKEY"}


@pytest.mark.verifies("SRS-LOG-031")
@pytest.mark.parametrize("name", ["\ud800", "ä", "a b", "a\x00", ""])
def test_a_key_with_a_name_that_no_log_has_is_refused(site: Site, name: str) -> None:
    vkey = site.policy.log_keys[0][0].vkey()
    with pytest.raises(IntegrityError) as caught:
        NoteKey.from_vkey(f"{name}+{vkey.partition('+')[2]}")
    assert caught.value.code == "E-NOTE-NAME"


@pytest.mark.verifies("SRS-LOG-031", "SRS-LOG-005")
def test_a_policy_of_another_log_or_kind_is_never_ok(
    exported: Path, site: Site, tmp_path: Path, capsys: Capture
) -> None:
    for name, text in {
        "another origin": replace(site, origin="example.org/other").policy.to_json(),
        "another version": site.policy.to_json().replace(b"policy/1", b"policy/2"),
        "no keys": json.dumps({"format": policies.FORMAT, "origin": "o", "log_keys": [], "engine_keys": []}).encode(),
        "the export's manifest": (exported / "manifest.json").read_bytes(),
        "empty": b"",
    }.items():
        (tmp_path / "policy").write_bytes(text)
        assert main(["verify", str(exported), "--policy", str(tmp_path / "policy"), "--json"]) is ExitCode.INTEGRITY, (
            name
        )
        assert json.loads(capsys.readouterr().out)["ok"] is False


@pytest.mark.verifies("SRS-LOG-031", "SRS-LOG-005")
def test_an_export_of_no_records_is_not_verified(tmp_path: Path, site: Site) -> None:
    """Made by hand and signed: the log key alone cannot make "nothing" look like "all is well"."""
    folder = tmp_path / "nothing"
    folder.mkdir()
    for name in ("entries.jsonl", "checkpoints.jsonl"):
        (folder / name).write_bytes(b"")
    empty = bundle.Listed("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 0)
    files = {"entries.jsonl": empty, "checkpoints.jsonl": empty}
    root = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for size in (0, 1):
        manifest = bundle.Manifest(site.origin, size, root, "2026-01-01T00:00:00.000000Z", files)
        (folder / "manifest.json").write_bytes(dsse.seal(manifest.payload(), bundle.MANIFEST_TYPE, site.log))
        report = verify_bundle(folder, site.policy)
        assert not report.ok
        assert "E-LOG-EMPTY" in {finding.code for finding in report.findings}


@pytest.mark.verifies("SRS-LOG-031", "SRS-LOG-009")
def test_every_beginning_of_an_export_that_was_being_copied_is_found(tmp_path: Path, site: Site) -> None:
    with site.open() as ledger:
        export.write(ledger, tmp_path / "whole", site.policy)
    names = sorted(path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file())
    for count in range(len(names)):
        part = tmp_path / f"part-{count}"
        part.mkdir()
        for name in names[: count + 1]:
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(tmp_path / "whole" / name, part / name)
        whole = count + 1 == len(names)
        assert verify_bundle(part, site.policy).ok is whole
        data = (part / names[count]).read_bytes()
        (part / names[count]).write_bytes(data[: len(data) // 2])
        assert not verify_bundle(part, site.policy).ok
