# SPDX-License-Identifier: Apache-2.0
"""A home's key is replaced whole or not at all, whenever its process is killed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md import home as homes
from radiomicnet_md import keyring, rekeying
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.home import Home, open_home
from radiomicnet_md_audit import statement
from radiomicnet_md_audit.keychange import Role
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.stored import verify_ledger
from radiomicnet_md_audit.verify import UNCOMPROMISED, Report
from tests import desks

pytestmark = pytest.mark.verifies("SRS-KEY-004")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    desks.remember_keys(monkeypatch)
    return homes.create(tmp_path / "home")


def _report(home: Home) -> Report:
    with home.reading_ledger() as ledger:
        return verify_ledger(ledger, ledger.anchor_text())


def _append(home: Home) -> str:
    """Append a record, and return the id of the key that signed it."""
    identity = statement.record_id(os.urandom(16))
    record = statement.build(statement.REPORT, {"file": "0" * 64}, {"record_id": identity})
    with home.writing_ledger(home.passphrase()) as ledger:
        return ledger.append(record).keyid


@pytest.mark.parametrize("role", list(Role))
def test_the_next_record_is_signed_by_the_new_keys(home: Home, role: Role) -> None:
    before = _append(home)
    done = rekeying.replace_key(home, role, home.passphrase())
    after = _append(home)
    assert (before == after) is (role is not Role.ENGINE)
    assert done.introduced in home.policy().keyids()
    assert done.retired not in home.policy().keyids()
    assert _report(home).ok
    with home.reading_ledger() as ledger:
        declared, trusted = ledger.declared, home.policy()
    assert (declared.log_keys, declared.engine_keys) == (trusted.log_keys, trusted.engine_keys)
    assert keyring.waiting(home.folder / "keys") == []


def test_the_old_private_key_is_gone(home: Home) -> None:
    old = (home.folder / "keys" / "engine.pem").read_bytes()
    rekeying.replace_key(home, Role.ENGINE, home.passphrase())
    assert all(path.read_bytes() != old for path in home.folder.rglob("*.pem"))


def test_a_stolen_key_is_revoked_since_a_time(home: Home) -> None:
    _append(home)
    done = rekeying.replace_key(home, Role.ENGINE, home.passphrase(), stolen="2020-01-01T00:00:00.000000Z")
    assert done.since == 1
    never = rekeying.replace_key(home, Role.LOG, home.passphrase(), stolen="2999-01-01T00:00:00.000000Z")
    assert never.since == never.log_index + 1  # the change itself
    (claim,) = (claim for claim in _report(home).claims if claim.name == UNCOMPROMISED)
    assert "Entries 0 to 2, 3 to 3 are" in claim.text


def test_a_wrong_passphrase_changes_nothing(home: Home) -> None:
    before = {path: path.read_bytes() for path in home.folder.rglob("*") if path.is_file()}
    with pytest.raises(ConfigurationError) as caught:
        rekeying.replace_key(home, Role.ENGINE, b"wrong")
    assert caught.value.code == "E-KEY-PASSPHRASE"
    assert {path: path.read_bytes() for path in home.folder.rglob("*") if path.is_file()} == before


def _kill_in(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, *, after: bool) -> None:
    done: Callable[..., Any] = getattr(owner, name)

    def killed(*given: object, **named: object) -> object:
        if after:
            done(*given, **named)
        os._exit(9)

    monkeypatch.setattr(owner, name, killed)


STEPS: dict[str, tuple[object, str, bool]] = {
    "before the key is made": (keyring, "make_next", False),
    "when its file is there": (keyring, "make_next", True),
    "before the record": (Ledger, "append", False),
    "after the record": (Ledger, "append", True),
    "before the policy": (homes, "replace_private", False),
    "after the policy": (homes, "replace_private", True),
    "before a file is in its place": (Path, "replace", False),
    "after the policy's file": (Path, "replace", True),
    "before the end": (keyring, "sync_folder", False),
}


@pytest.mark.parametrize("number", range(len(STEPS)), ids=STEPS.keys())
def test_a_killed_change_is_finished_or_undone(home: Home, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, after = list(STEPS.values())[number]
    role = list(Role)[number % len(Role)]
    child = os.fork()
    if child == 0:
        _kill_in(monkeypatch, owner, name, after=after)
        rekeying.replace_key(home, role, home.passphrase())
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    home = open_home(home.folder)
    _append(home)  # settles
    assert keyring.waiting(home.folder / "keys") == []
    report = _report(home)
    assert report.ok
    assert report.findings == ()
    with home.reading_ledger() as ledger:
        changed = bool(list(ledger.events(statement.KEY_EVENT)))
        assert ledger.declared.keyids() == home.policy().keyids()
    assert changed is (name not in ("make_next", "append") or (name == "append" and after))
    rekeying.replace_key(home, role, home.passphrase())  # and it can be changed again
    _append(home)
    assert _report(home).ok


def test_nobody_settles_the_keys_of_another_that_is_at_it(home: Home) -> None:
    """Whoever comes while a key is being changed waits for its end, and then finds the new one."""
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        with home.changing_keys(home.passphrase()), home.writing_ledger(home.passphrase()) as ledger:
            key = keyring.make_next(home.folder / "keys", "engine", home.passphrase(), home.origin)
            os.write(ready[1], b"x")
            os.read(go[0], 1)
            ledger.change_key(Role.ENGINE, key)
        os._exit(0)
    os.read(ready[0], 1)
    second = os.fork()
    if second == 0:
        os._exit(0 if _append(home) != _first(home) else 1)
    os.write(go[1], b"x")
    for pid in (child, second):
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert _report(home).ok


def _first(home: Home) -> str:
    with home.reading_ledger() as ledger:
        return ledger.read(next(ledger.entries())).log.producer
