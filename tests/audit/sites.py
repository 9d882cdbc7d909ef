# SPDX-License-Identifier: Apache-2.0
"""A log with real keys, a real database and a real anchor, in a folder of its own, to use, check and attack."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from radiomicnet_md_audit import sign, statement
from radiomicnet_md_audit.appending import Receipt
from radiomicnet_md_audit.checkpoint import LogKeys
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.policy import Policy, Span
from radiomicnet_md_audit.stored import verify_ledger
from radiomicnet_md_audit.verify import Report

ORIGIN = "example.org/tests/log"


MASK = b"mask bytes"
MASK_DIGEST = hashlib.sha256(MASK).hexdigest()


@dataclass
class Site:
    """A folder with a log in it, and everything needed to use, check and attack it."""

    folder: Path
    engine: sign.Signer = field(default_factory=lambda: sign.from_seed(bytes([11]) * 32))
    log: sign.Signer = field(default_factory=lambda: sign.from_seed(bytes([12]) * 32))
    cosigner: sign.CosigningKey | None = None
    origin: str = ORIGIN
    count: int = 0
    changed: Policy | None = None  # the keys that the log has after changes of them

    @property
    def database(self) -> Path:
        return self.folder / "audit.db"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.database}"

    @property
    def anchor(self) -> Path:
        return self.folder / "log.anchor"

    @property
    def policy(self) -> Policy:
        if self.changed is not None:
            return self.changed
        keys = LogKeys(self.log, self.cosigner).public(self.origin)
        return Policy(self.origin, tuple((key, Span()) for key in keys), ((self.engine.public, Span()),))

    def create(self) -> Ledger:
        return Ledger.create(self.url, self.origin, self.engine, self.log, self.anchor, cosigner=self.cosigner)

    def open(self) -> Ledger:
        return Ledger.open(self.url, self.engine, self.log, self.anchor, cosigner=self.cosigner, policy=self.policy)

    def read(self) -> Ledger:
        return Ledger.open(self.url, None, None, None, policy=self.policy)

    def draft(self, **more: object) -> dict[str, object]:
        """A decision like those of the device, in small."""
        self.count += 1
        identity = statement.record_id(self.count.to_bytes(16, "big"))
        predicate = {"record_id": identity, "state": "RESULT", "request_id": f"request-{self.count}", **more}
        return statement.build(statement.DECISION, {"input": f"{self.count:064x}"}, predicate)

    def append(self, ledger: Ledger, count: int = 1) -> list[Receipt]:
        return [ledger.append(self.draft()) for _ in range(count)]

    def verify(self, *, anchor: bool = True) -> Report:
        with self.read() as ledger:
            return verify_ledger(ledger, self.anchor.read_bytes() if anchor else None)

    def administrate(self, *sql: str) -> None:
        """Do to the file what its administrator can: no guard of this project is in the way."""
        connection = sqlite3.connect(self.database, isolation_level=None)
        for line in sql:
            connection.execute(line)
        connection.close()
