# SPDX-License-Identifier: Apache-2.0
"""``upgrade``: a home made with other packages decides again after one record, and says what it was held to before."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from radiomicnet_md.engine import installation, starting
from radiomicnet_md.errors import ExitCode, NotQualifiedError
from tests import desks
from tests.cli.conftest import Command

pytestmark = pytest.mark.verifies("SRS-OPR-004", "SRS-CLI-001", "SRS-CLI-002")


def test_a_home_goes_on_with_another_installation_after_one_record(
    command: Command, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "started", lambda _: desks.FakeEngine())
    monkeypatch.setattr(installation, "refuse_changed_files", lambda **_: None)
    state = yaml.safe_load((home / "home.yaml").read_bytes())
    (home / "home.yaml").write_text(yaml.safe_dump({**state, "installed": {"torch": "0" * 64}}))
    scan = desks.write_images(tmp_path, "scan.png")[0]
    segment = ("segment", scan, "--out", tmp_path / "out", "--format", "png")
    assert command(*segment).code == ExitCode.NOT_QUALIFIED
    said = command("upgrade", "--reason", "change request 12", "--json")
    assert said.code == ExitCode.OK, said.err
    (line,) = said.lines
    assert line["changed"] == ["installed"]
    assert line["from"]["installed"] == {"torch": "0" * 64}
    assert line["code"] == installation.code()
    assert "UNQUALIFIED" in said.err
    assert command(*segment).code == ExitCode.OK
    assert command("audit", "verify").code == ExitCode.OK
    again = command("upgrade", "--reason", "again", "--json")
    assert (again.code, again.lines[0]["reason"]["code"]) == (ExitCode.USAGE, "E-UPGRADE-SAME")


@pytest.mark.usefixtures("home")
def test_a_damaged_installation_is_not_taken_in(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*, thorough: bool) -> None:
        assert thorough
        raise NotQualifiedError("E-INSTALLATION-FILE", "A file is another.", remedy="make setup")

    monkeypatch.setattr(installation, "refuse_changed_files", damaged)
    assert command("upgrade", "--reason", "why").code == ExitCode.NOT_QUALIFIED
    assert command("upgrade").code == ExitCode.USAGE
