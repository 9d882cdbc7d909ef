# SPDX-License-Identifier: Apache-2.0
"""A backup is of one moment, and what is made of it is the home of that moment, with every proof."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from radiomicnet_md import backup, shelf, vault
from radiomicnet_md import home as homes
from radiomicnet_md.backup.archive import Archive
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Desk, segment_file
from radiomicnet_md.dicomnode.inbox import Inbox
from radiomicnet_md.dicomnode.outbox import Outbox
from radiomicnet_md.errors import IntegrityError, Problem
from radiomicnet_md.intent import new_id
from radiomicnet_md.people import place
from radiomicnet_md_audit import proof
from radiomicnet_md_audit.statement import DECISION
from radiomicnet_md_audit.stored import AS_CLOSED, verify_ledger
from radiomicnet_md_audit.verify import Report
from tests import desks, patients

pytestmark = pytest.mark.verifies("SRS-OPR-001")


def verified(home: homes.Home, copy: bytes | None = None) -> Report:
    """Verified as it stands, or against a copy of the anchor."""
    with home.reading_ledger() as ledger:
        return verify_ledger(ledger, ledger.anchor_text() if copy is None else copy, anchor_is_copy=copy is not None)


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(Problem) as caught:
        call()
    assert caught.value.remedy
    return caught.value.code


def beside(place_: Path) -> set[str]:
    """What lies next to a place, hidden or not."""
    return {path.name for path in place_.parent.iterdir()}


def test_what_is_restored_is_the_home_and_every_older_proof_holds(
    desk: Desk, case: patients.Case, tmp_path: Path
) -> None:
    entry = desk.ledger.find(case("quill", 1).record_id)
    keys, origin = desk.ledger.declared.log_keys_at(1), desk.ledger.origin
    size, note, inclusion = desk.ledger.size, desk.ledger.latest_checkpoint(), desk.ledger.inclusion(entry.index)
    anchor, receipt = desk.home.anchor.read_bytes(), desk.ledger.receipt(entry)
    case("umlaut", 2)
    taken = backup.take(desk.home, tmp_path / "backup.tar")
    made = backup.restore(taken.file, tmp_path / "elsewhere" / "home")
    assert (taken.entries, made.anchor_kept) == (desk.ledger.size, False)
    for name in ("keys", "artefacts", "vault"):
        assert desks.tree(made.home.folder / name) == desks.tree(desk.home.folder / name)
    report = verified(made.home)
    assert report.ok, report.findings
    assert {claim.ok for claim in report.claims if claim.name == AS_CLOSED} == {True}
    assert verified(made.home, anchor).ok
    again = desks.make_desk(made.home, desks.FakeEngine())
    with again.ledger as ledger:
        assert ledger.latest_checkpoint() == desk.ledger.latest_checkpoint()
        assert ledger.receipt(entry) == receipt
        assert proof.parse_inclusion(inclusion).verify(entry.envelope, keys, origin).size == size
        path = desks.write_images(tmp_path, "after.png")[0]
        assert segment_file(path, again, Target(tmp_path / "out", "after", "png")).status == "accepted"
        newer = proof.parse_consistency(ledger.consistency(size)).verify(note, keys, origin)
        assert newer.size == desk.ledger.size + 1
    assert verified(made.home, anchor).ok


def test_nothing_of_it_is_less_private_than_the_home_and_no_key_is_in_the_clear(
    desk: Desk, case: patients.Case, tmp_path: Path
) -> None:
    case("quill", 1)
    before = os.umask(0)
    try:
        taken = backup.take(desk.home, tmp_path / "backup.tar")
        made = backup.restore(taken.file, tmp_path / "restored" / "home")
    finally:
        os.umask(before)
    assert stat.S_IMODE(taken.file.stat().st_mode) == 0o600
    found = [made.home.folder, *made.home.folder.rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir()} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in [*found, made.home.anchor] if path.is_file()} == {0o600}
    whole = taken.file.read_bytes()
    assert whole.count(b"BEGIN ENCRYPTED PRIVATE KEY") == 3
    assert b"BEGIN PRIVATE KEY" not in whole
    assert patients.found(patients.PEOPLE["quill"], {"backup": whole}) == []


def _complete(home: homes.Home, engine: desks.FakeEngine) -> int:
    """How many decisions a restored home holds, after making sure that it has every file that they name."""
    assert verified(home).ok
    desk = desks.make_desk(home, engine)
    with desk.ledger as ledger:
        shelf.settle(home.folder, lambda record_id, _: ledger.holds(record_id))
        said = [one for entry in ledger.entries() if (one := ledger.read(entry)).predicate_type == DECISION]
        for one in said:
            assert "are kept in this home" in shelf.claims(home.folder, one.predicate)[0]
            subject = vault.subject_of(home.folder, one.record_id, desk.vault_key)
            assert vault.unshut(home.folder, subject, one.record_id, desk.vault_key) is not None
    return len(said)


def test_whatever_is_decided_meanwhile_the_log_in_it_has_all_its_files(
    desk: Desk, case: patients.Case, engine: desks.FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case is decided before each part of the backup, and one is in its middle when its files are moved."""
    case("quill", 1)
    calls, put = 0, Archive.put_tree
    publish = shelf.Staged.publish

    def meanwhile(archive: Archive, name: str, folder: Path) -> None:
        nonlocal calls
        if name.count("/") == 1:
            calls += 1
            case("quill", 10 + calls)
        put(archive, name, folder)

    monkeypatch.setattr(Archive, "put_tree", meanwhile)
    taken = backup.take(desk.home, tmp_path / "first.tar")
    made = backup.restore(taken.file, tmp_path / "first" / "home")
    assert taken.entries < desk.ledger.size
    assert _complete(made.home, engine) == taken.entries - 1

    left: list[shelf.Staged] = []
    monkeypatch.setattr(Archive, "put_tree", put)

    def wait(staged: shelf.Staged) -> None:
        left.append(staged)  # its record is in the log, its files are where they were

    monkeypatch.setattr(shelf.Staged, "publish", wait)
    case("umlaut", 30)

    def moved(archive: Archive, name: str, path: Path, length: int | None = None) -> bool:
        if "/staging/" in name and left:
            publish(left.pop())
        return single(archive, name, path, length)

    single = Archive.put
    monkeypatch.setattr(Archive, "put", moved)
    taken = backup.take(desk.home, tmp_path / "second.tar")
    assert not left
    made = backup.restore(taken.file, tmp_path / "second" / "home")
    assert _complete(made.home, engine) == taken.entries - 1


def test_what_waits_in_the_boxes_is_in_it_whatever_is_renamed_meanwhile(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Inbox(desk.home.folder, clock=lambda: 0.0) as inbox:
        ids = [new_id() for _ in range(3)]
        for number, identity in enumerate(ids):
            inbox.take(identity, f"1.2.{number}", b"image %d" % number)
        job = Outbox(desk.home.folder).put("archive", [inbox.path(one) for one in inbox.due(0)])
        waiting, put = inbox.due(0), Archive.put

        def renamed(archive: Archive, name: str, path: Path, length: int | None = None) -> bool:
            if "/inbox/" in name and waiting:
                inbox.begin(waiting.pop())
            return put(archive, name, path, length)

        monkeypatch.setattr(Archive, "put", renamed)
        taken = backup.take(desk.home, tmp_path / "backup.tar")
    made = backup.restore(taken.file, tmp_path / "restored" / "home")
    with Inbox(made.home.folder, clock=lambda: 0.0) as inbox:
        assert {entry.request_id for entry in inbox.due(0)} == set(ids)
    (again,) = Outbox(made.home.folder).jobs()
    assert (again.id, again.destination, len(again.files)) == (job.id, "archive", 3)


@pytest.mark.verifies("SRS-OPR-001", "SRS-OPR-003")
def test_a_leading_anchor_that_lies_there_stays_and_shows_that_the_log_was_set_back(
    desk: Desk, case: patients.Case, tmp_path: Path
) -> None:
    case("quill", 1)
    taken = backup.take(desk.home, tmp_path / "backup.tar")
    case("umlaut", 2)
    anchor = desk.home.anchor.read_bytes()
    desk.ledger.close()
    desk.home.folder.rename(tmp_path / "broken")
    made = backup.restore(taken.file, desk.home.folder)
    assert made.anchor_kept
    assert desk.home.anchor.read_bytes() == anchor
    report = verified(made.home)
    assert [found.code for found in report.findings] == ["E-ANCHOR-LEADS"]
    with pytest.raises(IntegrityError) as caught:
        desks.make_desk(made.home, desks.FakeEngine())
    assert caught.value.code == "E-ANCHOR-LEADS"
    other = backup.restore(taken.file, tmp_path / "elsewhere" / "home")
    assert verified(other.home).ok
    assert [found.code for found in verified(other.home, anchor).findings] == ["E-ANCHOR-LEADS"]


@pytest.mark.verifies("SRS-OPR-002")
def test_what_would_be_overwritten_or_left_out_is_refused(desk: Desk, made_home: Path, tmp_path: Path) -> None:
    home, taken = desk.home, backup.take(desk.home, tmp_path / "backup.tar")
    before, whole = beside(taken.file), taken.file.read_bytes()
    assert refusal(lambda: backup.take(home, taken.file)) == "E-BACKUP-EXISTS"
    assert refusal(lambda: backup.take(home, home.folder / "in-it.tar")) == "E-BACKUP-PLACE"
    assert refusal(lambda: backup.take(home, tmp_path / "x", "postgresql+psycopg://a@b/c")) == "E-BACKUP-SERVER"
    assert refusal(lambda: backup.take(home, tmp_path / "nowhere" / "x")) == "E-BACKUP-WRITE"
    assert refusal(lambda: backup.restore(taken.file, home.folder)) == "E-RESTORE-OCCUPIED"
    assert refusal(lambda: backup.restore(taken.file, taken.file)) == "E-RESTORE-OCCUPIED"
    assert refusal(lambda: backup.restore(tmp_path / "nowhere", tmp_path / "new")) == "E-BACKUP-READ"
    for content in (homes.anchor_beside(made_home).read_bytes()[:-9].replace(b"{", b"["), b""):
        homes.anchor_beside(tmp_path / "new").write_bytes(content)
        assert refusal(lambda: backup.restore(taken.file, tmp_path / "new")) == "E-RESTORE-ANCHOR"
    homes.anchor_beside(tmp_path / "new").unlink()
    (home.folder / "artefacts" / "linked").symlink_to(tmp_path)
    assert refusal(lambda: backup.take(home, tmp_path / "x")) == "E-BACKUP-LINK"
    assert (beside(taken.file), taken.file.read_bytes()) == (before, whole)


def test_nobody_is_erased_and_no_key_changes_while_it_is_taken(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "WAIT_S", 0.0)
    seen, put = [], Archive.put_tree

    def looked(archive: Archive, name: str, folder: Path) -> None:
        with pytest.raises(Problem) as caught, vault.alone(desk.home.folder):
            pass
        seen.append(caught.value.code)
        put(archive, name, folder)

    monkeypatch.setattr(Archive, "put_tree", looked)
    with closing(desk.ledger):
        backup.take(desk.home, tmp_path / "backup.tar")
    assert set(seen) == {"E-HOME-BUSY"}
    with vault.alone(desk.home.folder), place.alone(desk.home.folder):
        pass
