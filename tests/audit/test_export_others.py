# SPDX-License-Identifier: Apache-2.0
"""What others make of an export: stock openssl by the recipe that lies in it, and Go's reader of notes and trees."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from radiomicnet_md_audit import canonical, dsse, export, policy, sign
from radiomicnet_md_audit.bundle import verify_bundle
from tests.audit.sites import Site


def recipe(folder: Path, language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", (folder / "VERIFY.md").read_text("utf-8"), re.DOTALL)[number]  # type: ignore[no-any-return]


@pytest.mark.verifies("SRS-LOG-005")
def test_the_openssl_recipe_verifies_a_record_and_refuses_a_changed_one(
    exported: Path, require: Callable[[str], Path]
) -> None:
    require("openssl")
    script = recipe(exported, "sh", 1)
    for index in (0, 3, 6):
        text = re.sub(r"INDEX=\d+", f"INDEX={index}", script)
        done = subprocess.run(["bash", "-ec", text], cwd=exported, capture_output=True, text=True, check=False)
        assert "Signature Verified Successfully" in done.stdout, done.stderr
        said = canonical.loads((exported / "payload.json").read_bytes())
        assert isinstance(said, dict)
    lines = (exported / "entries.jsonl").read_bytes().splitlines(keepends=True)
    parts = dsse.parse_unverified(lines[6][:-1])
    forged = dsse.Unverified(parts.payload + b" ", parts.payload_type, parts.keyid, parts.signature)
    (exported / "entries.jsonl").write_bytes(b"".join(lines[:6]) + dsse.encode(forged) + b"\n")
    done = subprocess.run(["bash", "-c", script], cwd=exported, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Verified Successfully" not in done.stdout


@pytest.fixture
def go_verifier(exported: Path, tmp_path: Path, require: Callable[[str], Path]) -> Path:
    """The Go program of VERIFY.md, built against Debian's package of golang.org/x/mod."""
    go = require("go")
    require("go-sumdb")
    (tmp_path / "verify.go").write_text(recipe(exported, "go"), encoding="utf-8")
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "GOPROXY": "off"}
    environment["GOCACHE"] = os.environ.get("GOCACHE", str(Path.home() / ".cache" / "go-build"))
    subprocess.run([str(go), "build", "-o", "verify", "verify.go"], cwd=tmp_path, env=environment, check=True)
    return tmp_path / "verify"


@pytest.mark.verifies("SRS-LOG-002", "SRS-LOG-003")
def test_go_accepts_and_refuses_what_we_do(exported: Path, site: Site, go_verifier: Path) -> None:
    vkey = site.policy.log_keys[0][0].vkey()
    assert vkey in (exported / "VERIFY.md").read_text("utf-8")

    def go(index: int) -> bool:
        command = [go_verifier, vkey, str(index)]
        done = subprocess.run(command, cwd=exported, capture_output=True, text=True, check=False)
        assert "panic" not in done.stderr
        return done.returncode == 0

    assert all(go(index) for index in range(7))
    assert not go(7)
    for path, change in CHANGES:
        good = (exported / path).read_bytes()
        (exported / path).write_bytes(change(good))
        assert (exported / path).read_bytes() != good
        assert not go(4), path
        (exported / path).write_bytes(good)


CHANGES: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("tile/0/000.p/7", lambda data: data[32:64] + data[:32] + data[64:]),
    ("tile/0/000.p/7", lambda data: data[:-32]),
    ("checkpoint", lambda data: data.replace(b"\n7\n", b"\n8\n")),
    ("checkpoint", lambda data: data.replace(b"example", b"Example")),
    ("entries.jsonl", lambda data: b"".join(data.splitlines(keepends=True)[1:])),
]


@pytest.mark.verifies("SRS-LOG-003")
def test_go_passes_over_the_post_quantum_line(
    tmp_path: Path, require: Callable[[str], Path], go_verifier: Path
) -> None:
    site = Site(tmp_path / "pq", cosigner=sign.generate_cosigner())
    site.folder.mkdir()
    with site.create() as ledger:
        site.append(ledger, 3)
        export.write(ledger, tmp_path / "pq-export")
    folder = tmp_path / "pq-export"
    assert verify_bundle(folder, policy.parse((folder / "policy.json").read_bytes())).ok
    command = [go_verifier, site.policy.log_keys[0][0].vkey(), "2"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
