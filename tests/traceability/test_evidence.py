# SPDX-License-Identifier: Apache-2.0
"""A bundle verifies, and each way of changing it is refused with a code of its own."""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from radiomicnet_md_audit import sign
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError
from radiomicnet_md_traceability import bundling, evidence, graph, verify

if TYPE_CHECKING:
    from tests.traceability.conftest import Tree

pytestmark = pytest.mark.verifies("SRS-TRC-009")

KEY, OTHER = sign.from_seed(bytes(32)), sign.from_seed(bytes(31) + b"1")
PEM = KEY.public.to_pem()
RESULTS, MATRIX, GATE = "07_vv/results.jsonl", "08_trace/matrix.json", "08_trace/gate_report.json"
Files = dict[str, bytes]


@pytest.fixture
def bundle(tree: Tree) -> bytes:
    actual = [{"name": "error", "value": 1, "unit": "px", "criterion": "<= 1"}]
    tree.results([tree.line(actual=actual), tree.line("tests/test_attack.py::test_breaks")])
    return evidence.build(graph.build(tree.root), KEY)


def contents(bundle: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: list[tuple[str, bytes]], **of_info: Any) -> bytes:  # noqa: ANN401 - fields of a ZIP entry
    """An archive in another form than the accepted one."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name, of_info.get("date", (1980, 1, 1, 0, 0, 0)))
            info.create_system, info.external_attr = 3, of_info.get("rights", 0o100644 << 16)
            info.extra, info.compress_type = of_info.get("extra", b""), of_info.get("how", zipfile.ZIP_STORED)
            archive.writestr(info, content)
        archive.comment = of_info.get("comment", b"")
    return out.getvalue()


def in_form(**of_info: Any) -> Callable[[bytes], bytes]:  # noqa: ANN401 - as above
    return lambda bundle: zipped(sorted(contents(bundle).items()), **of_info)


def stranger(change: Callable[[Files], object]) -> Callable[[bytes], bytes]:
    """Somebody without the key changes files."""

    def attack(bundle: bytes) -> bytes:
        files = contents(bundle)
        change(files)
        return verify.pack(files)

    return attack


def enveloped(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def attack(files: Files) -> None:
        envelope = json.loads(files[verify.ENVELOPE])
        change(envelope)
        files[verify.ENVELOPE] = verify.canonical(envelope)

    return stranger(attack)


def liar(change: Callable[[Files, dict[str, Any]], object], *, relist: bool = True) -> Callable[[bytes], bytes]:
    """The builder lies: contents are changed, listed again and signed with the right key."""

    def attack(bundle: bytes) -> bytes:
        files = contents(bundle)
        manifest = json.loads(files.pop(verify.MANIFEST))
        files.pop(verify.ENVELOPE)
        change(files, manifest)
        if relist:
            manifest["files"] = [
                {"path": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                for name, content in sorted(files.items())
            ]
        return evidence.seal(files, manifest, KEY)

    return attack


def lines(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[bytes], bytes]:
    def attack(files: Files, _: dict[str, Any]) -> None:
        rows = [json.loads(line) for line in files[RESULTS].splitlines()]
        change(rows)
        files[RESULTS] = "".join(json.dumps(row) + "\n" for row in rows).encode()

    return liar(attack)


def rewritten(name: str, change: Callable[[Any], object]) -> Callable[[bytes], bytes]:
    def attack(files: Files, _: dict[str, Any]) -> None:
        value = json.loads(files[name])
        change(value)
        files[name] = json.dumps(value).encode()

    return liar(attack)


def swap(files: Files) -> None:
    one, two = "10_soup/SOUP.md", "05_sds/design.md"
    files[one], files[two] = files[two], files[one]


def _last_byte(files: Files) -> None:
    files["05_sds/design.md"] = files["05_sds/design.md"][:-1] + b" "


def _folder_gone(files: Files, _: dict[str, Any]) -> None:
    for name in [name for name in files if name.startswith("17_checklists/")]:
        del files[name]


def _new_signature(envelope: dict[str, Any]) -> None:
    payload = base64.b64decode(envelope["payload"])
    head = f"DSSEv1 {len(verify.PAYLOAD_TYPE)} {verify.PAYLOAD_TYPE} {len(payload)} ".encode()
    signature = base64.b64encode(OTHER.sign(head + payload)).decode()
    envelope["signatures"] = [{"keyid": OTHER.public.keyid, "sig": signature}]


def _flip(envelope: dict[str, Any]) -> None:
    raw = bytearray(base64.b64decode(envelope["signatures"][0]["sig"]))
    raw[3] ^= 1
    envelope["signatures"][0]["sig"] = base64.b64encode(raw).decode()


ATTACKS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "cut in half": ("V01", lambda bundle: bundle[: len(bundle) // 2]),
    "a name twice": ("V02", lambda bundle: zipped([*sorted(contents(bundle).items()), ("00_index/GAPS.md", b"")])),
    "a name that leaves the folder": ("V03", lambda bundle: zipped([("../x", b""), *sorted(contents(bundle).items())])),
    "compressed": ("V04", in_form(how=zipfile.ZIP_DEFLATED)),
    "another order": ("V05", lambda bundle: zipped(sorted(contents(bundle).items(), reverse=True))),
    "a comment": ("V06", in_form(comment=b"hello")),
    "a date": ("V07", in_form(date=(2026, 1, 1, 0, 0, 0))),
    "other rights": ("V08", in_form(rights=0o100755 << 16)),
    "extra bytes of a file": ("V09", in_form(extra=b"\x99\x99\x00\x00")),
    "a content that is not its checksum's": ("V10", lambda bundle: bundle.replace(b"# Gaps\n", b"# Caps\n")),
    "bytes before the archive": ("V11", lambda bundle: b"x" + bundle),
    "no envelope": ("V20", stranger(lambda files: files.pop(verify.ENVELOPE))),
    "an envelope in another form": (
        "V21",
        stranger(lambda files: files.update({verify.ENVELOPE: files[verify.ENVELOPE] + b"\n"})),
    ),
    "an envelope with one more field": ("V22", enveloped(lambda envelope: envelope.update(more=1))),
    "two signatures": ("V23", enveloped(lambda envelope: envelope.update(signatures=envelope["signatures"] * 2))),
    "another type": ("V24", enveloped(lambda envelope: envelope.update(payloadType="text/plain"))),
    "no list": ("V25", stranger(lambda files: files.pop(verify.MANIFEST))),
    "a list in another form": (
        "V26",
        stranger(lambda files: files.update({verify.MANIFEST: files[verify.MANIFEST] + b" "})),
    ),
    "another list than the signed one": (
        "V27",
        stranger(lambda files: files.update({verify.MANIFEST: files[verify.MANIFEST].replace(b'"gaps":', b'"maps":')})),
    ),
    "signed by somebody else": ("V28", enveloped(_new_signature)),
    "a changed signature": ("V29", enveloped(_flip)),
    "another format": ("V30", liar(lambda _, manifest: manifest.update(format="other/1"))),
    "a list of another form": ("V31", liar(lambda _, manifest: manifest["files"][0].update(more=1), relist=False)),
    "a list that is not sorted": ("V32", liar(lambda _, manifest: manifest["files"].reverse(), relist=False)),
    "a list that names itself": (
        "V33",
        liar(
            lambda _, manifest: (
                manifest["files"].insert(1, {"path": verify.MANIFEST, "bytes": 0, "sha256": "0" * 64})
                or manifest["files"].sort(key=lambda row: row["path"])
            ),
            relist=False,
        ),
    ),
    "a file removed": ("V34", stranger(lambda files: files.pop("16_labelling/ifu.md"))),
    "a file added": ("V35", stranger(lambda files: files.update({"16_labelling/more.md": b"more"}))),
    "a longer file": ("V36", stranger(lambda files: files.update({"05_sds/design.md": b"longer" * 9999}))),
    "one byte of a file": ("V37", stranger(_last_byte)),
    "a folder left out": ("V40", liar(_folder_gone)),
    "no stamp": ("V41", liar(lambda files, _: files.update({"00_index/INDEX.html": b"<h1>Cleared</h1>"}))),
    "a gate's report that is no JSON": ("V42", liar(lambda files, _: files.update({GATE: b"all is well"}))),
    "results that are no JSON": ("V43", liar(lambda files, _: files.update({RESULTS: b"passed\n"}))),
    "results without a tester": ("V44", lines(lambda rows: rows[0].update(tester=""))),
    "results of an older run": ("V45", lines(lambda rows: rows[0].update(run="2025-01-01T00:00:00Z"))),
    "results of another commit": ("V46", lines(lambda rows: rows[0].update(commit="1" * 40))),
    "a failing record dropped": ("V47", lines(lambda rows: rows.pop())),
    "records in another order": ("V48", lines(lambda rows: rows.append(rows.pop(1)))),
    "a measured value changed": ("V49", lines(lambda rows: rows[2]["actual"][0].update(value=9))),
    "no expectation": ("V50", lines(lambda rows: rows[1].update(expected=""))),
    "a status turned to PASS": ("V52", rewritten(MATRIX, lambda rows: rows[0].update(outcome="FAIL"))),
    "a failed test called passed": ("V53", lines(lambda rows: rows[1].update(outcome="failed"))),
    "a finding hidden behind ok": ("V54", rewritten(GATE, lambda gate: gate.update(ok=not gate["ok"]))),
    "a gap taken out": (
        "V55",
        liar(
            lambda files, _: files.update({"00_index/GAPS.md": files["00_index/GAPS.md"].rsplit(b"\n", 2)[0] + b"\n"})
        ),
    ),
    "called a release": ("V56", liar(lambda _, manifest: manifest.update(release=True))),
}


def test_a_bundle_verifies_and_two_builds_are_equal(tree: Tree, bundle: bytes) -> None:
    said = verify.verify(bundle, PEM)
    assert (said["tests"], said["requirements"], said["findings"], said["release"]) == (2, {"PASS": 1}, 0, False)
    assert evidence.build(graph.build(tree.root), KEY) == bundle


@pytest.mark.parametrize("attack", ATTACKS)
def test_each_way_of_tampering_is_refused_with_its_code(bundle: bytes, attack: str) -> None:
    code, change = ATTACKS[attack]
    changed = change(bundle)
    assert changed != bundle
    with pytest.raises(verify.Refused) as caught:
        verify.verify(changed, PEM)
    assert caught.value.code == code


def test_each_attack_has_a_code_of_its_own() -> None:
    codes = [code for code, _ in ATTACKS.values()]
    assert len(codes) == len(set(codes)) >= 30


def test_two_files_that_change_places_are_refused(bundle: bytes) -> None:
    with pytest.raises(verify.Refused) as caught:
        verify.verify(stranger(swap)(bundle), PEM)
    assert caught.value.code in {"V36", "V37"}


def test_a_key_of_another_kind_is_refused(bundle: bytes) -> None:
    with pytest.raises(verify.Refused) as caught:
        verify.verify(bundle, b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    assert caught.value.code == "V12"


def test_the_verifier_runs_alone_and_says_what_it_found(bundle: bytes, tmp_path: Path) -> None:
    program = tmp_path / "verify.py"
    program.write_bytes(contents(bundle)["00_index/verify.py"])
    (tmp_path / "b.zip").write_bytes(bundle)
    (tmp_path / "k.pem").write_bytes(PEM)
    words = [sys.executable, "-I", "-S", str(program), "b.zip", "k.pem"]
    good = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (good.returncode, json.loads(good.stdout)["tests"]) == (0, 2)
    (tmp_path / "b.zip").write_bytes(b"x" + bundle)
    bad = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stderr[:11]) == (4, "REFUSED V11")


def test_openssl_accepts_the_signature_and_refuses_a_changed_byte(
    bundle: bytes, require: Callable[[str], Path], tmp_path: Path
) -> None:
    envelope = json.loads(contents(bundle)[verify.ENVELOPE])
    payload = base64.b64decode(envelope["payload"])
    pae = f"DSSEv1 {len(verify.PAYLOAD_TYPE)} {verify.PAYLOAD_TYPE} {len(payload)} ".encode() + payload
    (tmp_path / "sig.bin").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    (tmp_path / "k.pem").write_bytes(PEM)
    words = ["pkeyutl", "-verify", "-pubin", "-inkey", "k.pem", "-rawin", "-in", "pae.bin", "-sigfile", "sig.bin"]
    for content, code in ((pae, 0), (pae + b" ", 1)):
        (tmp_path / "pae.bin").write_bytes(content)
        run = subprocess.run([require("openssl"), *words], cwd=tmp_path, capture_output=True, check=False)
        assert run.returncode == code


@pytest.mark.parametrize("length", [0, 1, 33, 300])
def test_the_small_signature_check_agrees_with_the_library(length: int) -> None:
    message = bytes(range(256)) * 2
    message = message[:length]
    good = OTHER.sign(message)
    assert verify.ed25519(OTHER.public.raw, message, good)
    assert not verify.ed25519(OTHER.public.raw, message + b"x", good)
    assert not verify.ed25519(KEY.public.raw, message, good)
    assert not verify.ed25519(OTHER.public.raw, message, good[:32] + (2**255 - 1).to_bytes(32, "little"))
    assert not verify.ed25519((1).to_bytes(32, "little"), message, (1).to_bytes(32, "little") + bytes(32))


def arguments(tree: Tree, tmp_path: Path, *more: str) -> list[str]:
    (tmp_path / "phrase").write_text("a long passphrase\n", encoding="utf-8")
    return ["build", "--out", str(tmp_path / "e.zip"), "--key", str(tmp_path / "e.key"),
            "--passphrase-file", str(tmp_path / "phrase"), *more]  # fmt: skip


@pytest.mark.verifies("SRS-TRC-010")
def test_a_release_with_gaps_is_not_built(tree: Tree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tree.root)
    with pytest.raises(evidence.GapsError) as caught:
        bundling.run(parse(*arguments(tree, tmp_path, "--release")))
    assert (caught.value.code, caught.value.exit_code) == ("E-EVIDENCE-GAPS", 6)
    assert not (tmp_path / "e.zip").exists()


def test_build_and_verify_from_the_command_line(tree: Tree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tree.root)
    assert bundling.run(parse(*arguments(tree, tmp_path))) == 0
    words = ["verify", str(tmp_path / "e.zip"), "--key", str(tmp_path / "e.pem")]
    assert bundling.run(parse(*words)) == 0
    (tmp_path / "e.zip").write_bytes((tmp_path / "e.zip").read_bytes() + b"x")
    with pytest.raises(IntegrityError, match="V11"):
        bundling.run(parse(*words))


def test_without_results_there_is_nothing_to_bundle(tree: Tree) -> None:
    (tree.root / ".results" / "latest.jsonl").unlink()
    with pytest.raises(ConfigurationError) as caught:
        evidence.build(graph.build(tree.root), KEY)
    assert caught.value.code == "E-EVIDENCE-RESULTS"


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    bundling.arguments(parser)
    return parser.parse_args(words)
