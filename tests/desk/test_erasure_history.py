# SPDX-License-Identifier: Apache-2.0
"""Whatever happens in whatever order: what the home keeps is what the unerased records are about, and nothing else."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from radiomicnet_md import home as homes
from radiomicnet_md import shelf, vault
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Answer, segment_file
from radiomicnet_md.errors import ConfigurationError, UsageError
from radiomicnet_md.privacy import erasure, history, holds, people
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.stored import verify_ledger
from tests import desks, patients
from tests.patients import PEOPLE, WHY

WHO = st.sampled_from(["quill", "umlaut", "nameless"])


class History(RuleBasedStateMachine):
    """A home, and beside it what should be in it."""

    def __init__(self, made: Path) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copytree(made, self.folder / "home")
        shutil.copyfile(homes.anchor_beside(made), self.folder / "home.anchor")
        self.desk = desks.make_desk(homes.open_home(self.folder / "home"), desks.FakeEngine())
        self.keeper = people.Keeper(self.desk.home, self.desk.ledger, self.desk.vault_key, "uid:0", lambda: None)
        self.kept: dict[str, tuple[str, Answer]] = {}  # by record id: whose, and what came out
        self.gone: dict[str, tuple[str, Answer]] = {}
        self.holds: list[tuple[str, str | None]] = []  # id, whose (None: everybody's)

    def teardown(self) -> None:
        self.desk.ledger.close()
        shutil.rmtree(self.folder)

    def _person(self, who: str, record_id: str) -> str:
        return record_id if who == "nameless" else who

    def _is_held(self, whose: str) -> bool:
        return any(covered in (None, whose) for _, covered in self.holds)

    @rule(who=WHO, seed=st.integers(1, 3))
    def decide(self, who: str, seed: int) -> None:
        path = patients.write(self.folder / "scan.dcm", PEOPLE[who], seed)
        answer = segment_file(path, self.desk, Target(self.folder / "out", str(self.desk.ledger.size), "png"))
        self.kept[answer.record_id] = (self._person(who, answer.record_id), answer)

    @precondition(lambda self: self.kept)
    @rule(data=st.data(), fails=st.sampled_from([None, None, "before", "after", "removal"]))
    def erase(self, data: st.DataObject, fails: str | None) -> None:
        record_id = data.draw(st.sampled_from(sorted(self.kept)))
        whose = self.kept[record_id][0]
        subject = people.of_record(self.keeper, record_id)
        if self._is_held(whose):
            with pytest.raises(holds.HeldError):
                erasure.erase(self.keeper, subject, WHY)
            return
        if fails is None:
            erasure.erase(self.keeper, subject, WHY)
        else:
            with failing(fails), pytest.raises(ConfigurationError):
                erasure.erase(self.keeper, subject, WHY)
            erasure.finish(self.desk.home, self.desk.ledger)
        if fails != "before":
            erased = {one: about for one, about in self.kept.items() if about[0] == whose}
            self.gone |= erased
            self.kept = {one: about for one, about in self.kept.items() if one not in erased}

    @precondition(lambda self: self.gone)
    @rule(data=st.data())
    def erase_again(self, data: st.DataObject) -> None:
        subject = people.of_record(self.keeper, data.draw(st.sampled_from(sorted(self.gone))))
        with pytest.raises(UsageError):
            erasure.erase(self.keeper, subject, WHY)

    @precondition(lambda self: self.kept)
    @rule(data=st.data(), everybody=st.booleans())
    def hold(self, data: st.DataObject, everybody: bool) -> None:  # noqa: FBT001 -- drawn by keyword
        record_id = data.draw(st.sampled_from(sorted(self.kept)))
        subject = None if everybody else people.of_record(self.keeper, record_id)
        receipt = holds.place(self.keeper, subject, "case 7")
        self.holds.append((receipt.record_id, None if everybody else self.kept[record_id][0]))

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        hold = data.draw(st.sampled_from(self.holds))
        holds.release(self.keeper, hold[0], "over")
        self.holds.remove(hold)

    @invariant()
    def the_home_keeps_what_it_should(self) -> None:
        assert history.erased(self.desk.ledger).keys() == self.gone.keys()
        assert [hold.id for hold in history.standing(self.desk.ledger)] == [hold for hold, _ in self.holds]
        people_of = {whose for whose, _ in self.kept.values()}
        subjects = list(vault.subjects(self.desk.home.folder, self.desk.vault_key))
        assert len(subjects) == len(people_of)
        assert sorted(one for subject in subjects for one in subject.records) == sorted(self.kept)
        for subject in subjects:
            assert len({self.kept[one][0] for one in subject.records}) == 1
            assert list(people.opened(self.keeper, subject)) == list(subject.records)
        artefacts = {name[-64:] for name in desks.tree(self.desk.home.artefacts)}
        outputs = {
            digest for _, answer in self.kept.values() for digest in (answer.mask_sha256, answer.contributions_sha256)
        }
        assert outputs <= artefacts
        assert len(artefacts) == 4 * len({answer.mask_sha256 for _, answer in self.kept.values()})
        assert all(shelf.fetch(self.desk.home.folder, digest) for digest in artefacts)


@contextmanager
def failing(where: str) -> Iterator[None]:
    """An erasure stops with an error: before its record, after it, or before a file is removed."""
    append = Ledger.append
    problem = ConfigurationError("E-STORE-WRITE", "The disk is full.", remedy="Free space.")

    def stops(*arguments: object) -> None:
        if where == "after":
            append(*arguments)  # type: ignore[arg-type]
        raise problem

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(*((erasure, "_remove") if where == "removal" else (Ledger, "append")), stops)
        yield


@pytest.mark.verifies("SRS-PRV-002", "SRS-PRV-003", "SRS-PRV-004", "SRS-PRV-005")
def test_every_history_leaves_what_the_unerased_records_are_about(
    made_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desks.remember_keys(monkeypatch)
    verified: list[bool] = []

    class Verified(History):
        def teardown(self) -> None:
            verified.append(verify_ledger(self.desk.ledger, self.desk.ledger.anchor_text()).ok)
            super().teardown()

    make: Callable[[], History] = lambda: Verified(made_home)  # noqa: E731 -- typed for the call below
    run_state_machine_as_test(make, settings=hypothesis.settings(max_examples=8, stateful_step_count=12))
    assert all(verified)
    assert len(verified) >= 8
