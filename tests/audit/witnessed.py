# SPDX-License-Identifier: Apache-2.0
"""A log whose reader believes one witness, what that witness says, and what a report says of it."""

from __future__ import annotations

from dataclasses import replace

from radiomicnet_md_audit import checkpoint, sign
from radiomicnet_md_audit.cosignature import Cosigner, cosign, with_line
from radiomicnet_md_audit.evidence import WITNESSED
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.policy import Policy
from radiomicnet_md_audit.stored import verify_ledger
from radiomicnet_md_audit.testimony import OutsideFile, Vouched, beside
from radiomicnet_md_audit.verify import Claim, Report
from tests.audit.sites import Site
from tests.audit.trees import NAME, WITNESS

ONE = Cosigner(NAME, WITNESS.public)
SEEN = 1_790_000_000  # 2026-09-21


def cosigned(text: str, key: sign.SigningKey = WITNESS, name: str = NAME, seconds: int = SEEN) -> str:
    """The note with what a witness adds to it."""
    return with_line(text, cosign(checkpoint.parse_unverified(text)[0], name, key, seconds))


class Witnessed(Site):
    """A log whose reader believes one witness, with the notes of all its sizes at hand."""

    @property
    def policy(self) -> Policy:
        return replace(super().policy, witnesses=(ONE,))

    @property
    def outside(self) -> OutsideFile:
        return OutsideFile(beside(self.anchor))

    def note(self, size: int) -> str:
        with self.read() as ledger, ledger.store.read() as transaction:
            return transaction.note(size)

    def say(self, *notes: str) -> None:
        for text in notes:
            self.outside.append(Vouched(text))

    def report(self, copy: bytes = b"") -> Report:
        with Ledger.open(self.url, None, None, self.anchor, policy=self.policy) as ledger:
            return verify_ledger(ledger, ledger.anchor_text(), outside=copy)


def claim(report: Report, name: str = WITNESSED) -> Claim:
    return next(one for one in report.claims if one.name == name)


def codes(report: Report) -> set[str]:
    assert report.ok is not bool(report.findings)
    return {finding.code for finding in report.findings}
