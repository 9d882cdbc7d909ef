# SPDX-License-Identifier: Apache-2.0
"""People: a signature takes the person's own passphrase, and guessing ends."""

from __future__ import annotations

from pathlib import Path

from radiomicnet_md_validation.oq.bench import Decided, Program, Said
from radiomicnet_md_validation.oq.catalogue import about
from radiomicnet_md_validation.oq.plugin import Seen

_FIRST, _OWN = "for the first day of this test", "own words of the reviewer here"
_FAILURES = 5


def _as(home: Program, folder: Path, *arguments: str | Path, own: str = "", new: str = "") -> Said:
    """Run a command with passphrases of a person in files."""
    more = {}
    for variable, text in (("RADIOMICNET_MD_USER_PASSPHRASE_FILE", own), ("RADIOMICNET_MD_NEW_PASSPHRASE_FILE", new)):
        if text:
            (folder / variable).write_text(text + "\n", encoding="utf-8")
            more[variable] = str(folder / variable)
    return home(*arguments, **more)


def _reviewer(decided: Decided, folder: Path) -> Program:
    """A copy of the home with a reviewer in it."""
    home = decided.program.copied(folder)
    added = _as(home, folder, "users", "add", "rita", "--name", "Test Reviewer", "--role", "reviewer", new=_FIRST)
    changed = _as(home, folder, "users", "passphrase", "rita", own=_FIRST, new=_OWN)
    assert (added.code, changed.code) == (0, 0), added.err + changed.err
    return home


def _sign(decided: Decided, home: Program, folder: Path, own: str) -> Said:
    page = decided.out / "scan" / "overlay.png"
    record_id = decided.lines["scan"]["record_id"]
    return _as(home, folder, "sign", record_id, "--meaning", "approve", "--user", "rita", "--viewed", page, own=own)


@about(
    "OQ-040",
    "SRS-SIG-001",
    "SRS-SIG-002",
    "SRS-SIG-006",
    objective="A decision is signed with the person's own passphrase alone, and the signature is verified",
    expected="another passphrase ends with 7 and signs nothing; the right one signs; the verification counts one",
)
def test_a_signature_takes_the_passphrase(decided: Decided, tmp_path: Path, seen: Seen) -> None:
    home = _reviewer(decided, tmp_path)
    wrong = _sign(decided, home, tmp_path, "other words than the reviewer's")
    before = home("audit", "show", decided.lines["scan"]["record_id"]).lines[0]["signatures"]
    right = _sign(decided, home, tmp_path, _OWN)
    claims = [one["text"] for one in home("audit", "verify").lines[0]["claims"] if "1 approve" in one["text"]]
    seen(f"wrong: {wrong.code} {wrong.reasons()}, {len(before)} signatures; right: {right.code}; claim {claims}")
    assert (wrong.code, wrong.reasons(), before) == (7, ["E-SIGN-IN"], [])
    assert right.code == 0
    assert claims


@about(
    "OQ-041",
    "SRS-SIG-002",
    objective="Five wrong passphrases in a row lock a person",
    expected="the right passphrase signs nothing after five failures",
)
def test_five_failures_lock(decided: Decided, tmp_path: Path, seen: Seen) -> None:
    home = _reviewer(decided, tmp_path)
    codes = [_sign(decided, home, tmp_path, f"guess number {number} of this test").code for number in range(_FAILURES)]
    right = _sign(decided, home, tmp_path, _OWN)
    locked = [one["locked"] for one in home("users", "list").lines]
    seen(f"failures {codes}, then the right one: {right.code} {right.reasons()}, locked {locked}")
    assert codes == [7] * _FAILURES
    assert (right.code, right.reasons()) == (7, ["E-SIGN-IN"])
    assert locked == [True]
