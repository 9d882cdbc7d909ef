# SPDX-License-Identifier: Apache-2.0
"""The command line in this process, with a home made once and an engine that only thresholds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md import cli, compiling, opening
from radiomicnet_md import home as homes
from radiomicnet_md.engine.release import Release
from radiomicnet_md.engine.state import State
from radiomicnet_md.review import pictures
from radiomicnet_md_audit import policy, sign
from tests import desks


@dataclass(frozen=True)
class Said:
    """What a call of the command line said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Every line of stdout as JSON; fails where one is none."""
        return [json.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Said]


@pytest.fixture
def home(made_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the home, named in the environment; nothing else of this machine is."""
    desks.remember_keys(monkeypatch)
    for module in (compiling, opening):  # a new cache compiles its kernels anew; a test need not wait for that
        monkeypatch.setattr(module, "use_private_cache", lambda: None)
    folder = tmp_path / "home"
    shutil.copytree(made_home, folder)
    shutil.copyfile(homes.anchor_beside(made_home), homes.anchor_beside(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RADIOMICNET_MD_HOME", str(folder))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", homes.PASSPHRASE_FILE):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def witness_key(tmp_path: Path) -> Path:
    """The key file of a witness, its passphrase beside it."""
    path = tmp_path / "witness.pem"
    sign.save_private(sign.generate(), path, b"secret")
    path.with_name("witness.pem.passphrase").write_text("secret\n", encoding="utf-8")
    return path


@pytest.fixture
def log_vkey(home: Path) -> str:
    """The verifier key of the home's log, as its operator would read it from the policy."""
    return policy.parse((home / "policy.json").read_bytes()).log_keys[0][0].vkey()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> desks.FakeEngine:
    """The engine of every desk that the command line opens."""
    made = desks.FakeEngine()
    manifest = {"id": "fake", "version": "1.2.3", "created": "2026-01-01", "files": {}}
    release = Release(Path("fake"), manifest, "0" * 64, "0" * 64, {})
    monkeypatch.setattr(opening, "verified_release", lambda *_: release)
    started = opening._started  # the clinical home's refusal stays real
    monkeypatch.setattr(
        opening,
        "_started",
        lambda release, home, stands: started(release, home, stands) if home.clinical else (made, State.UNQUALIFIED),
    )
    monkeypatch.setattr(pictures, "overlay", lambda *_: desks.PICTURE)
    monkeypatch.setattr(pictures, "why", lambda *_: b"why")
    return made


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """``command("audit", "list")`` runs one command line."""

    def run(*arguments: str | Path) -> Said:
        code = cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run
