# SPDX-License-Identifier: Apache-2.0
"""What others said of a log is heard where an export or a database is verified, and held against each of its sizes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from radiomicnet_md_audit import bundle, checkpoint
from radiomicnet_md_audit.anchor import Anchored
from radiomicnet_md_audit.bundle import verify_bundle
from radiomicnet_md_audit.checkpoint import Checkpoint
from radiomicnet_md_audit.cosignature import Cosigner
from radiomicnet_md_audit.evidence import WITNESSED
from radiomicnet_md_audit.testimony import Vouched
from radiomicnet_md_audit.verify import Claim, Report
from tests.audit.small_exports import FILES, SIZE, changed, lay, sealed
from tests.audit.small_logs import ANCHOR, HONEST, KEYS, LINES, ORIGIN, PAIRS, POLICY, log
from tests.audit.trees import NAME, WITNESS
from tests.audit.witnessed import cosigned

pytestmark = pytest.mark.verifies("SRS-LOG-016")

BELIEVING = replace(POLICY, witnesses=(Cosigner(NAME, WITNESS.public),))
CREATED = "2026-01-01T00:00:04.000000Z"
MOMENT = int(datetime(2026, 1, 1, 0, 0, 4, tzinfo=UTC).timestamp())


def saw(size: int, seconds: int = MOMENT, root: bytes | None = None) -> bytes:
    """The line of a witness that saw the log at this size."""
    note = log(HONEST)[size - 1][1]
    if root is not None:
        note = checkpoint.issue(Checkpoint(ORIGIN, size, root), KEYS, 0)
    return Vouched(cosigned(note, seconds=seconds)).line()


def verified(tmp_path: Path, own: bytes | None, copy: bytes = b"", created: str = CREATED) -> Report:
    files = changed(**{"outside.jsonl": own})
    folder = lay(tmp_path / "export", sealed(files, created=created), files)
    return verify_bundle(folder, BELIEVING, outside=copy)


def claim(report: Report) -> Claim:
    return next(one for one in report.claims if one.name == WITNESSED)


@pytest.mark.parametrize("size", range(1, SIZE + 1))
def test_what_is_about_this_history_speaks_for_it(tmp_path: Path, size: int) -> None:
    for own, copy in ((saw(size), b""), (None, saw(size))):
        report = verified(tmp_path, own, copy)
        assert (report.findings, claim(report).ok) == ((), True)
        assert f" saw {size} entries of {SIZE}" in claim(report).text
    assert claim(verified(tmp_path, None)).ok is None


@pytest.mark.parametrize("size", range(1, SIZE + 1))
def test_what_is_about_another_history_speaks_against_it(tmp_path: Path, size: int) -> None:
    for own, copy in ((saw(size, root=bytes(32)), b""), (None, saw(size, root=bytes(32)))):
        report = verified(tmp_path, own, copy)
        assert [(one.index, one.code) for one in report.findings] == [(size - 1, "E-WITNESS-DIFFERS")]
        assert claim(report).ok is False


def test_a_copy_may_be_younger_than_the_export_and_its_own_file_may_not(tmp_path: Path) -> None:
    younger, older = saw(SIZE + 2, MOMENT), saw(SIZE + 2, MOMENT - 301)
    report = verified(tmp_path, None, younger)
    assert (report.findings, "about more entries: 1" in claim(report).text) == ((), True)
    for own, copy, created in ((younger, b"", CREATED), (None, older, CREATED), (None, younger, "yesterday")):
        report = verified(tmp_path, own, copy, created)
        assert [(one.index, one.code) for one in report.findings] == [(SIZE, "E-WITNESS-LEADS")]


def test_the_file_is_the_one_that_was_exported(tmp_path: Path) -> None:
    files = changed(**{"outside.jsonl": saw(2)})
    for there, codes in ((saw(3), ["E-BUNDLE-CHANGED"]), (None, ["E-BUNDLE-MISSING-FILE"] * 2)):
        folder = lay(tmp_path / "export", sealed(files), changed(**{"outside.jsonl": there}))
        assert [one.code for one in verify_bundle(folder, BELIEVING).findings] == codes


@pytest.mark.parametrize(("second", "leads"), [("02.999999", False), ("03.000000", True), ("04.000000", True)])
def test_an_anchored_entry_that_is_earlier_than_the_last_tells_nothing(
    tmp_path: Path, second: str, *, leads: bool
) -> None:
    later = Anchored(SIZE + 1, log(HONEST)[SIZE][1], f"2026-01-01T00:00:{second}Z")
    folder = lay(tmp_path / "export", sealed(FILES), FILES)
    report = verify_bundle(folder, POLICY, b"".join(LINES[:SIZE]) + later.line())
    assert [one.code for one in report.findings] == (["E-ANCHOR-LEADS"] if leads else [])


def test_an_anchor_of_an_export_of_nothing_is_no_crash(tmp_path: Path) -> None:
    files = {"entries.jsonl": b"", "checkpoints.jsonl": b""}
    folder = lay(tmp_path / "export", sealed(files, size=0), files)
    codes = [one.code for one in verify_bundle(folder, POLICY, ANCHOR).findings]
    assert codes[0] == "E-LOG-EMPTY"
    assert bundle.LATEST not in files
    assert len(PAIRS) > SIZE
