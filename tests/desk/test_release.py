# SPDX-License-Identifier: Apache-2.0
"""A release is opened whole and as signed, or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiomicnet_md.engine import release as releases
from radiomicnet_md.errors import ConfigurationError, ExitCode, IntegrityError
from radiomicnet_md_audit import dsse, sign

KEY = sign.from_seed(b"release key of the tests, public")
KEYS = {KEY.public.keyid: KEY.public}
HEADER = {"id": "fake", "version": "1.2.3", "created": "2026-01-01", "arithmetic": "none"}
FILES = {
    "weights.safetensors": b"\x00" * 300,
    "tables.json": b"{}\n",
    "golden/one.json": b'{"z":1}',
    "golden/empty": b"",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    releases.write(tmp_path / "1.2.3", FILES, HEADER, KEY)
    return tmp_path / "1.2.3"


def refused(folder: Path, code: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        releases.open_release(folder, keys=KEYS)
    assert (caught.value.code, caught.value.exit_code) == (code, ExitCode.INTEGRITY)
    assert caught.value.remedy


@pytest.mark.verifies("SRS-REL-001", "SRS-REL-002")
def test_what_is_written_is_read_back(folder: Path) -> None:
    release = releases.open_release(folder, keys=KEYS)
    assert dict(release.files) == FILES
    assert (release.id, release.version, release.keyid) == ("fake", "1.2.3", KEY.public.keyid)


@pytest.mark.verifies("SRS-REL-002")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.verifies("SRS-REL-002", rc=("RC-006",))
def test_any_changed_byte_of_any_file_is_refused(folder: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([releases.MANIFEST, *(name for name, held in FILES.items() if held)]))
    path = folder / name
    was = path.read_bytes()
    at = data.draw(st.integers(0, len(was) - 1))
    changed = bytearray(was)
    changed[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    try:
        with pytest.raises(IntegrityError) as caught:
            releases.open_release(folder, keys=KEYS)
        assert name in str(caught.value) or name == releases.MANIFEST
    finally:
        path.write_bytes(was)


@pytest.mark.verifies("SRS-REL-002")
@pytest.mark.parametrize("length", [-1, 1])
@pytest.mark.verifies("SRS-REL-002", rc=("RC-006",))
def test_a_file_that_is_shorter_or_longer_is_refused(folder: Path, length: int) -> None:
    held = (folder / "tables.json").read_bytes()
    (folder / "tables.json").write_bytes(held[:length] if length < 0 else held + b" ")
    refused(folder, "E-RELEASE-CHANGED")


@pytest.mark.verifies("SRS-REL-002")
@pytest.mark.parametrize("name", ["more.json", ".hidden", "golden/two.json", "golden/.hidden", "manifest.json.bak"])
@pytest.mark.verifies("SRS-REL-002", rc=("RC-006",))
def test_an_unlisted_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"")
    refused(folder, "E-RELEASE-UNLISTED")


@pytest.mark.verifies("SRS-REL-002")
def test_an_unlisted_folder_pipe_or_link_is_refused(folder: Path) -> None:
    for make in (Path.mkdir, os.mkfifo, lambda path: path.symlink_to("tables.json"), lambda path: path.symlink_to("/")):
        make(folder / "more")
        refused(folder, "E-RELEASE-UNLISTED")
        (folder / "more").rmdir() if (folder / "more").is_dir() and not (folder / "more").is_symlink() else (
            folder / "more"
        ).unlink()


@pytest.mark.verifies("SRS-REL-002")
def test_a_listed_file_that_is_a_link_or_has_a_second_name_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder / "tables.json", tmp_path / "tables.json")
    (folder / "tables.json").symlink_to(tmp_path / "tables.json")
    refused(folder, "E-RELEASE-LINK")
    (folder / "tables.json").unlink()
    (folder / "tables.json").hardlink_to(tmp_path / "tables.json")
    refused(folder, "E-RELEASE-LINK")


@pytest.mark.verifies("SRS-REL-002")
def test_a_folder_of_the_release_that_is_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder / "golden", tmp_path / "golden")
    (folder / "golden").symlink_to(tmp_path / "golden")
    refused(folder, "E-RELEASE-UNLISTED")


@pytest.mark.verifies("SRS-REL-002")
def test_a_pipe_in_the_place_of_a_file_does_not_block(folder: Path) -> None:
    (folder / "tables.json").unlink()
    os.mkfifo(folder / "tables.json")
    refused(folder, "E-RELEASE-LINK")


@pytest.mark.verifies("SRS-REL-002")
@pytest.mark.parametrize("name", [releases.MANIFEST, *FILES])
def test_a_missing_file_is_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(IntegrityError, match=name):
        releases.open_release(folder, keys=KEYS)


@pytest.mark.verifies("SRS-REL-002")
@pytest.mark.verifies("SRS-REL-002", rc=("RC-006",))
def test_names_that_differ_in_case_alone_are_refused(folder: Path) -> None:
    (folder / "Tables.json").write_bytes(FILES["tables.json"])
    refused(folder, "E-RELEASE-CASE")


@pytest.mark.verifies("SRS-REL-001")
@pytest.mark.verifies("SRS-REL-001", rc=("RC-006",))
def test_another_key_is_refused_before_any_other_file_is_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    really = os.open

    def watched(path: str | Path, *arguments: int, **options: int) -> int:
        opened.append(str(path))
        return really(path, *arguments, **options)

    other = sign.from_seed(b"another key, which is not pinned")
    payload = dsse.parse_unverified((folder / releases.MANIFEST).read_bytes()).payload
    (folder / releases.MANIFEST).write_bytes(dsse.seal(payload, releases.PAYLOAD_TYPE, other))
    monkeypatch.setattr(os, "open", watched)
    refused(folder, "E-KEY-UNKNOWN")
    assert opened == [str(folder), releases.MANIFEST]


@pytest.mark.verifies("SRS-REL-001")
def test_a_signature_over_another_type_of_payload_is_refused(folder: Path) -> None:
    payload = dsse.parse_unverified((folder / releases.MANIFEST).read_bytes()).payload
    (folder / releases.MANIFEST).write_bytes(dsse.seal(payload, dsse.STATEMENT_TYPE, KEY))
    refused(folder, "E-ENVELOPE-TYPE")


@pytest.mark.verifies("SRS-REL-003")
@pytest.mark.verifies("SRS-REL-003", rc=("RC-007",))
def test_an_older_version_is_refused_and_numbers_are_compared_as_numbers(folder: Path) -> None:
    assert releases.open_release(folder, "1.2.3", KEYS).version == "1.2.3"
    with pytest.raises(IntegrityError) as caught:
        releases.open_release(folder, "1.10.0", KEYS)
    assert caught.value.code == "E-RELEASE-OLDER"


@pytest.mark.verifies("SRS-REL-001")
@pytest.mark.parametrize(
    "name", ["../out", "/etc/passwd", ".hidden", "a//b", "golden/../x", "manifest.json", "a\\b", ""]
)
def test_a_manifest_cannot_name_a_place_outside_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        releases.write(tmp_path / "bad", {name: b""}, HEADER, KEY)
    assert caught.value.code == "E-RELEASE-NAME"
    assert not (tmp_path / "bad").exists()


@pytest.mark.verifies("SRS-REL-001")
def test_a_missing_folder_is_a_matter_of_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        releases.open_release(tmp_path / "nowhere", keys=KEYS)
    assert caught.value.exit_code == ExitCode.CONFIGURATION
