# SPDX-License-Identifier: Apache-2.0
"""What the verbs of the log say of one home, in whatever state its owner or its disk has left it."""

from __future__ import annotations

from pathlib import Path

import pytest

from radiomicnet_md.errors import ExitCode
from tests.cli.conftest import Command


@pytest.mark.verifies("SRS-LOG-030")
@pytest.mark.usefixtures("home")
def test_structure_alone_is_never_called_ok(command: Command) -> None:
    said = command("audit", "verify", "--structure")
    assert said.code == ExitCode.OK
    assert said.out.startswith("STRUCTURE ONLY, signatures not verified:  1 entries")
    (line,) = command("audit", "verify", "--structure", "--json").lines
    assert (line["ok"], line["structure_only"]) == (False, True)
    assert [line["structure_only"] for line in command("audit", "verify", "--json").lines] == [False]


@pytest.mark.verifies("SRS-LOG-030")
def test_a_log_that_does_not_fit_together_is_not_ok_without_signatures_either(command: Command, home: Path) -> None:
    data = (home / "audit.db").read_bytes()
    (home / "audit.db").write_bytes(data.replace(b'"payloadType"', b'"payloadTyp3"', 1))
    said = command("audit", "verify", "--structure", "--json")
    assert said.code == ExitCode.INTEGRITY
    assert (said.lines[0]["ok"], said.lines[0]["structure_only"]) == (False, True)
    assert command("audit", "verify", "--structure").out.startswith("NOT OK")
