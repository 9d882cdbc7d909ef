# SPDX-License-Identifier: Apache-2.0
"""``audit witness``: one process cosigns what a home's log says; arguments of another form are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md.errors import ExitCode
from radiomicnet_md_audit import policy, sign
from radiomicnet_md_audit.cosignature import Cosigner, cosigned_at
from tests.cli.conftest import Command

pytestmark = pytest.mark.verifies("SRS-LOG-011")

NAME = "witness.example/w1"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "witness.pem"
    sign.save_private(sign.generate(), path, b"secret")
    path.with_name("witness.pem.passphrase").write_text("secret\n", encoding="utf-8")
    return path


@pytest.fixture
def vkey(command: Command, home: Path, tmp_path: Path) -> str:
    """The verifier key of the home's log, as its operator would read it from an export."""
    assert command("audit", "export", tmp_path / "export").code == ExitCode.OK
    return policy.parse((tmp_path / "export" / "policy.json").read_bytes()).log_keys[0][0].vkey()


@pytest.fixture
def served(key: Path, vkey: str, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A witness in a process of its own, and what it said of itself."""
    command = [sys.executable, "-m", "radiomicnet_md", "audit", "witness", "serve", "--json", "--listen", "127.0.0.1:0"]
    more = ["--name", NAME, "--key", str(key), "--log", vkey, "--state", str(tmp_path / "state")]
    with subprocess.Popen(
        [*command, *more], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.terminate()


def test_a_home_has_its_checkpoint_cosigned(command: Command, served: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "cosigned"
    asked = ("audit", "witness", "add", "--url", served["url"], "--witness", served["vkey"])
    said = command(*asked, "--out", out, "--json")
    assert said.code == ExitCode.OK
    (line,) = said.lines
    assert (line["origin"], line["witness"]) == (served["logs"][0], NAME)
    assert out.read_text("utf-8") == line["checkpoint"]
    assert cosigned_at(line["checkpoint"], Cosigner.from_vkey(served["vkey"])) > 0
    assert command(*asked).out.startswith(f"{NAME} cosigned {line['size']} entries at ")
    assert command(*asked, "--out", out).code == ExitCode.CONFIGURATION
    stranger = Cosigner(NAME, sign.generate().public).vkey()
    assert command(*asked[:-1], stranger).code == ExitCode.INTEGRITY


@pytest.mark.usefixtures("home")
def test_nobody_there_is_a_matter_of_time(command: Command) -> None:
    witness = Cosigner(NAME, sign.generate().public).vkey()
    said = command("audit", "witness", "add", "--url", "http://127.0.0.1:9", "--witness", witness)
    assert said.code == ExitCode.RETRY
    assert "E-WITNESS-UNREACHABLE" in said.err


@pytest.mark.parametrize(
    "wrong",
    [{"--log": "log"}, {"--name": "a b"}, {"--listen": "6962"}, {"--listen": "127.0.0.1:x"}, {"--listen": "a:70000"}],
)
@pytest.mark.usefixtures("home")
def test_an_argument_of_another_form_is_refused(
    wrong: dict[str, str], command: Command, key: Path, vkey: str, tmp_path: Path
) -> None:
    given = {"--name": NAME, "--key": str(key), "--log": vkey, "--state": str(tmp_path / "state"), **wrong}
    said = command("audit", "witness", "serve", *(word for pair in given.items() for word in pair))
    assert said.code == ExitCode.USAGE
    assert "E-WITNESS-ARGUMENT" in said.err
