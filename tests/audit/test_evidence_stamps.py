# SPDX-License-Identifier: Apache-2.0
"""A time stamp is a claim of the verification: it holds for this history and a pinned authority; OpenSSL stamps."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from radiomicnet_md_audit import checkpoint, export, policy
from radiomicnet_md_audit.bundle import verify_bundle
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.errors import ConfigurationError
from radiomicnet_md_audit.evidence import STAMPED, WITNESSED
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.policy import Policy
from radiomicnet_md_audit.stored import verify_ledger
from radiomicnet_md_audit.testimony import OutsideFile, Stamping, Vouched, beside
from radiomicnet_md_audit.verify import Claim, Report
from tests.audit.authorities import CONFIGURATION, DAY, NOW, Made, Maker, timestamp
from tests.audit.sites import Site
from tests.audit.trees import STRANGER
from tests.audit.witnessed import claim, codes, cosigned

pytestmark = pytest.mark.verifies("SRS-LOG-017")


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, require: Callable[[str], Path]) -> Maker:
    require("openssl")
    return Maker(tmp_path_factory)


@pytest.fixture(scope="module")
def authority(make: Maker) -> Made:
    return make()


@dataclass
class Stamped(Site):
    """A log whose reader pins authorities."""

    pinned: tuple[str, ...] = ()

    @property
    def policy(self) -> Policy:
        return replace(super().policy, timestamp_authorities=self.pinned)

    @property
    def outside(self) -> OutsideFile:
        return OutsideFile(beside(self.anchor))

    def note(self, size: int) -> str:
        with self.read() as ledger, ledger.store.read() as transaction:
            return transaction.note(size)

    def report(self, copy: bytes = b"") -> Report:
        with Ledger.open(self.url, None, None, self.anchor, policy=self.policy) as ledger:
            return verify_ledger(ledger, ledger.anchor_text(), outside=copy)


@pytest.fixture
def site(tmp_path: Path, authority: Made) -> Stamped:
    """A log of six entries, closed; nothing is stamped yet."""
    made = Stamped(tmp_path, pinned=(authority.pinned.to_pem(),))
    with made.create() as ledger:
        made.append(ledger, 5)
    return made


def vouched(authority: Made, note: str) -> Vouched:
    response, nonce = authority.stamp(note)
    return Vouched(note, Stamping(nonce, response))


def when(text: str) -> datetime:
    return datetime.strptime(text.split()[1], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def test_the_newest_stamp_is_told(site: Stamped, authority: Made, tmp_path: Path) -> None:
    site.outside.append(vouched(authority, site.note(5)))
    site.outside.append(vouched(authority, site.note(3)))
    report = site.report()
    assert report.ok
    shown = claim(report, STAMPED)
    assert shown.ok is True
    assert abs(when(shown.text) - datetime.now(UTC)) < timedelta(minutes=5)
    assert shown.text.endswith(" (within 1.5001 s) a pinned authority stamped 5 entries of 6, in this history.")
    assert claim(report, WITNESSED).ok is None
    with site.open() as ledger:
        export.write(ledger, tmp_path / "export")
    proposed = policy.parse((tmp_path / "export" / "policy.json").read_bytes())
    assert proposed == site.policy
    assert claim(verify_bundle(tmp_path / "export", proposed), STAMPED) == shown


def test_an_accuracy_that_is_not_stated_is_not_told(site: Stamped, authority: Made) -> None:
    asked = timestamp.request(site.note(6))
    plain = CONFIGURATION.format(ess="sha256").replace("accuracy = secs:1, millisecs:500, microsecs:100\n", "")
    assert "accuracy" not in plain
    (authority.folder / "plain.cnf").write_text(plain, encoding="utf-8")
    response = authority.answer(asked.der, "-config", "plain.cnf")
    site.outside.append(Vouched(site.note(6), Stamping(asked.nonce, response)))
    assert "Z a pinned authority stamped 6 entries" in claim(site.report(), STAMPED).text


def test_another_authority_is_counted_and_does_not_count(site: Stamped, make: Maker) -> None:
    site.outside.append(vouched(make(), site.note(5)))
    report = site.report()
    assert report.ok
    assert claim(report, STAMPED) == Claim(
        STAMPED,
        ok=None,
        text="No checkpoint is stamped by an authority that the policy pins. "
        "Checkpoints that nobody named vouches for agree: 1, up to 5.",
    )
    site.pinned = ()
    assert claim(site.report(), STAMPED).text.startswith("The policy pins no time-stamping authority. ")


def test_without_the_library_the_claim_says_what_to_install(
    site: Stamped, authority: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.outside.append(vouched(authority, site.note(5)))
    monkeypatch.setitem(sys.modules, "radiomicnet_md_audit.timestamp", None)
    monkeypatch.delattr("radiomicnet_md_audit.timestamp", raising=False)
    report = site.report()
    assert report.ok
    assert claim(report, STAMPED).ok is None
    assert "cannot be read here: 1; pip install 'radiomicnet-md-audit[timestamp]'." in claim(report, STAMPED).text


def test_an_authority_that_is_none_is_a_mistake_of_the_reader(site: Stamped, authority: Made) -> None:
    site.outside.append(vouched(authority, site.note(5)))
    site.pinned = (timestamp.Authority(authority.root, ()).to_pem(),)
    with pytest.raises(ConfigurationError) as caught:
        site.report()
    assert caught.value.code == "E-TIMESTAMP-PIN"


def forged(site: Stamped, authority: Made, make: Maker) -> dict[str, tuple[str, Vouched]]:
    good, other = vouched(authority, site.note(3)), vouched(authority, site.note(4))
    assert good.stamping is not None
    response = bytearray(good.stamping.response)
    response[-1] ^= 1  # the signature's end
    foreign = checkpoint.issue(Checkpoint("example.org/other", 3, bytes(32)), LogKeys(site.log), 0)
    unsigned = checkpoint.issue(Checkpoint(site.origin, 3, bytes(32)), LogKeys(STRANGER), 0)
    expired = make(key=authority.key, start=NOW - 9 * DAY, stop=NOW - 8 * DAY)
    site.pinned = (*site.pinned, expired.pinned.to_pem())
    return {
        "its signature": (
            "E-TIMESTAMP-SIGNATURE",
            replace(good, stamping=Stamping(good.stamping.nonce, bytes(response))),
        ),
        "another nonce": ("E-TIMESTAMP-NONCE", replace(good, stamping=replace(good.stamping, nonce=5))),
        "another checkpoint": ("E-TIMESTAMP-IMPRINT", replace(other, note=site.note(3))),
        "another log": ("E-ORIGIN", vouched(authority, foreign)),
        "not the log's": ("E-CHECKPOINT-UNSIGNED", vouched(authority, unsigned)),
        "no response": ("E-DER", replace(good, stamping=Stamping(good.stamping.nonce, b""))),
        "expired": ("E-TIMESTAMP-SIGNATURE", vouched(expired, site.note(3))),
    }


@pytest.mark.parametrize(
    "name",
    ["its signature", "another nonce", "another checkpoint", "another log", "not the log's", "no response", "expired"],
)
def test_a_stamp_that_does_not_verify_is_a_finding(name: str, site: Stamped, authority: Made, make: Maker) -> None:
    code, bad = forged(site, authority, make)[name]
    site.outside.append(vouched(authority, site.note(6)))
    site.outside.append(bad)
    report = site.report()
    assert codes(report) == {code}
    assert claim(report, STAMPED).ok is False
    assert all(one.ok is not False for one in report.claims if one.name != STAMPED)


def test_rollback_and_fork_contradict_a_stamp_that_was_kept(site: Stamped, authority: Made, tmp_path: Path) -> None:
    with site.open() as ledger:
        site.append(ledger, 2)
    kept = vouched(authority, site.note(8)).line()
    (tmp_path / "again").mkdir()
    twin = Stamped(tmp_path / "again", count=100, pinned=site.pinned)
    with twin.create() as ledger:
        twin.append(ledger, 3)
    assert twin.report().ok
    report = twin.report(kept)
    assert codes(report) == {"E-TIMESTAMP-LEADS"}
    assert "a pinned authority stamped 8 entries, and it has 4: the log was set back" in report.findings[0].text
    with twin.open() as ledger:
        twin.append(ledger, 4)
    assert codes(twin.report(kept)) == {"E-TIMESTAMP-DIFFERS"}


def test_a_cosigned_note_may_be_stamped(site: Stamped, authority: Made) -> None:
    """What is stamped are the bytes of the note, whoever else has signed it."""
    text = cosigned(site.note(5))
    site.outside.append(vouched(authority, text))
    assert claim(site.report(), STAMPED).ok is True
