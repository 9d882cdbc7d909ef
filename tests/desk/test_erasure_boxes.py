# SPDX-License-Identifier: Apache-2.0
"""What the node's inbox and outbox hold of a person goes with them, or stops the erasure by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from radiomicnet_md import standing
from radiomicnet_md.desk import Desk
from radiomicnet_md.dicomnode.inbox import Entry, Inbox
from radiomicnet_md.dicomnode.outbox import Outbox
from radiomicnet_md.engine.record import Reason
from radiomicnet_md.errors import BusyError, ConfigurationError, ExitCode, UsageError
from radiomicnet_md.intent import new_id
from radiomicnet_md.io import Input
from radiomicnet_md.privacy import erasure, people
from radiomicnet_md.privacy.people import Keeper
from tests import patients
from tests.patients import PEOPLE, WHY, Case, erase, everywhere, rest


@dataclass
class Boxes:
    """A node's inbox and outbox, and what is put into them."""

    inbox: Inbox
    outbox: Outbox
    sources: Path

    def received(self, who: str, seed: int) -> Entry:
        """An instance of a person in the inbox."""
        identity = new_id()
        self.inbox.take(identity, f"1.2.{seed}", self._file(who, seed).read_bytes())
        return self.inbox._entries[identity]

    def sent(self, who: str, seed: int, of: str | None = None) -> str:
        """A job with an object of a person in the outbox."""
        return self.outbox.put("archive", [self._file(who, seed)], of).id

    def set_aside(self) -> None:
        """All jobs of the outbox."""
        for job in self.outbox.jobs():
            self.outbox.set_aside(job)

    def _file(self, who: str, seed: int) -> Path:
        return patients.write(self.sources / f"{who}-{seed}.dcm", PEOPLE[who], seed)


@pytest.fixture
def boxes(desk: Desk, tmp_path: Path) -> Iterator[Boxes]:
    with Inbox(desk.home.folder) as inbox:
        yield Boxes(inbox, Outbox(desk.home.folder), tmp_path / "sources")


@pytest.mark.verifies("SRS-PRV-011", "SRS-PRV-002", rc=("RC-028",))
def test_what_was_set_aside_of_a_person_goes_on_the_record_and_nobody_else_s(
    desk: Desk, keeper: Keeper, case: Case, boxes: Boxes
) -> None:
    answer = case("quill", 1)
    for who, seed in (("quill", 2), ("umlaut", 3)):
        boxes.inbox.set_aside(boxes.received(who, seed))
        boxes.sent(who, seed + 10)
    boxes.sent("nameless", 20, answer.record_id)
    boxes.set_aside()
    before = rest(desk.home.folder)

    (done,) = erase(keeper, answer.record_id)

    after = rest(desk.home.folder)
    gone = [name for name in before if "box/" in name and name not in after]
    assert sorted(name.split("/")[0] for name in gone if name.endswith(".dcm")) == ["inbox", "outbox", "outbox"]
    assert patients.found(PEOPLE["quill"], everywhere(desk.home)) == []
    left = [name for name in after if "box/" in name and name.endswith(".dcm")]
    assert sorted(name.split("/")[0] for name in left) == ["inbox", "outbox"]
    assert {path.name for path in (desk.home.folder / "outbox" / "failed").iterdir()} == {
        name.split("/")[2] for name in left if name.startswith("outbox")
    }
    said = desk.ledger.read(desk.ledger.find(done.receipt.record_id)).predicate
    assert done.removed == len(said["removed"]) == 4 + 3  # type: ignore[arg-type]
    assert said["records"] == [answer.record_id]
    with pytest.raises(UsageError):
        erasure.erase(keeper, people.of_record(keeper, answer.record_id), WHY)


@pytest.mark.verifies("SRS-PRV-011")
def test_an_instance_that_was_never_decided_goes_with_the_record_of_its_refusal(
    desk: Desk, keeper: Keeper, boxes: Boxes
) -> None:
    entry = boxes.received("nameless", 2)
    path = boxes.inbox.path(entry)
    refused = standing.refuse_request(Input(path), desk, entry.request_id, Reason("E-INBOX-ATTEMPTS", "No.", "Look."))
    boxes.inbox.set_aside(entry)
    (done,) = erase(keeper, refused.record_id)
    assert done.removed == 1
    assert list((desk.home.folder / "inbox" / "failed").iterdir()) == []


@pytest.mark.verifies("SRS-PRV-011")
@pytest.mark.parametrize("box", ["inbox", "outbox", "outbox, by its record"])
def test_what_waits_stops_the_erasure_and_is_named(
    box: str, desk: Desk, keeper: Keeper, case: Case, boxes: Boxes
) -> None:
    answer, other = case("quill", 1), case("umlaut", 2)
    if box == "inbox":
        name = boxes.received("quill", 3).request_id
    elif box == "outbox":
        name = boxes.sent("quill", 3)
    else:
        name = boxes.sent("nameless", 3, answer.record_id)
    before, size = rest(desk.home.folder), desk.ledger.size
    with pytest.raises(BusyError) as caught:
        erase(keeper, answer.record_id)
    assert (caught.value.code, caught.value.exit_code) == ("E-ERASE-WAITING", ExitCode.RETRY)
    assert name in str(caught.value)
    assert (rest(desk.home.folder), desk.ledger.size) == (before, size)
    assert erase(keeper, other.record_id)


@pytest.mark.verifies("SRS-PRV-011", "SRS-PRV-003")
def test_a_crash_after_the_record_is_made_good_in_the_boxes_too(
    desk: Desk, keeper: Keeper, case: Case, boxes: Boxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = case("quill", 1)
    boxes.inbox.set_aside(boxes.received("quill", 2))

    def crashes(*_: object) -> None:
        raise ConfigurationError("E-HOME-WRITE", "The disk is gone.", remedy="Bring it back.")

    with monkeypatch.context() as crash:
        crash.setattr(erasure, "_remove", crashes)
        with pytest.raises(ConfigurationError):
            erase(keeper, answer.record_id)
    assert patients.found(PEOPLE["quill"], everywhere(desk.home)) != []
    erasure.finish(desk.home, desk.ledger)
    assert patients.found(PEOPLE["quill"], everywhere(desk.home)) == []


@pytest.mark.verifies("SRS-PRV-011")
def test_a_file_that_cannot_be_read_is_nobody_s(desk: Desk, keeper: Keeper, case: Case, boxes: Boxes) -> None:
    answer = case("quill", 1)
    (boxes.inbox.folder / "failed" / f"{new_id()}.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\x08\x00")
    assert erase(keeper, answer.record_id)
    assert len(list((boxes.inbox.folder / "failed").iterdir())) == 1
