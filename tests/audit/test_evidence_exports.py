# SPDX-License-Identifier: Apache-2.0
"""An export takes along what others said, a copy may be younger, and the offline verifier judges both."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from radiomicnet_md_audit import export, note, policy
from radiomicnet_md_audit.__main__ import main
from radiomicnet_md_audit.bundle import OUTSIDE, verify_bundle
from radiomicnet_md_audit.errors import ExitCode
from radiomicnet_md_audit.evidence import WITNESSED
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.stored import verify_ledger
from radiomicnet_md_audit.testimony import Vouched
from radiomicnet_md_audit.verify import ANCHORED
from tests.audit.trees import NAME
from tests.audit.witnessed import Witnessed, claim, codes, cosigned

pytestmark = pytest.mark.verifies("SRS-LOG-016")


# ------------------------------------------------------------------------------------------------ exports


def exported(site: Witnessed, folder: Path) -> Path:
    with site.open() as ledger:
        export.write(ledger, folder)
    return folder


def test_an_export_takes_along_what_was_said_and_whom_to_believe(seen: Witnessed, tmp_path: Path) -> None:
    plain = exported(seen, tmp_path / "before")
    assert not (plain / OUTSIDE).exists()
    seen.say(cosigned(seen.note(4)))
    with seen.outside.path.open("ab") as file:
        file.write(b'{"checkp')
    folder = exported(seen, tmp_path / "export")
    assert (folder / OUTSIDE).read_bytes() == Vouched(cosigned(seen.note(4))).line()
    proposed = policy.parse((folder / "policy.json").read_bytes())
    assert proposed == seen.policy
    report = verify_bundle(folder, proposed, outside=seen.outside.read())
    assert report.ok
    assert claim(report).text.endswith(f"{NAME} saw 4 entries of 6, in this history.")
    assert claim(verify_bundle(folder, seen.policy, signatures=False)).ok is True
    for change, code in ((b"", "E-BUNDLE-CHANGED"), (None, "E-BUNDLE-MISSING-FILE")):
        kept = (folder / OUTSIDE).read_bytes()
        (folder / OUTSIDE).unlink() if change is None else (folder / OUTSIDE).write_bytes(change)
        assert code in codes(verify_bundle(folder, seen.policy))
        (folder / OUTSIDE).write_bytes(kept)


def test_a_younger_copy_says_nothing_of_an_older_export(seen: Witnessed, tmp_path: Path) -> None:
    folder = exported(seen, tmp_path / "export")
    with seen.open() as ledger:
        seen.append(ledger, 2)
    now = int(time.time())
    for text, younger in (
        (cosigned(seen.note(8), seconds=now + 60), True),
        (cosigned(seen.note(8), seconds=now - 60), True),  # clocks agree within five minutes, and no better
        (cosigned(seen.note(8), seconds=now - 600), False),  # seen before the export was made, which lacks it
        (seen.note(8), True),  # nobody says when
    ):
        report = verify_bundle(folder, seen.policy, outside=Vouched(text).line())
        assert report.ok is younger
        assert codes(report) == (set() if younger else {"E-WITNESS-LEADS"})
        if younger:
            assert claim(report).ok is None
            assert claim(report).text.endswith("Statements younger than this export, about more entries: 1.")


def test_an_export_cannot_bring_along_what_it_does_not_have(seen: Witnessed, tmp_path: Path) -> None:
    shutil.copytree(seen.folder, tmp_path / "backup")
    with seen.open() as ledger:
        seen.append(ledger)
    back = Witnessed(tmp_path / "backup")
    back.say(cosigned(seen.note(7), seconds=int(time.time()) + 3600))
    assert codes(verify_bundle(exported(back, tmp_path / "export"), seen.policy)) == {"E-WITNESS-LEADS"}


@pytest.mark.verifies("SRS-LOG-006")
def test_what_is_appended_while_an_export_is_written_is_younger(
    seen: Witnessed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An anchor and a witness that know it do not make the export look set back."""
    entries = export._Export._entries

    def meanwhile(self: export._Export, size: int) -> object:
        seen.append(self.ledger)
        return entries(self, size)

    monkeypatch.setattr(export._Export, "_entries", meanwhile)
    folder = exported(seen, tmp_path / "export")
    assert codes(verify_bundle(folder, seen.policy, seen.anchor.read_bytes())) == set()


def test_the_offline_door_takes_a_copy(seen: Witnessed, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = exported(seen, tmp_path / "export")
    copy = tmp_path / "copy"
    copy.write_text(cosigned(seen.note(6)), encoding="utf-8")
    command = ["verify", str(folder), "--policy", str(folder / "policy.json"), "--outside", str(copy)]
    assert main(command) is ExitCode.OK
    assert f"holds  seen by a witness: On 2026-09-21T14:13:20Z {NAME} saw 6 entries of 6" in capsys.readouterr().out
    copy.write_text(cosigned(seen.note(6)).replace(f"— {NAME} ", f"— {NAME} AAAA"), encoding="utf-8")
    main(command)
    assert f"not checked  {WITNESSED}" in capsys.readouterr().out  # another key's line now: nobody's
    lines = cosigned(seen.note(6)).splitlines()
    copy.write_text("\n".join([*lines[:-1], note_with_bad_time(lines[-1])]) + "\n", encoding="utf-8")
    assert main([*command, "--json"]) is ExitCode.INTEGRITY
    assert json.loads(capsys.readouterr().out)["findings"][0]["code"] == "E-SIGNATURE"
    assert main([*command[:-1], str(tmp_path / "none")]) is ExitCode.USAGE


def note_with_bad_time(line: str) -> str:
    parsed = note.parse(f"-\n\n{line}\n").signatures[0]
    return str(note.Signature(parsed.name, parsed.id, bytes(8) + parsed.signature[8:]))


# ------------------------------------------------------------------------------------------------ the anchor


@pytest.mark.verifies("SRS-LOG-006")
def test_the_anchors_claim_says_what_is_known_of_its_place(seen: Witnessed, tmp_path: Path) -> None:
    text = seen.anchor.read_bytes()
    with Ledger.open(seen.url, None, None, seen.anchor, policy=seen.policy) as ledger:
        own = claim(verify_ledger(ledger, ledger.anchor_text()), ANCHORED)
        copy = claim(verify_ledger(ledger, text, anchor_is_copy=True), ANCHORED)
    assert own.text.endswith("covers 6 of 6 entries; it is the log's own, on the same machine.")
    assert copy.text.endswith("covers 6 of 6 entries; it is a copy that you gave.")
    report = verify_bundle(exported(seen, tmp_path / "export"), seen.policy, text)
    assert claim(report, ANCHORED).text.endswith("it is a copy that you gave.")
