# SPDX-License-Identifier: Apache-2.0
"""A home as the product makes it, its anchor, an export and what a careful reader keeps: to attack, and to verify.

Rules of this module:

- A scene is a copy of one home that the product's own commands made. It is verified through the product's own doors,
  ``radiomicnet-md audit verify`` and ``python -m radiomicnet_md_audit verify``, and nothing else.
- The reader's policy and the copy of the anchor lie in a folder of their own, where no attacker comes.
- Whoever attacks may use all keys; the catalogue says which ones an attack takes.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path

from radiomicnet_md import cli, home
from radiomicnet_md_audit import __main__ as offline
from radiomicnet_md_audit import checkpoint, dsse, merkle, settled, sign, statement
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit.anchor import Anchored
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.errors import IntegrityError, Problem
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.sqlite_store import SQLiteStore
from radiomicnet_md_audit.store import Row, Store, Transaction
from tests.audit.postgresql import Cluster

MASK = b"mask bytes"
MASK_DIGEST = hashlib.sha256(MASK).hexdigest()
DECISIONS = 5
SIZE = DECISIONS + 2  # the genesis before them, the record of the export after them


@dataclass(frozen=True)
class Outcome:
    """What a door said: its exit code, each claim by name, the codes of findings or of the refusal, and its words."""

    exit: int
    claims: dict[str, bool | None]
    codes: frozenset[str]
    words: str


@dataclass
class Scene:
    """A folder with everything in it; ``server`` is the PostgreSQL server that keeps the log, if one does."""

    folder: Path
    keys: home.Keys
    former: home.Keys = field(init=False)  # those before an honest change of one of them
    server: tuple[Cluster, str] | None = None

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def anchor(self) -> Path:
        return home.anchor_beside(self.home)

    @property
    def database(self) -> Path:
        return self.home / "audit.db"

    @property
    def export(self) -> Path:
        return self.folder / "export"

    @property
    def policy(self) -> Path:
        """The reader's own."""
        return self.folder / "reader" / "policy.json"

    @property
    def kept(self) -> Path:
        """The reader's copy of the anchor."""
        return self.folder / "reader" / "anchor"

    @property
    def url(self) -> str:
        if self.server is None:
            return f"sqlite:///{self.database}"
        return f"postgresql+psycopg://device@127.0.0.1:{self.server[0].port}/{self.server[1]}"

    @property
    def log_keys(self) -> LogKeys:
        return LogKeys(self.keys.log, self.keys.cosigner)

    @property
    def origin(self) -> str:
        return policies.parse(self.policy.read_bytes()).origin

    def audit(self, *arguments: str) -> Outcome:
        """Run ``radiomicnet-md audit …`` on the home."""
        where = ["--home", str(self.home), "--json"] + (["--audit-db", self.url] if self.server else [])
        return _heard(lambda: cli.main(["audit", *arguments, *where]))

    def verify(self, anchor: Path | None = None) -> Outcome:
        """Verify the log where it lies, with the anchor beside the home or a copy of it."""
        return self.audit("verify", *(["--anchor", str(anchor)] if anchor else []))

    def verify_export(self, anchor: Path | None = None, policy: Path | None = None) -> Outcome:
        """Verify the export on another machine, with the reader's policy or the one at ``policy``."""
        more = ["--anchor", str(anchor)] if anchor else []
        command = ["verify", str(self.export), "--policy", str(policy or self.policy), "--json", *more]
        return _heard(lambda: offline.main(command))

    def entries(self) -> list[bytes]:
        """The envelopes, as they are stored."""
        with self.stored() as transaction:
            return [row.envelope for row in transaction.rows(0, transaction.size())]

    def notes(self) -> list[str]:
        """The checkpoints, as they are stored."""
        with self.stored() as transaction:
            found = transaction.notes(1, transaction.size() + 1)
        return [found[size] for size in sorted(found)]

    @contextmanager
    def stored(self) -> Iterator[Transaction]:
        """Read the database, whatever it holds."""
        store = Store.open(self.url)
        try:
            with store.read() as transaction:
                yield transaction
        finally:
            store.close()

    def issued(self, envelopes: Sequence[bytes], keys: LogKeys) -> list[str]:
        """The checkpoints of these entries, signed by these keys."""
        tree, notes, origin = merkle.Frontier(), [], self.origin
        for envelope in envelopes:
            tree.append(merkle.leaf_hash(envelope))
            notes.append(checkpoint.issue(Checkpoint(origin, tree.size, tree.root()), keys, 1_800_000_000))
        return notes

    def rewrite(self, envelopes: Sequence[bytes], notes: Sequence[str]) -> None:
        """Make the log anew with these entries and checkpoints, guards, columns and nodes as the product makes them."""
        if self.server is None:
            for path in self.home.glob("audit.db*"):
                path.unlink()
        else:
            self.server[0].database()
        fill(self.url, envelopes, notes)
        self.settle()

    def settle(self) -> None:
        """Note the digest of the file as it is now, if it is a log's: whoever can change the file can do that."""
        if self.server is not None:
            return
        self.database.with_name("audit.db.settled").unlink(missing_ok=True)
        with suppress(Problem):
            store = SQLiteStore.reach(self.url)
            settled.write(store)
            store.close()

    def forge_anchor(self) -> None:
        """Write the anchor that the log as it is now would have written."""
        pairs = zip(self.entries(), self.notes(), strict=True)
        lines = [Anchored(n + 1, note, _time(e)).line() for n, (e, note) in enumerate(pairs)]
        self.anchor.write_bytes(b"".join(lines))


def fill(url: str, envelopes: Sequence[bytes], notes: Sequence[str]) -> None:
    """Make a log of these entries; a column that must not repeat gets another value where its record repeats."""
    tree, taken = merkle.Frontier(), set()
    with Store.create(url) as transaction:
        for index, (envelope, note) in enumerate(zip(envelopes, notes, strict=True)):
            nodes = tree.append(merkle.leaf_hash(envelope))
            row, kind = _row(index, envelope)
            again = Row(index, envelope, f"again-{index}", None, f"again-{index}", 0)
            keys = {("record", row.record_id), ("request", row.request or f"none-{index}"),
                    ("counter", f"{row.producer} {row.counter}")}  # fmt: skip
            transaction.add(again if keys & taken else row, kind, nodes, note)
            taken |= keys


def _row(index: int, envelope: bytes) -> tuple[Row, str | None]:
    try:
        said = _said(envelope)
    except IntegrityError:
        return Row(index, envelope, f"none-{index}", None, f"none-{index}", 0), None
    log = said.log
    row = Row(index, envelope, said.record_id, said.terminal_request, log.producer, log.counter)
    return row, statement.event(said.document)


def _said(envelope: bytes) -> statement.Statement:
    return statement.parse(dsse.parse_unverified(envelope).payload)


def _time(envelope: bytes) -> str:
    try:
        return _said(envelope).log.time_utc
    except IntegrityError:
        return "2026-01-01T00:00:00.000000Z"


def _heard(door: Callable[[], int]) -> Outcome:
    out, talk = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(talk):
        code = int(door())
    said = json.loads(out.getvalue().splitlines()[-1])
    claims = {claim["name"]: claim["ok"] for claim in said.get("claims", [])}
    reasons = [said["code"]] if "code" in said else [said["reason"]["code"]] if "reason" in said else []
    codes = frozenset(reasons) | {finding["code"] for finding in said.get("findings", [])}
    words = "\n".join([*(claim["text"] for claim in said.get("claims", [])), talk.getvalue()])
    return Outcome(code, claims, codes, words)


class Template:
    """The home that every scene is a copy of."""

    def __init__(self) -> None:
        """Make it in memory where there is such a place, with five decisions, an artefact and an export."""
        fast = Path("/dev/shm")  # noqa: S108 -- named by the kernel, not by us
        self.folder = Path(tempfile.mkdtemp(prefix="tampering-", dir=fast if fast.is_dir() else None))
        scene = Scene(self.folder / "template", None)  # type: ignore[arg-type]
        made = home.create(scene.home)
        scene.keys = self.keys = made.keys(made.passphrase())
        with Ledger.open(scene.url, self.keys.engine, self.keys.log, scene.anchor, cosigner=self.keys.cosigner) as log:
            for number in range(1, DECISIONS + 1):
                log.append(decision(number))
        place = scene.home / "artefacts" / MASK_DIGEST[:2] / MASK_DIGEST
        place.parent.mkdir()
        place.write_bytes(MASK)
        if scene.audit("export", str(scene.export)).exit:
            raise RuntimeError(scene.audit("export", str(scene.export)))
        scene.policy.parent.mkdir()
        shutil.copy(scene.home / "policy.json", scene.policy)
        shutil.copy(scene.anchor, scene.kept)
        self._entries, self._notes = scene.entries(), scene.notes()

    def scene(self, cluster: Cluster | None = None) -> Scene:
        """A copy to attack; with a server, the same log is kept there."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        shutil.copytree(self.folder / "template", folder, dirs_exist_ok=True)
        if cluster is None:
            return Scene(folder, self.keys)
        scene = Scene(folder, self.keys, server=(cluster, cluster.database()))
        fill(scene.url, self._entries, self._notes)
        return scene

    def remove(self, scenes: Iterable[Scene] = ()) -> None:
        """Remove these scenes, or all there is."""
        for folder in [scene.folder for scene in scenes] or [self.folder]:
            shutil.rmtree(folder)


def decision(number: int, **more: object) -> dict[str, object]:
    """A decision like those of the device, in small."""
    predicate = {
        "record_id": statement.record_id(number.to_bytes(16, "big")),
        "state": "RESULT",
        "request_id": f"request-{number}",
        "operator": "uid:1000",
        "reviewed": {"by": "A. Reader", "meaning": "approved"},
        "outputs": {"mask_sha256": MASK_DIGEST},
        **more,
    }
    return statement.build(statement.DECISION, {"input": f"{number:064x}"}, predicate)


def stranger(number: int = 1) -> sign.SigningKey:
    """A key that no log names."""
    return sign.from_seed(bytes([200 + number]) * 32)
