# SPDX-License-Identifier: Apache-2.0
"""Another installation, or a former one, enters a home by a record and by nothing else, and enters it unqualified."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from radiomicnet_md import checkup, opening, people, qualified, upgrade
from radiomicnet_md import home as homes
from radiomicnet_md.config import Settings, load
from radiomicnet_md.desk import Desk
from radiomicnet_md.engine import installation, starting
from radiomicnet_md.engine.release import Release
from radiomicnet_md.errors import IntegrityError, NotQualifiedError, Problem
from radiomicnet_md.intent import new_id
from radiomicnet_md.privacy.people import Keeper
from radiomicnet_md_audit.qualification import Installation, Qualification
from radiomicnet_md_audit.statement import QUALIFICATION, build
from radiomicnet_md_audit.stored import verify_ledger
from tests import desks
from tests.desks import OWN

pytestmark = pytest.mark.verifies("SRS-OPR-004")

PAGE = hashlib.sha256(b"what was checked").hexdigest()


def release(version: str, named: str = "fake") -> Release:
    manifest = {"id": named, "version": version, "created": "2026", "files": {}}
    return Release(Path(named), manifest, hashlib.sha256(version.encode()).hexdigest(), "", {})


class Machine:
    """What is installed, by a digit, and the release that is offered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.digit, self.release = "1", release("1.2.3")
        monkeypatch.setattr(installation, "code", lambda: {"version": self.digit, "sha256": self.digit * 64})
        monkeypatch.setattr(installation, "environment", lambda: {"sha256": "2" * 64, "python": "3"})
        monkeypatch.setattr(installation, "record_digests", lambda: {"numpy": self.digit * 64})
        monkeypatch.setattr(installation, "refuse_changed_files", lambda **_: None)
        monkeypatch.setattr(starting, "started", lambda _: desks.FakeEngine())
        monkeypatch.setattr(opening, "open_release", lambda *_, **__: self.release)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    desks.quick_stretching(monkeypatch)
    return Machine(monkeypatch)


@pytest.fixture
def settings(home: homes.Home) -> Settings:
    return load({"home": home.folder}, {})


@pytest.fixture
def qualify(desk: Desk, machine: Machine) -> Callable[[], None]:
    """``qualify()`` records what is installed as qualified, signed by Quinn of quality assurance."""
    desks.add_person(desk, "quinn", "qa")
    quinn = people.enter(desk, "quinn", OWN)
    files = (("report.html", PAGE), ("report.json", "7" * 64))

    def done() -> None:
        for kind in ("iq", "oq"):
            now, time = qualified.present(machine.release), desk.ledger.writer.clock().text()
            one = Qualification(kind, time, "PLT-001", "8" * 64, now, 3, {}, files).predicate()
            about = {"record_id": new_id(), "operator": "uid:0", "stamps": list(desk.home.stamps)}
            receipt = desk.ledger.append(build(QUALIFICATION, {"report": "7" * 64}, {**one, **about}))
            people.sign(desk, quinn, receipt.record_id, "qualify", None, {"report.html": PAGE})

    return done


def test_a_change_and_the_way_back_are_recorded_and_leave_the_home_unqualified(
    desk: Desk, keeper: Keeper, settings: Settings, machine: Machine, qualify: Callable[[], None]
) -> None:
    qualify()
    assert qualified.standing(desk.ledger, machine.release).qualified
    for digit, other in (("3", "1.3.0"), ("1", "1.2.3")):
        before = (machine.digit, machine.release)
        machine.digit, machine.release = digit, release(other)
        done = upgrade.take_in(settings, keeper, "  change request 12 ")
        assert done.changed == ("code", "release", "installed")
        assert done.said.before["release"]["version"] == before[1].version
        assert (done.said.before["installed"], done.said.now.installed) == (
            {"numpy": before[0] * 64},
            {"numpy": digit * 64},
        )
        assert desk.ledger.read(desk.ledger.find(done.receipt.record_id)).predicate["why"] == "change request 12"
        stands = qualified.standing(desk.ledger, machine.release)
        lack = f"there is no record of it since another installation was taken in by {done.receipt.record_id[:8]}"
        assert [one.partition(": ")[2] for one in stands.lacks] == [lack, lack]
        assert qualified.frozen(desk.home, stands) == {"numpy": digit * 64}
        qualify()
        assert qualified.standing(desk.ledger, machine.release).qualified
    report = verify_ledger(desk.ledger, desk.ledger.anchor_text())
    assert report.ok, report.findings


@pytest.mark.verifies("SRS-REL-003")
def test_a_release_goes_back_on_the_record_alone_and_then_it_is_the_one_in_force(
    desk: Desk, keeper: Keeper, settings: Settings, machine: Machine, qualify: Callable[[], None]
) -> None:
    qualify()  # its records name release 1.2.3
    machine.release = release("1.2.2")
    with pytest.raises(IntegrityError) as caught:
        opening.verified_release(settings, desk.ledger)
    assert (caught.value.code, "upgrade" in caught.value.remedy) == ("E-RELEASE-OLDER", True)
    upgrade.take_in(settings, keeper, "problem 8")
    assert opening.verified_release(settings, desk.ledger).version == "1.2.2"
    machine.release = release("1.2.1")
    with pytest.raises(IntegrityError):
        opening.verified_release(settings, desk.ledger)


@pytest.mark.verifies("SRS-REL-008")
def test_packages_that_a_home_was_not_made_with_are_taken_in(
    keeper: Keeper, settings: Settings, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = keeper.home.folder / "home.yaml"
    place.write_text(yaml.safe_dump({**yaml.safe_load(place.read_text()), "installed": {"numpy": "0" * 64}}))
    home = homes.open_home(keeper.home.folder)

    def started() -> object:
        return opening._started(machine.release, home, qualified.standing(keeper.ledger, machine.release))[0]

    refused = started()
    assert isinstance(refused, NotQualifiedError)
    assert (refused.code, "upgrade" in refused.remedy) == ("E-INSTALLATION-CHANGED", True)
    keeper = Keeper(home, keeper.ledger, keeper.vault_key, keeper.operator, keeper.settle)
    assert upgrade.take_in(settings, keeper, "new numpy").changed == ("installed",)
    assert isinstance(started(), desks.FakeEngine)
    monkeypatch.setattr(checkup, "_open_release", lambda _: machine.release)
    assert checkup.look("frozen packages", settings).seen == "1 as when it was upgraded"
    machine.digit = "5"
    assert isinstance(started(), NotQualifiedError)


def test_what_is_not_whole_or_not_new_is_not_taken_in(
    desk: Desk, keeper: Keeper, settings: Settings, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = _names(qualified.present(machine.release))
    desk.ledger.append(build(QUALIFICATION, {"report": "7" * 64}, {"record_id": new_id(), **parts}))
    size = desk.ledger.size

    def refused(why: str = "why") -> str:
        with pytest.raises(Problem) as caught:
            upgrade.take_in(settings, keeper, why)
        assert caught.value.remedy
        return caught.value.code

    assert refused() == "E-UPGRADE-SAME"
    machine.digit = "3"
    assert refused(" ") == "E-REASON"
    machine.release = release("2.0.0", "other")
    assert refused() == "E-RELEASE-OTHER"
    machine.release = release("2.0.0")
    machine.release.manifest["code_version"] = "99.1.0"  # type: ignore[index]
    assert refused() == "E-CODE-OTHER"
    machine.release = release("2.0.0")

    def damaged(**_: bool) -> None:
        raise NotQualifiedError("E-INSTALLATION-FILE", "A file is another.", remedy="make setup")

    monkeypatch.setattr(installation, "refuse_changed_files", damaged)
    assert refused() == "E-INSTALLATION-FILE"
    assert desk.ledger.size == size


def _names(now: Installation) -> dict[str, object]:
    return {name: dict(getattr(now, name)) for name in ("code", "environment", "release", "installed")}
