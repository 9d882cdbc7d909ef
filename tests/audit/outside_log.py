# SPDX-License-Identifier: Apache-2.0
"""A log with every kind of record, and records made by hand, for the tests of what is given to other systems."""

from __future__ import annotations

import hashlib
from typing import Any

from hypothesis import strategies as st

from radiomicnet_md_audit import canonical, dsse, sign, statement
from radiomicnet_md_audit.canonical import Value
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.outside.rows import FROM_PREDICATE, Logged, logged
from tests.audit.sites import Site

KINDS = ("genesis", "decision", "replay", "export", "key-event")
KEY = sign.from_seed(bytes([13]) * 32)
MAKER = {
    "operator": "pacs:breast-us",
    "stamps": ["unqualified demonstration", "untrusted-key"],
    "release": {"id": "busi", "version": "0.3.0", "manifest_sha256": "a" * 64},
    "code": {"version": "0.3.0", "sha256": "b" * 64},
    "environment": {"python": "3.11.7", "sha256": "c" * 64},
    "configuration_sha256": "d" * 64,
}
INPUT = {
    "format": "dicom",
    "modality": "US",
    "file_sha256": "e" * 64,
    "pixels_sha256": "f" * 64,
    "commitments": {"PatientID": "1" * 64, "StudyInstanceUID": "2" * 64},
}
OUTPUTS = {"mask_sha256": "3" * 64, "contributions_sha256": "4" * 64, "mask_shape": [2, 3]}
REASON = {
    "code": "E-INPUT-SMALL",
    "text": 'The image has 3 × 4 pixels; "64 × 64" are needed.',
    "remedy": "Send it again.",
}


def drafts() -> list[dict[str, Any]]:
    """A result, a refusal, an error, a replay and an export, with what the device writes into them."""
    made: list[dict[str, Any]] = []

    def add(kind: str, subjects: dict[str, str], **more: object) -> None:
        identity = statement.record_id((len(made) + 1).to_bytes(16, "big"))
        made.append(statement.build(kind, subjects, {"record_id": identity, **MAKER, **more}))

    decided = {"input": "e" * 64, "mask": "3" * 64, "contributions": "4" * 64}
    add(statement.DECISION, decided, state="RESULT", request_id="r1", reason=None, input=INPUT, outputs=OUTPUTS)
    add(
        statement.DECISION,
        {"input": "e" * 64},
        state="REFUSED",
        request_id="r2",
        reason=REASON,
        input=INPUT,
        outputs=None,
    )
    add(
        statement.DECISION,
        {"request": "5" * 64},
        state="ERROR",
        request_id="r3",
        reason=REASON,
        input=None,
        outputs=None,
    )
    verdict = {
        "of": made[0]["predicate"]["record_id"],
        "verdict": "FIRST DIVERGENCE",
        "stage": "trunk",
        "text": "It differs.",
    }
    add(statement.REPLAY, {"record": "6" * 64}, **verdict)
    add(statement.EXPORT, {"checkpoint": "7" * 64}, size=5)
    return made


def fill(site: Site) -> None:
    """Make the site's log: the genesis and the drafts."""
    with site.create() as ledger:
        for draft in drafts():
            ledger.append(draft)


def read(ledger: Ledger) -> list[Logged]:
    """Every record of a log with its place, as the command line reads it."""
    return [logged(entry.index, entry.envelope, ledger.read(entry)) for entry in ledger.entries()]


def by_hand(kind: str, subjects: dict[str, str], index: int = 0, **predicate: object) -> Logged:
    """A signed record with this content, outside any log."""
    log = {
        "origin": "example.org/tests/log",
        "producer": KEY.public.keyid,
        "counter": index,
        "time_utc": "2026-01-02T03:04:05.678901Z",
        "monotonic_ns": 1,
    }
    identity = statement.record_id(hashlib.sha256(str(index).encode()).digest()[:16])
    payload = canonical.dumps(statement.build(kind, subjects, {"record_id": identity, **predicate, "log": log}))
    return logged(index, dsse.seal(payload, dsse.STATEMENT_TYPE, KEY), statement.parse(payload))


def key_event() -> Logged:
    """The kind of record that no log holds yet."""
    return by_hand(statement.KEY_EVENT, {"key": "8" * 64}, 7, operator="uid:1000")


# What a cell, an element or an attribute has to survive: any text, and what starts or breaks the forms.
_NASTY = st.sampled_from(["=", "+", "-", "@", "'", '"', ",", ";", "\t", "\r", "\n", "\uff1d", "\ufeff", "\x00", "\x1f"])
_NASTY_MARKUP = st.sampled_from(["<", ">", "&", "]]>", "\u2028", "\x85", "\ufffe", " ", "cmd|", "\U0001f600", "a", "1"])
_TEXT = st.one_of(
    st.lists(st.one_of(_NASTY, _NASTY_MARKUP), max_size=8).map("".join),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
_VALUE: st.SearchStrategy[Value] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), _TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(_TEXT, inner, max_size=2)),
    max_leaves=4,
)


_PATHS = [path for path in FROM_PREDICATE.values() if path[0] not in {"record_id", "log"}]
_KINDS = st.one_of(st.sampled_from([f"urn:radiomicnet-md:{kind}:1" for kind in (*KINDS, "erasure")]), _TEXT)
_NAMES = st.one_of(st.sampled_from(["input", "mask", "record"]), _TEXT.filter(bool))
_DIGESTS = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")


@st.composite
def foreign_records(draw: st.DrawFn) -> Logged:
    """A record of a known or unknown kind, with any value in some of the places that columns are taken from."""
    predicate: dict[str, Any] = {}
    for path, value in draw(st.dictionaries(st.sampled_from(_PATHS), st.one_of(_TEXT, _VALUE), max_size=5)).items():
        *above, name = path
        place = predicate
        for step in above:
            place = place.setdefault(step, {})
        place[name] = value
    subjects = draw(st.dictionaries(_NAMES, _DIGESTS, min_size=1, max_size=2))
    return by_hand(draw(_KINDS), subjects, draw(st.integers(0, 10**6)), **predicate)
