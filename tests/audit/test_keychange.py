# SPDX-License-Identifier: Apache-2.0
"""Keys take each other's place by records that both have signed, and each entry is judged by the keys at its size."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiomicnet_md_audit import dsse, export, keychange, sign, statement
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit.bundle import verify_bundle
from radiomicnet_md_audit.checkpoint import LogKeys
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError
from radiomicnet_md_audit.keychange import Change, Role
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.note import NoteKey
from radiomicnet_md_audit.policy import Policy, Span
from radiomicnet_md_audit.stored import verify_ledger
from radiomicnet_md_audit.verify import TRUSTED, UNCOMPROMISED, Report
from tests.audit.sites import ORIGIN, Site

pytestmark = pytest.mark.verifies("SRS-KEY-003")


def _key(role: Role, seed: int) -> sign.SigningKey | sign.CosigningKey:
    return (sign.cosigner_from_seed if role is Role.COSIGNER else sign.from_seed)(bytes([seed]) * 32)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A log with all three keys, of the genesis and two records, closed."""
    made = Site(tmp_path, cosigner=sign.cosigner_from_seed(bytes([13]) * 32))
    with made.create() as ledger:
        made.append(ledger, 2)
    return made


def _change(site: Site, role: Role, seed: int, since: int | None = None) -> None:
    """Change a key, append a record with the new one, and let the site have it."""
    key = _key(role, seed)
    with site.open() as ledger:
        ledger.change_key(role, key, since)
        site.append(ledger)
        declared = ledger.declared
    field = {Role.ENGINE: "engine", Role.LOG: "log", Role.COSIGNER: "cosigner"}[role]
    setattr(site, field, key)
    site.changed = declared


def _verify(site: Site, policy: Policy | None = None) -> Report:
    with Ledger.open(site.url, None, None, None, policy=policy) as ledger:
        return verify_ledger(ledger, site.anchor.read_bytes())


@pytest.mark.parametrize("role", list(Role))
def test_a_key_is_followed_by_another(site: Site, role: Role) -> None:
    _change(site, role, 31)
    with site.open() as ledger:  # with the new key, and by the declared policy
        site.append(ledger)
        declared = ledger.declared
    assert _verify(site).ok
    assert _verify(site, declared).ok
    # The change is entry 3; the old key signs it, and the new one what follows.
    old, new = _spans(declared, role)
    assert (old, new) == (Span(1, 5), Span(5))


def _spans(keys: Policy, role: Role) -> list[Span]:
    if role is Role.ENGINE:
        return [span for _, span in keys.engine_keys]
    kind = sign.VerifyingKey if role is Role.LOG else sign.CosigningPublicKey
    return [span for key, span in keys.log_keys if isinstance(key.key, kind)]


def test_the_policy_file_tells_all_of_it(site: Site) -> None:
    _change(site, Role.ENGINE, 31)
    _change(site, Role.LOG, 32, since=2)
    with site.open() as ledger:
        declared = ledger.declared
    assert policies.parse(declared.to_json()) == declared
    assert b'"compromised_from_size": 2' in declared.to_json()


@pytest.mark.verifies("SRS-KEY-003", rc=("RC-018",))
def test_the_old_key_writes_no_more(site: Site) -> None:
    before = replace(site)
    _change(site, Role.ENGINE, 31)
    with pytest.raises(ConfigurationError) as caught:
        Ledger.open(site.url, before.engine, before.log, before.anchor, cosigner=before.cosigner)
    assert caught.value.code == "E-KEY-FOREIGN"


def test_the_ledger_that_changed_a_key_reads_on_with_its_policy(site: Site) -> None:
    with site.open() as ledger:
        ledger.change_key(Role.ENGINE, _key(Role.ENGINE, 31))
        site.append(ledger)
        assert [ledger.read(entry).log.counter for entry in ledger.entries(3)] == [3, 0]


@pytest.mark.parametrize("role", list(Role))
def test_a_writer_that_missed_the_change_is_refused(site: Site, role: Role) -> None:
    with site.open() as late, site.open() as ledger:
        site.append(late)
        ledger.change_key(role, _key(role, 31))
        with pytest.raises(ConfigurationError) as caught:
            site.append(late)
        assert caught.value.code == "E-KEY-FOREIGN"
        site.append(ledger)
    assert _verify(site).ok


def test_a_policy_of_before_is_not_enough(site: Site) -> None:
    old = site.policy
    _change(site, Role.ENGINE, 31)
    report = _verify(site, old)
    assert not report.ok
    assert [claim.ok for claim in report.claims if claim.name == TRUSTED] == [False]
    assert [(finding.index, finding.code) for finding in report.findings] == [(4, "E-KEY-UNTRUSTED")]


def test_what_a_stolen_key_signed_is_told_apart(site: Site) -> None:
    _change(site, Role.ENGINE, 31, since=3)  # entries 2 and 3: a record, and the change itself
    report = _verify(site)
    (claim,) = (claim for claim in report.claims if claim.name == UNCOMPROMISED)
    assert claim.ok is None
    assert "Entries 2 to 3 are" in claim.text
    assert report.ok


def test_an_export_after_changes_verifies(site: Site, tmp_path: Path) -> None:
    _change(site, Role.LOG, 31)
    with site.open() as ledger:
        ledger.change_key(Role.LOG, _key(Role.LOG, 32))  # the newest entry is a change of the key that signs manifests
        export.write(ledger, tmp_path / "export")
        declared, size = ledger.declared, ledger.size
    assert verify_bundle(tmp_path / "export", declared).ok
    guide = (tmp_path / "export" / "VERIFY.md").read_text("utf-8")
    assert declared.log_keys_at(size)[0].vkey() in guide  # the key of the checkpoint, not that of the manifest


def _forged(said: statement.Statement, **more: object) -> statement.Statement:
    return replace(said, predicate={**said.predicate, **more})


def _event(site: Site) -> tuple[Policy, statement.Statement, int]:
    """A change of keys as it stands in the log, the keys before it, and its size."""
    with site.open() as ledger:
        before = ledger.declared
        receipt = ledger.change_key(Role.ENGINE, _key(Role.ENGINE, 31), 2)
        (entry,) = ledger.events(statement.KEY_EVENT)
        payload = dsse.parse_unverified(entry.envelope).payload
    return before, statement.parse(payload), receipt.size


_OTHER = sign.from_seed(bytes([77]) * 32).public
_FORGERIES: dict[str, Callable[[statement.Statement], statement.Statement]] = {
    "another new key": lambda said: _forged(said, introduces={"keyid": _OTHER.keyid, "ed25519": _OTHER.raw.hex()}),
    "another old key": lambda said: _forged(said, retires={"keyid": _OTHER.keyid, "ed25519": _OTHER.raw.hex()}),
    "another role": lambda said: _forged(said, role="log"),
    "an unknown role": lambda said: _forged(said, role="owner"),
    "not stolen": lambda said: _forged(said, compromised_from_size=None),
    "stolen later": lambda said: _forged(said, compromised_from_size=3),
    "stolen before the log": lambda said: _forged(said, compromised_from_size=0),
    "a truth value": lambda said: _forged(said, compromised_from_size=True),
    "another record": lambda said: _forged(said, record_id="7" * 26),
    "no approvals": lambda said: _forged(said, approvals={}),
    "one approval": lambda said: _forged(said, approvals={"new": said.predicate["approvals"]["new"]}),
    "approvals changed over": lambda said: _forged(
        said, approvals={"old": said.predicate["approvals"]["new"], "new": said.predicate["approvals"]["old"]}
    ),
    "something more": lambda said: _forged(said, note="x"),
    "a key that the log knows": lambda said: _forged(said, introduces=said.predicate["retires"]),
}


def test_what_the_device_writes_is_accepted(site: Site) -> None:
    before, said, size = _event(site)
    after = keychange.applied(before, said, size)
    assert after.engine_keys == (
        (site.engine.public, Span(1, size + 1, 2)),
        (_key(Role.ENGINE, 31).public, Span(size + 1)),
    )


@pytest.mark.parametrize("forge", _FORGERIES.values(), ids=_FORGERIES.keys())
def test_no_part_of_a_change_can_be_exchanged(site: Site, forge: Callable[..., statement.Statement]) -> None:
    before, said, size = _event(site)
    with pytest.raises(IntegrityError):
        keychange.applied(before, forge(said), size)


def test_a_change_of_another_log_is_none_here(site: Site) -> None:
    before, said, size = _event(site)
    other = Policy("example.org/other", before.log_keys, before.engine_keys)
    with pytest.raises(IntegrityError) as caught:
        keychange.applied(other, said, size)
    assert caught.value.code == "E-KEY-EVENT"


def test_a_retired_key_does_not_come_back(site: Site) -> None:
    old = site.engine
    _change(site, Role.ENGINE, 31)
    with site.open() as ledger, pytest.raises(IntegrityError) as caught:
        ledger.change_key(Role.ENGINE, old)
    assert caught.value.code == "E-KEY-EVENT"


def test_who_has_the_engine_key_alone_changes_nothing(site: Site) -> None:
    """A thief's change needs the log key under the next checkpoint, and the old key's word."""
    thief = sign.from_seed(bytes([66]) * 32)
    with site.open() as ledger:
        change = Change(Role.LOG, NoteKey(ORIGIN, site.log.public), NoteKey(ORIGIN, thief.public))
        predicate = change.predicate(ORIGIN, "1" * 26, site.engine, thief)
        ledger.append(statement.build(statement.KEY_EVENT, {"key": change.introduces_sha256}, predicate))
    report = _verify(site)
    assert not report.ok
    assert [(finding.index, finding.code) for finding in report.findings] == [(3, "E-KEY-EVENT")]
    with pytest.raises(IntegrityError):
        site.open()
    with site.read() as ledger:  # a reader may look at it
        assert ledger.size == 4


def test_structure_alone_follows_the_keys_too(site: Site) -> None:
    for seed in (31, 32):
        _change(site, Role.LOG, seed)
    with Ledger.open(site.url, None, None, None) as ledger:
        report = verify_ledger(ledger, None, signatures=False)
    assert report.sound


@given(before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_a_change_is_never_overlooked(before: bytes, after: bytes) -> None:
    payload = before + b'"predicateType":"urn:radiomicnet-md:key-event:1"' + after
    assert keychange.may_be_change(base64.b64encode(payload))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(Role), st.integers(0, 3), st.booleans()), min_size=1, max_size=5))
def test_any_history_of_keys_verifies_and_its_policy_says_who_signed_what(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Role, int, bool]]
) -> None:
    site = Site(tmp_path_factory.mktemp("keys"), cosigner=sign.cosigner_from_seed(bytes([13]) * 32))
    with site.create() as ledger:
        for seed, (role, records, stolen) in enumerate(steps, 40):
            site.append(ledger, records)
            ledger.change_key(role, _key(role, seed), ledger.size if stolen else None)
        site.append(ledger)
        declared = ledger.declared
        size = ledger.size
        for entry in ledger.entries():
            keys = declared.engine_keys_at(entry.index + 1)
            assert dsse.parse_unverified(entry.envelope).keyid in keys
            assert len(keys) == 1
        for number in range(1, size + 1):
            assert [type(key.key) for key in declared.log_keys_at(number)] == [
                sign.VerifyingKey,
                sign.CosigningPublicKey,
            ]
    with Ledger.open(site.url, None, None, None, policy=declared) as reader:
        assert reader.declared == declared
        report = verify_ledger(reader, site.anchor.read_bytes())
    assert report.ok
    assert (UNCOMPROMISED in [claim.name for claim in report.claims]) == any(stolen for _, _, stolen in steps)


def test_log_keys_stay_in_the_order_of_their_lines(site: Site) -> None:
    _change(site, Role.LOG, 31)
    keys = LogKeys(site.log, site.cosigner).public(ORIGIN)
    with site.open() as ledger:
        assert ledger.declared.log_keys_at(ledger.size + 1) == keys
