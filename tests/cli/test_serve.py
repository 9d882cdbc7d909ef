# SPDX-License-Identifier: Apache-2.0
"""``serve`` and ``users token`` from the command line: what is refused, and what a token is good for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from radiomicnet_md.errors import ExitCode
from radiomicnet_md.people import tokens
from tests import desks
from tests.cli.conftest import Command
from tests.cli.test_sign import Door
from tests.desks import OTHER, OWN

pytestmark = pytest.mark.usefixtures("home", "engine")


@pytest.fixture
def door(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Door:
    desks.quick_stretching(monkeypatch)
    return Door(command, tmp_path, monkeypatch)


@pytest.mark.verifies("SRS-PAG-009")
def test_a_token_is_made_for_a_passphrase_shown_once_and_withdrawn(door: Door, home: Path) -> None:
    door.people()
    said = door("users", "token", "rita", own=OWN)
    assert said.code == ExitCode.OK
    (line,) = said.lines
    assert tokens.owner(home, line["token"]) == "rita"
    until = datetime.fromisoformat(line["until"])
    assert timedelta(days=tokens.DAYS - 1) < until - datetime.now(UTC) <= timedelta(days=tokens.DAYS)
    assert line["token"].encode() not in b"".join(desks.tree(home).values())
    assert {path.stat().st_mode & 0o777 for path in (home / "tokens").iterdir()} == {0o600}
    assert door("users", "token", "rita", own=OTHER).code == ExitCode.CONFIGURATION
    assert door("users", "token", "nobody", own=OWN).code == ExitCode.CONFIGURATION
    assert door("users", "token", "rita", "--withdraw", own=OWN).lines == [{"user": "rita", "withdrawn": 1}]
    assert tokens.owner(home, line["token"]) is None


@pytest.mark.verifies("SRS-PAG-011", "SRS-CLI-002")
@pytest.mark.parametrize(
    "arguments",
    [
        ("--host", "0.0.0.0"),  # noqa: S104
        ("--host", "example.org"),
        ("--tls-key", "key.pem"),
        ("--port", "65536"),
        ("--port", "-1"),
        ("--port", "http"),
    ],
)
def test_an_address_that_may_not_be_served_is_a_mistake_of_the_command_line(
    command: Command, arguments: tuple[str, str]
) -> None:
    said = command("serve", *arguments)
    assert said.code == ExitCode.USAGE
    assert "Traceback" not in said.err
