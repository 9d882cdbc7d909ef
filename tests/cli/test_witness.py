# SPDX-License-Identifier: Apache-2.0
"""``audit witness serve``: arguments of another form are refused; what it cosigns is in ``test_anchor``."""

from __future__ import annotations

from pathlib import Path

import pytest

from radiomicnet_md.errors import ExitCode
from tests.cli.conftest import Command

pytestmark = pytest.mark.verifies("SRS-LOG-011")

NAME = "witness.example/w1"


@pytest.mark.parametrize(
    "wrong",
    [{"--log": "log"}, {"--name": "a b"}, {"--listen": "6962"}, {"--listen": "127.0.0.1:x"}, {"--listen": "a:70000"}],
)
@pytest.mark.usefixtures("home")
def test_an_argument_of_another_form_is_refused(
    wrong: dict[str, str], command: Command, witness_key: Path, log_vkey: str, tmp_path: Path
) -> None:
    given = {"--name": NAME, "--key": str(witness_key), "--log": log_vkey, "--state": str(tmp_path / "state"), **wrong}
    said = command("audit", "witness", "serve", *(word for pair in given.items() for word in pair))
    assert said.code == ExitCode.USAGE
    assert "E-WITNESS-ARGUMENT" in said.err
