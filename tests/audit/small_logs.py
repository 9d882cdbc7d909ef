# SPDX-License-Identifier: Apache-2.0
"""Logs of a few entries in memory, without a database, to change one thing in and look at again."""

from __future__ import annotations

from collections.abc import Sequence

from radiomicnet_md_audit import canonical, checkpoint, dsse, merkle, sign, statement
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit.anchor import Anchored
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.policy import Policy, Span

ORIGIN = "example.org/tests/log"
ENGINE, OTHER, STRANGER = (sign.from_seed(bytes([n]) * 32) for n in (31, 32, 33))
KEYS, FOREIGN = LogKeys(sign.from_seed(bytes([34]) * 32)), LogKeys(STRANGER)
ENGINES = (ENGINE.public, OTHER.public)
POLICY = Policy(ORIGIN, ((KEYS.public(ORIGIN)[0], Span()),), tuple((key, Span()) for key in ENGINES))
FOREIGN_POLICY = Policy(ORIGIN, ((FOREIGN.public(ORIGIN)[0], Span()),), ((STRANGER.public, Span()),))

Pair = tuple[bytes, str]


def entry(index: int, key: sign.SigningKey = ENGINE, kind: str | None = None, **change: object) -> bytes:
    """One record as the device writes it, but for what is changed; ``log_counter`` changes the log's part."""
    predicate: dict[str, object] = {
        "record_id": statement.record_id((index + 1).to_bytes(16, "big")),
        "request_id": f"request-{index}",
        "state": "RESULT",
    }
    if index == 0:
        predicate |= policies.genesis_predicate(ORIGIN, KEYS.public(ORIGIN), ENGINE.public)
        predicate["engine_keys"] = [{"keyid": one.keyid, "ed25519": one.raw.hex()} for one in ENGINES]
    log: dict[str, object] = {
        "origin": ORIGIN,
        "producer": key.public.keyid,
        "counter": index,
        "time_utc": f"2026-01-01T00:00:{index % 60:02d}.000000Z",
        "monotonic_ns": index,
    }
    log |= {name.removeprefix("log_"): value for name, value in change.items() if name.startswith("log_")}
    predicate |= {name: value for name, value in change.items() if not name.startswith("log_")}
    predicate["log"] = log
    kind = kind or (statement.DECISION if index else statement.GENESIS)
    payload = canonical.dumps(statement.build(kind, {"input": f"{index:064x}"}, predicate))
    return dsse.seal(payload, dsse.STATEMENT_TYPE, key)


def log(entries: Sequence[bytes], keys: LogKeys = KEYS, origin: str = ORIGIN) -> list[Pair]:
    """These entries with the checkpoints that belong to them."""
    tree, pairs = merkle.Frontier(), []
    for envelope in entries:
        tree.append(merkle.leaf_hash(envelope))
        pairs.append((envelope, checkpoint.issue(Checkpoint(origin, tree.size, tree.root()), keys, 0)))
    return pairs


HONEST = [entry(index) for index in range(8)]
PAIRS = log(HONEST)[:6]
LINES = [
    Anchored(size, text, f"2026-01-01T00:00:{size - 1:02d}.000000Z").line()
    for size, (_, text) in enumerate(log(HONEST), 1)
]
ANCHOR = b"".join(LINES[:6])
