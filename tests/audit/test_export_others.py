# SPDX-License-Identifier: Apache-2.0
"""What others make of an export: stock openssl by the recipe that lies in it, and Go's reader of notes and trees."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from radiomicnet_md_audit import bundle, canonical, dsse, export, policy, sign
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
    entries = exported / "entries.jsonl"

    def go(proof: Path) -> bool:
        done = subprocess.run([go_verifier, vkey, entries, proof], capture_output=True, text=True, check=False)
        assert "panic" not in done.stderr
        return done.returncode == 0

    for index in range(7):
        assert go(exported / bundle.proof_path(index))
    good = (exported / bundle.proof_path(4)).read_text("utf-8")
    changed = go_verifier.parent / "changed.tlog-proof"
    line = good.splitlines()[2]
    for text in (
        good.replace("index 4", "index 5"),
        good.replace(line, "A" * 43 + "="),
        good.replace(line + "\n", ""),
        good.replace("\n7\n", "\n8\n"),
        good.replace(site.origin, "example.org/other"),
    ):
        changed.write_text(text, encoding="utf-8")
        assert not go(changed)


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
    command = [go_verifier, site.policy.log_keys[0][0].vkey(), folder / "entries.jsonl", folder / bundle.proof_path(2)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
