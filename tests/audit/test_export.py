# SPDX-License-Identifier: Apache-2.0
"""An export proves the log to somebody who has nothing else, and a changed byte in it is found."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from radiomicnet_md_audit import bundle, dsse, export, sign
from radiomicnet_md_audit.__main__ import main
from radiomicnet_md_audit.bundle import Manifest, verify_bundle
from radiomicnet_md_audit.clock import Instant
from radiomicnet_md_audit.errors import ConfigurationError, ExitCode, IntegrityError
from radiomicnet_md_audit.ledger import Ledger
from tests.audit import flips
from tests.audit.sites import MASK_DIGEST, Site


def codes(folder: Path, site: Site, anchor: bytes | None = None) -> set[str]:
    report = verify_bundle(folder, site.policy, anchor)
    assert report.ok is not bool(report.findings)
    return {finding.code for finding in report.findings}


@pytest.mark.verifies("SRS-LOG-009", "SRS-LOG-005")
def test_an_export_holds_what_verification_needs(exported: Path, site: Site) -> None:
    report = verify_bundle(exported, site.policy, site.anchor.read_bytes())
    assert report.ok
    assert [claim.ok for claim in report.claims] == [True, True, True, True, None, None]
    assert report.size == 7
    files = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
    assert {"manifest.json", "policy.json", "VERIFY.md", "entries.jsonl", "checkpoints.jsonl", "checkpoint"} <= files
    assert "tile/0/000.p/7" in files
    assert f"artefacts/{MASK_DIGEST[:2]}/{MASK_DIGEST}" in files
    assert f"keys/{site.engine.public.keyid}.pem" in files


@pytest.mark.verifies("SRS-LOG-009")
def test_exported_entries_are_the_stored_bytes(exported: Path, site: Site) -> None:
    with site.read() as ledger:
        stored = b"".join(entry.envelope + b"\n" for entry in ledger.entries())
    assert (exported / "entries.jsonl").read_bytes() == stored


@pytest.mark.verifies("SRS-LOG-004")
def test_a_changed_byte_anywhere_in_the_export_gives_exit_code_4(exported: Path, capsys: object) -> None:
    """With the policy taken from the export itself, as a hurried reader does."""
    command = ["verify", str(exported), "--policy", str(exported / "policy.json"), "--json"]
    assert main(command) is ExitCode.OK
    for path in sorted(exported.rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        step = max(97, len(data) // 12) if path.name != "policy.json" else 31
        for place in range(0, len(data), step):
            changed = bytearray(data)
            changed[place] ^= 1 << place % 7
            path.write_bytes(bytes(changed))
            assert main(command) is ExitCode.INTEGRITY, (path.name, place)
        path.write_bytes(data)
    assert main(command) is ExitCode.OK


@pytest.mark.verifies("SRS-LOG-004")
def test_every_byte_of_every_file_of_a_small_export_counts(tmp_path: Path) -> None:
    made = flips.Exported(tmp_path, records=1)
    assert made.unnoticed(made.every_byte()) == []


@pytest.mark.verifies("SRS-LOG-004")
def test_bytes_all_over_an_export_of_200_records_count(tmp_path: Path) -> None:
    made = flips.Exported(tmp_path, records=200)
    places = made.scattered(180)
    assert {path for path, _ in places} >= set(made.files)
    assert made.unnoticed(places) == []


ADDITIONS: dict[str, Callable[[Path], object]] = {
    "more": lambda path: path.write_bytes(b""),
    ".hidden": lambda path: path.write_bytes(b""),
    "tile/.git": Path.mkdir,
    "empty": Path.mkdir,
    "link": lambda path: path.symlink_to("checkpoint"),
    "Checkpoint": lambda path: path.write_bytes(path.with_name("checkpoint").read_bytes()),
    "pipe": os.mkfifo,
}


@pytest.mark.verifies("SRS-LOG-009")
@pytest.mark.parametrize("name", ADDITIONS)
def test_nothing_unlisted_may_be_in_it(exported: Path, site: Site, name: str) -> None:
    ADDITIONS[name](exported / name)
    assert codes(exported, site) == {"E-BUNDLE-UNLISTED"}


@pytest.mark.verifies("SRS-LOG-009")
def test_a_file_replaced_by_a_link_to_its_twin_is_found(exported: Path, site: Site, tmp_path: Path) -> None:
    shutil.move(exported / "checkpoint", tmp_path / "elsewhere")
    (exported / "checkpoint").symlink_to(tmp_path / "elsewhere")
    assert "E-BUNDLE-UNLISTED" in codes(exported, site)


@pytest.mark.verifies("SRS-LOG-009")
@pytest.mark.parametrize(
    "missing",
    ["manifest.json", "entries.jsonl", "checkpoints.jsonl", "checkpoint", "policy.json", "VERIFY.md", "tile", "keys"],
)
def test_a_missing_file_is_found(exported: Path, site: Site, missing: str) -> None:
    path = exported / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert "E-BUNDLE-MISSING-FILE" in codes(exported, site)


@pytest.mark.verifies("SRS-LOG-009")
def test_an_empty_folder_proves_nothing(tmp_path: Path, site: Site) -> None:
    (tmp_path / "nothing").mkdir()
    assert {"E-BUNDLE-MISSING-FILE", "E-LOG-EMPTY"} == codes(tmp_path / "nothing", site)


def reseal(folder: Path, key: sign.SigningKey, **changes: object) -> None:
    """Sign a manifest of what is in the folder now, as a dishonest exporter with the log key could."""
    old = bundle.parse_manifest(dsse.parse_unverified((folder / "manifest.json").read_bytes()).payload)
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "manifest.json":
            data = path.read_bytes()
            files[path.relative_to(folder).as_posix()] = bundle.Listed(hashlib.sha256(data).hexdigest(), len(data))
    values = {"origin": old.origin, "size": old.size, "root": old.root, "created": old.created, "files": files}
    manifest = Manifest(**{**values, **changes})  # type: ignore[arg-type]
    (folder / "manifest.json").write_bytes(dsse.seal(manifest.payload(), bundle.MANIFEST_TYPE, key))


@pytest.mark.verifies("SRS-LOG-009")
def test_a_manifest_by_another_key_is_refused(exported: Path, site: Site) -> None:
    for key in (sign.generate(), site.engine):
        reseal(exported, key)
        assert "E-KEY-UNKNOWN" in codes(exported, site)


@pytest.mark.verifies("SRS-LOG-009")
def test_a_signed_lie_is_still_a_lie(exported: Path, site: Site, tmp_path: Path) -> None:
    """Whoever holds the log key and changes a file and the manifest is held to what the files mean."""
    artefact = f"artefacts/{MASK_DIGEST[:2]}/{MASK_DIGEST}"
    cases: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
        artefact: ("E-BUNDLE-ARTEFACT", lambda _: b"another"),
        "checkpoint": ("E-BUNDLE-CHECKPOINT", lambda data: data.replace(b"\n7\n", b"\n8\n")),
        "tile/0/000.p/7": ("E-BUNDLE-TILE", lambda data: data[:64] + data[96:128] + data[64:96] + data[128:]),
        f"keys/{site.engine.public.keyid}.pem": ("E-BUNDLE-KEY", lambda _: sign.generate().public.to_pem()),
        "entries.jsonl": ("E-BUNDLE-SIZE", lambda data: b"".join(data.splitlines(keepends=True)[:-1])),
        "checkpoints.jsonl": ("E-CHECKPOINT-FORM", lambda data: data.replace(b'"example', b'"\\nexample', 1)),
    }
    for path, (code, change) in cases.items():
        folder = tmp_path / "copy"
        shutil.copytree(exported, folder)
        (folder / path).write_bytes(change((folder / path).read_bytes()))
        reseal(folder, site.log)
        assert code in codes(folder, site), path
        shutil.rmtree(folder)
    reseal(exported, site.log, root="0" * 64)
    assert codes(exported, site) == {"E-BUNDLE-ROOT"}
    root = verify_bundle(exported, site.policy).root
    reseal(exported, site.log, root=root, origin="example.org/other")
    assert codes(exported, site) == {"E-ORIGIN"}


@pytest.mark.verifies("SRS-LOG-009")
@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a//b", ".x", "a/./b", "a\\b", "ä"])
def test_a_manifest_names_no_place_outside(exported: Path, site: Site, path: str) -> None:
    reseal(exported, site.log, files={path: bundle.Listed("0" * 64, 0)})
    assert "E-MANIFEST" in codes(exported, site)


@pytest.mark.verifies("SRS-LOG-006")
def test_an_anchor_tells_a_log_that_was_set_back_before_the_export(site: Site, tmp_path: Path) -> None:
    backup = site.database.read_bytes()
    with site.open() as ledger:
        site.append(ledger)
    anchor = site.anchor.read_bytes()
    site.database.write_bytes(backup)
    site.anchor.unlink()
    site.anchor.write_bytes(b"".join(anchor.splitlines(keepends=True)[:6]))
    with site.open() as ledger:
        export.write(ledger, tmp_path / "export", site.policy)
    assert codes(tmp_path / "export", site, None) == set()
    assert codes(tmp_path / "export", site, anchor) == {"E-ANCHOR-LEADS"}


@pytest.mark.verifies("SRS-LOG-006")
def test_an_anchor_that_went_on_after_the_export_is_fine(exported: Path, site: Site) -> None:
    with site.open() as ledger:
        site.append(ledger, 2)
    assert codes(exported, site, site.anchor.read_bytes()) == set()


@pytest.mark.verifies("SRS-LOG-018")
def test_a_record_that_comes_while_an_export_is_written_is_no_alarm(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = export._Export._guide

    def later(self: export._Export, size: int) -> bytes:
        with site.open() as other:
            site.append(other)
        return guide(self, size)

    monkeypatch.setattr(export._Export, "_guide", later)
    with site.open() as ledger:
        assert export.write(ledger, tmp_path / "export", site.policy).size == 6
    assert codes(tmp_path / "export", site, site.anchor.read_bytes()) == set()


@pytest.mark.verifies("SRS-LOG-018")
def test_a_clock_that_was_set_back_after_an_export_is_no_alarm(site: Site, tmp_path: Path) -> None:
    with site.open() as ledger:
        export.write(ledger, tmp_path / "export", site.policy)
    then = Instant(datetime(2016, 1, 1, tzinfo=UTC), 1)
    with Ledger.open(site.url, site.engine, site.log, site.anchor, clock=lambda: then) as ledger:
        site.append(ledger, 2)
    assert codes(tmp_path / "export", site, site.anchor.read_bytes()) == set()


@pytest.mark.verifies("SRS-LOG-006")
def test_a_reader_trusts_their_own_policy(exported: Path, site: Site) -> None:
    stranger = Site(site.folder, engine=sign.generate(), log=sign.generate())
    report = verify_bundle(exported, stranger.policy)
    assert not report.ok
    assert "E-KEY-UNKNOWN" in {finding.code for finding in report.findings}


@pytest.mark.verifies("SRS-LOG-009")
def test_an_export_is_written_whole_or_not_at_all(site: Site, artefacts: Path, tmp_path: Path) -> None:
    with site.open() as ledger:
        ledger.append(site.draft(outputs={"mask_sha256": MASK_DIGEST}))
        (artefacts / MASK_DIGEST[:2] / MASK_DIGEST).write_bytes(b"changed")
        with pytest.raises(IntegrityError) as caught:
            export.write(ledger, tmp_path / "export", site.policy, artefacts)
        assert caught.value.code == "E-ARTEFACT"
        (tmp_path / "there").mkdir()
        with pytest.raises(ConfigurationError) as taken:
            export.write(ledger, tmp_path / "there")
        assert taken.value.code == "E-EXPORT-EXISTS"
    assert not [path for path in tmp_path.iterdir() if "export" in path.name]
    with site.read() as reader, pytest.raises(ConfigurationError) as unsigned:
        export.write(reader, tmp_path / "export")
    assert unsigned.value.code == "E-LEDGER-READING"


OFFLINE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "numpy", "sqlalchemy", "sqlite3", "socket", "radiomicnet_md"}:
            raise ImportError(f"the offline verifier imported {name}")

sys.meta_path.insert(0, Refuse())
import runpy
sys.argv[0] = "radiomicnet_md_audit"
runpy.run_module("radiomicnet_md_audit", run_name="__main__")
"""


@pytest.mark.verifies("SRS-LOG-005")
def test_the_offline_verifier_needs_no_torch_database_or_network(exported: Path, trusted: Path) -> None:
    command = [sys.executable, "-c", OFFLINE, "verify", str(exported), "--policy", str(trusted)]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert list(report) == ["ok", "size", "root", "claims", "findings"]
    assert report["ok"] is True
    spoken = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "signed by trusted keys" in spoken.stdout


@pytest.mark.verifies("SRS-LOG-005")
def test_exit_codes_of_the_offline_verifier(
    exported: Path, trusted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(exported), "--policy", str(trusted)]) is ExitCode.OK
    assert "came with the export" not in capsys.readouterr().out
    assert main(["verify", str(exported), "--policy", str(exported / "policy.json")]) is ExitCode.OK
    assert "came with the export" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "none"), "--policy", str(trusted)]) is ExitCode.USAGE
    assert main(["verify", str(exported), "--policy", str(tmp_path / "none")]) is ExitCode.USAGE
    assert "remedy" not in capsys.readouterr().err
    trusted.write_text("{}")
    assert main(["verify", str(exported), "--policy", str(trusted), "--json"]) is ExitCode.INTEGRITY
    assert json.loads(capsys.readouterr().out)["code"] == "E-POLICY"
    (exported / "checkpoint").write_bytes(b"")
    assert main(["verify", str(exported), "--policy", str(exported / "policy.json")]) is ExitCode.INTEGRITY
    assert "finding" in capsys.readouterr().out
    with pytest.raises(SystemExit) as usage:
        main(["verify", str(exported)])
    assert usage.value.code == ExitCode.USAGE
