# SPDX-License-Identifier: Apache-2.0
"""Id and passphrase open a person's key; every failure is counted in the log, and the fifth in a row locks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from radiomicnet_md import home as homes
from radiomicnet_md import people, shelf
from radiomicnet_md.desk import Desk
from radiomicnet_md.errors import UsageError
from radiomicnet_md.people import entering, keys, rules
from radiomicnet_md.people.place import folder
from radiomicnet_md_audit import canonical, seal, sign
from radiomicnet_md_audit.clock import Instant
from radiomicnet_md_audit.encoding import b64encode
from radiomicnet_md_audit.statement import SIGN_IN, USER
from radiomicnet_md_audit.stored import verify_ledger
from tests import desks
from tests.desks import FIRST, OTHER, OWN, Stretching

pytestmark = pytest.mark.verifies("SRS-SIG-002")


@pytest.fixture(autouse=True)
def stretching(monkeypatch: pytest.MonkeyPatch) -> Stretching:
    return desks.quick_stretching(monkeypatch)


@pytest.fixture
def admin(desk: Desk) -> people.Identity:
    """An administrator who has entered; beside them there is a reviewer."""
    desks.add_person(desk, "anna", "admin")
    identity = people.enter(desk, "anna", OWN)
    desks.add_person(desk, "rita", by=identity)
    return identity


def _fails(desk: Desk, user: str, passphrase: str) -> str:
    with pytest.raises(people.SignInError) as caught:
        people.enter(desk, user, passphrase)
    assert (caught.value.code, caught.value.exit_code) == ("E-SIGN-IN", 7)
    return f"{caught.value} {caught.value.remedy}"


def _outcomes(desk: Desk) -> list[tuple[object, object]]:
    said = [desk.ledger.read(entry).predicate for entry in desk.ledger.events(SIGN_IN)]
    return [(one["user"], one["outcome"]) for one in said]


def test_the_right_passphrase_opens_the_key_that_the_log_names(desk: Desk, admin: people.Identity) -> None:
    with people.enter(desk, "rita", OWN) as identity:
        person = people.roster(desk.ledger)["rita"]
        assert (identity.id, identity.name, identity.roles) == ("rita", "Rita Example", ("reviewer",))
        person.key.verify(identity.key.sign(b"x"), b"x")
        assert "rita" in repr(identity)
    with pytest.raises(people.SignInError):
        _ = identity.key
    assert _outcomes(desk) == []  # a success is told only where it ends failures


def test_five_failures_lock_for_every_process_and_at_any_time(
    desk: Desk, admin: people.Identity, home: homes.Home, engine: desks.FakeEngine
) -> None:
    for _ in range(4):
        _fails(desk, "rita", "wrong and wrong again")
    people.enter(desk, "rita", OWN).close()
    places = [desk, *(desks.make_desk(home, engine) for _ in range(2))]
    for number in range(5):
        _fails(places[number % 3], "rita", f"wrong and wrong again {number}")
    for place in places[1:]:
        place.ledger.close()
    assert [outcome for _, outcome in _outcomes(desk)] == [
        *["failed"] * 4,
        "succeeded",
        *["failed"] * 4,
        "locked",
    ]
    again = desks.make_desk(home, engine)  # after a restart
    for year in (1999, 2099):  # and whatever the clock says
        moment = Instant(datetime(year, 1, 1, tzinfo=UTC), 1)
        again.ledger._writer = replace(again.ledger.writer, clock=lambda moment=moment: moment)
        _fails(again, "rita", OWN)
    again.ledger.close()
    assert people.roster(desk.ledger)["rita"].locked
    people.unlock(desk, admin, "rita")
    people.enter(desk, "rita", OWN).close()
    report = verify_ledger(desk.ledger, None)
    assert report.ok, report.findings


def test_nobody_learns_why_and_nothing_typed_is_kept(
    desk: Desk, admin: people.Identity, home: homes.Home, stretching: Stretching
) -> None:
    desks.add_person(desk, "lena", by=admin)
    desks.add_person(desk, "dirk", by=admin)
    for _ in range(5):
        _fails(desk, "lena", "wrong and wrong again")
    people.disable(desk, admin, "dirk")
    typed = "typed-into-the-wrong-field"
    cases = [("rita", typed), ("lena", OWN), ("dirk", OWN), (typed, typed), ("../rita", OWN), ("RITA", OWN), ("", "")]
    told = set()
    for user, passphrase in cases:
        before, size = stretching.count, desk.ledger.size
        told.add(_fails(desk, user, passphrase))
        assert (stretching.count, desk.ledger.size) == (before + 1, size + 1)
    assert len(told) == 1
    assert _outcomes(desk)[-7:] == [(name, "failed") for name in ("rita", "lena", "dirk", None, None, None, None)]
    kept = b"".join(desks.tree(home.folder).values()) + b"".join(e.envelope for e in desk.ledger.entries())
    for secret in (typed, OWN, FIRST):
        assert secret.encode() not in kept
    assert verify_ledger(desk.ledger, None).ok


def test_guesses_at_the_same_moment_are_counted_one_by_one(desk: Desk, admin: people.Identity) -> None:
    def guess(number: int) -> str:
        return _fails(desk, "rita", f"wrong and wrong again {number}")

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(guess, range(8)))) == 1
    assert [outcome for _, outcome in _outcomes(desk)] == [*["failed"] * 4, "locked", *["failed"] * 3]
    assert verify_ledger(desk.ledger, None).ok


@pytest.mark.verifies("SRS-SIG-002", rc=("RC-030",))
def test_nobody_enters_uncounted(desk: Desk, admin: people.Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    _fails(desk, "rita", "wrong and wrong again")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(desk.ledger, "append", full)
    for passphrase in ("wrong and wrong again", OWN):
        with pytest.raises(OSError, match="No space"):
            people.enter(desk, "rita", passphrase)


def test_a_failure_of_somebody_unknown_locks_nobody(desk: Desk, admin: people.Identity) -> None:
    for _ in range(7):
        _fails(desk, "nobody", OWN)
    people.enter(desk, "rita", OWN).close()
    people.enter(desk, "anna", OWN).close()


# -- the file of a key -------------------------------------------------------------------------------------------------


def _file(desk: Desk, user: str) -> Path:
    (path,) = (folder(desk.home.folder) / user).iterdir()
    return path


@pytest.mark.verifies("SRS-SIG-005")
def test_the_key_lies_sealed_and_for_its_owner_alone(desk: Desk, admin: people.Identity) -> None:
    path = _file(desk, "rita")
    person = people.roster(desk.ledger)["rita"]
    assert path.name == f"{person.key.keyid}.json"  # the first one is wiped
    assert [oct(place.stat().st_mode & 0o777) for place in (path.parent.parent, path.parent, path)] == [
        "0o700",
        "0o700",
        "0o600",
    ]
    said = canonical.loads(path.read_bytes())
    assert isinstance(said, dict)
    assert {name: said[name] for name in ("format", "kdf", "kib", "lanes", "passes", "user", "ed25519")} == {
        "format": "radiomicnet-md-person/1",
        "kdf": "argon2id",
        "kib": 65536,
        "lanes": 4,
        "passes": 3,
        "user": "rita",
        "ed25519": person.key.raw.hex(),
    }
    path.chmod(0o640)
    _fails(desk, "rita", OWN)


@pytest.mark.verifies("SRS-SIG-005")
@pytest.mark.parametrize("member", ["format", "user", "ed25519", "kib", "salt", "sealed"])
def test_no_member_of_the_file_can_be_changed(desk: Desk, admin: people.Identity, member: str) -> None:
    path = _file(desk, "rita")
    said = canonical.loads(path.read_bytes())
    assert isinstance(said, dict)
    text = said[member]
    assert isinstance(text, int | str)
    said[member] = text + 1 if isinstance(text, int) else ("1" if text[0] == "0" else "0") + text[1:]
    path.write_bytes(canonical.dumps(said))
    assert keys.open_(desk.home.folder, "rita", people.roster(desk.ledger)["rita"].key, OWN) is None


@pytest.mark.verifies("SRS-SIG-005")
@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"salt":"0","sealed":"?"}', b'{"salt":"00","sealed":""}'])
def test_a_damaged_or_absent_file_opens_nothing(desk: Desk, admin: people.Identity, data: bytes) -> None:
    path = _file(desk, "rita")
    path.write_bytes(data)
    _fails(desk, "rita", OWN)
    path.unlink()
    _fails(desk, "rita", OWN)


@pytest.mark.verifies("SRS-SIG-005")
def test_no_passphrase_but_the_persons_own_opens_the_key(desk: Desk, admin: people.Identity) -> None:
    """Nor does another person's file in its place: an administrator has all files and their own passphrase."""
    desks.add_person(desk, "lena", by=admin)
    with people.enter(desk, "lena", OWN) as lena:
        people.set_passphrase(desk, lena, "lena", OTHER)
    mine, hers = _file(desk, "lena"), _file(desk, "rita")
    hers.write_bytes(mine.read_bytes())
    for passphrase in (OWN, OTHER, FIRST, desk.home.passphrase(environ={}).decode()):
        assert keys.open_(desk.home.folder, "rita", people.roster(desk.ledger)["rita"].key, passphrase) is None


@pytest.mark.verifies("SRS-SIG-005", rc=("RC-030",))
def test_a_key_that_somebody_else_sealed_under_the_persons_name_is_not_the_persons(tmp_path: Path) -> None:
    folder(tmp_path).mkdir(parents=True)
    hers = keys.make(tmp_path, "rita", OWN)
    assert keys.open_(tmp_path, "rita", hers.public, OWN) is not None
    assert keys.open_(tmp_path, "rita", hers.public, OTHER) is None
    salt = bytes(seal.SALT_BYTES)
    about = keys._about("rita", hers.public.raw.hex(), salt.hex())
    forged = seal.close(seal.stretched(rules.secret(OTHER), salt), bytes(32), canonical.dumps(about))
    (path,) = (folder(tmp_path) / "rita").iterdir()
    path.write_bytes(canonical.dumps({**about, "sealed": b64encode(forged)}))
    assert keys.open_(tmp_path, "rita", hers.public, OTHER) is None


@pytest.mark.verifies("SRS-SIG-005")
def test_a_passphrase_is_long_and_no_name() -> None:
    for passphrase in ("eleven sign", "x" * 12, "rita example", "R I T A Example", "ritarita" * 1, "", "y" * 1025):
        with pytest.raises(UsageError) as caught:
            rules.check(passphrase, "ritarita", "Rita Example")
        assert caught.value.code == "E-USER-PASSPHRASE"
    for passphrase in ("twelve signs", "zwölf Zeichen", "日本語の長い長い秘密の言葉"):
        rules.check(passphrase, "rita", "Rita Example")


@pytest.mark.verifies("SRS-SIG-005")
def test_a_passphrase_is_the_same_from_any_keyboard() -> None:
    assert rules.secret("Zu\u0308rich, im Ma\u0308rz") == rules.secret("Z\u00fcrich, im M\u00e4rz")


@pytest.mark.verifies("SRS-SIG-005")
@pytest.mark.verifies("SRS-SIG-005", rc=("RC-030",))
def test_stretching_is_argon2id_of_rfc_9106(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value is from argon2-cffi 25.1 (hash_secret_raw, 3 passes, 65536 KiB, 4 lanes, 32 bytes)."""
    monkeypatch.undo()
    found = seal.stretched(b"correct horse battery", b"0123456789abcdef")
    assert found.hex() == "5220483d4ba1637c5d5df43b377a7f6aed39a6159693d0029a3e4f76d50669ab"


# -- changes of people -------------------------------------------------------------------------------------------------


def _refused(code: str, use: Callable[[], object]) -> None:
    with pytest.raises(UsageError) as caught:
        use()
    assert caught.value.code == code


@pytest.mark.verifies("SRS-SIG-004")
def test_people_are_changed_by_an_administrator_alone(desk: Desk, admin: people.Identity) -> None:
    rita = people.enter(desk, "rita", OWN)
    size = desk.ledger.size
    for by in (None, rita):
        for use in (people.disable, people.enable, people.unlock):
            _refused("E-USER-RIGHT", lambda use=use, by=by: use(desk, by, "anna"))  # type: ignore[misc]
        _refused("E-USER-RIGHT", lambda by=by: people.add(desk, by, "mike", "Mike", ["admin"], FIRST))  # type: ignore[misc]
        _refused("E-USER-RIGHT", lambda by=by: people.set_roles(desk, by, "rita", ["admin"]))  # type: ignore[misc]
        _refused("E-USER-RIGHT", lambda by=by: people.set_passphrase(desk, by, "anna", FIRST))  # type: ignore[misc]
    assert desk.ledger.size == size
    people.set_roles(desk, admin, "rita", ["qa", "reviewer"])
    assert people.roster(desk.ledger)["rita"].roles == ("reviewer", "qa")


@pytest.mark.verifies("SRS-SIG-004")
def test_a_first_passphrase_is_for_one_use(desk: Desk, admin: people.Identity) -> None:
    people.add(desk, admin, "mike", "Mike Example", ["admin"], FIRST)
    mike = people.enter(desk, "mike", FIRST)
    _refused("E-USER-RIGHT", lambda: people.disable(desk, mike, "rita"))
    people.set_passphrase(desk, mike, "mike", OWN)
    _refused("E-USER-RIGHT", lambda: people.disable(desk, mike, "rita"))  # the key of before
    _fails(desk, "mike", FIRST)
    with people.enter(desk, "mike", OWN) as again:
        people.disable(desk, again, "rita")
    assert not people.roster(desk.ledger)["rita"].enabled


@pytest.mark.verifies("SRS-SIG-004", "SRS-SIG-005")
def test_a_passphrase_by_an_administrator_is_another_key_and_must_be_changed(
    desk: Desk, admin: people.Identity
) -> None:
    before = people.roster(desk.ledger)["rita"]
    people.set_passphrase(desk, admin, "rita", OTHER)
    after = people.roster(desk.ledger)["rita"]
    assert after.key != before.key
    assert (before.must_change, after.must_change) == (False, True)
    _fails(desk, "rita", OWN)
    people.enter(desk, "rita", OTHER).close()


@pytest.mark.verifies("SRS-SIG-004")
def test_what_makes_no_sense_is_refused_and_recorded_nowhere(desk: Desk, admin: people.Identity) -> None:
    size = desk.ledger.size
    for code, use in (
        ("E-USER-EXISTS", lambda: people.add(desk, admin, "rita", "Rita", ["qa"], FIRST)),
        ("E-USER-ID", lambda: people.add(desk, admin, "../mike", "Mike", ["qa"], FIRST)),
        ("E-USER-ID", lambda: people.add(desk, admin, "mike", " \x1b[31m", ["qa"], FIRST)),
        ("E-USER-ROLES", lambda: people.add(desk, admin, "mike", "Mike", [], FIRST)),
        ("E-USER-ROLES", lambda: people.set_roles(desk, admin, "rita", ["owner", "qa"])),
        ("E-USER-PASSPHRASE", lambda: people.add(desk, admin, "mike", "Mike", ["qa"], "short")),
        ("E-USER-PASSPHRASE", lambda: people.set_passphrase(desk, admin, "rita", "Rita Example")),
        ("E-USER-UNKNOWN", lambda: people.disable(desk, admin, "mike")),
        ("E-USER-UNKNOWN", lambda: people.set_passphrase(desk, admin, "mike", FIRST)),
        ("E-USER-SAME", lambda: people.enable(desk, admin, "rita")),
        ("E-USER-SAME", lambda: people.unlock(desk, admin, "rita")),
        ("E-USER-SAME", lambda: people.set_roles(desk, admin, "rita", ["reviewer"])),
    ):
        _refused(code, use)
    assert desk.ledger.size == size


@pytest.mark.verifies("SRS-SIG-004")
def test_the_home_takes_over_when_no_administrator_is_left_and_everybody_can_see_it(
    desk: Desk, admin: people.Identity
) -> None:
    for _ in range(5):
        _fails(desk, "anna", "forgotten, all of it")
    people.add(desk, None, "mike", "Mike Example", ["admin"], FIRST)
    _refused("E-USER-RIGHT", lambda: people.unlock(desk, None, "anna"))
    report = verify_ledger(desk.ledger, None)
    (claim,) = (claim for claim in report.claims if claim.name == "electronic signatures")
    unsigned = [e.index for e in desk.ledger.events(USER) if desk.ledger.read(e).predicate["by"] is None]
    assert len(unsigned) == 2
    assert claim.text.endswith(f"keys of the log alone by entries {unsigned[0]}, {unsigned[1]}.")


@pytest.mark.verifies("SRS-SIG-004", "SRS-SIG-005")
def test_what_a_crash_leaves_of_a_change_opens_nothing_and_goes_with_the_next(
    desk: Desk, admin: people.Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    rita = people.enter(desk, "rita", OWN)
    with monkeypatch.context() as patched:
        patched.setattr(desk.ledger, "append", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            people.set_passphrase(desk, rita, "rita", OTHER)
    assert len(list((folder(desk.home.folder) / "rita").iterdir())) == 2
    with pytest.raises(people.SignInError):
        people.enter(desk, "rita", OTHER)
    people.set_passphrase(desk, people.enter(desk, "rita", OWN), "rita", OTHER)
    assert len(list((folder(desk.home.folder) / "rita").iterdir())) == 1
    people.enter(desk, "rita", OTHER).close()


@pytest.mark.verifies("SRS-SIG-004")
def test_the_roster_is_read_on_from_where_it_was(
    desk: Desk, admin: people.Identity, home: homes.Home, engine: desks.FakeEngine
) -> None:
    assert set(people.roster(desk.ledger)) == {"anna", "rita"}
    other = desks.make_desk(home, engine)
    with people.enter(other, "anna", OWN) as identity:
        desks.add_person(other, "mike", by=identity)
    other.ledger.close()
    assert set(people.roster(desk.ledger)) == {"anna", "rita", "mike"}
    read: list[int] = []
    original = desk.ledger.read
    desk.ledger.read = lambda entry: (read.append(entry.index), original(entry))[1]  # type: ignore[method-assign,func-returns-value]
    people.roster(desk.ledger)
    assert read == []


def test_a_person_is_no_attempt_of_a_case(desk: Desk, admin: people.Identity) -> None:
    """What lies in ``people`` is nobody's staging, and an opening leaves it."""
    shelf.settle(desk.home.folder, lambda *_: False)
    people.enter(desk, "rita", OWN).close()
    assert entering.SignInError is people.SignInError
    assert isinstance(admin.key, sign.SigningKey)
