# SPDX-License-Identifier: Apache-2.0
"""Whom this reader trusts: which keys may speak for which log, and for which part of it.

Rules of this module:

- A policy is a JSON file of the exact form in ``FORMAT.md``; an unknown or missing key, a repeated key or an empty
  list is refused. An empty policy would make "nothing was checked" look like "all is well".
- Validity is counted in tree sizes, never in clock time: a key is valid ``from_size`` (included) ``until_size``
  (excluded); from ``compromised_from_size`` on, where that is given, it may have been in other hands. Entry ``i`` makes
  the tree of size ``i + 1`` and is judged at that size.
- Every log key that is valid at a size must have signed the checkpoint of that size.
- What a log says about its own keys (its genesis entry) has the same shape, but it is a claim, not trust.
- Whom outside the log the reader believes (witnesses, time-stamping authorities) is optional; a member that is there
  names at least one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeVar, cast

from radiomicnet_md_audit.cosignature import Cosigner
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.note import NAME, NoteKey
from radiomicnet_md_audit.sign import ED25519_PUBLIC_BYTES, VerifyingKey
from radiomicnet_md_audit.statement import GENESIS, Statement

_K = TypeVar("_K")

FORMAT = "radiomicnet-md-policy/1"
LOG_FORMAT = "radiomicnet-md-log/1"
LARGEST_POLICY = 1024 * 1024

_OPTIONAL = {"witnesses", "timestamp_authorities"}

# Certificates and nothing else: what they say is read where a time stamp is (``timestamp``).
_PEM = re.compile(r"(?:-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/=]{1,76}\n)+-----END CERTIFICATE-----\n)+")


@dataclass(frozen=True)
class Span:
    """Tree sizes from ``start`` (included) to ``stop`` (excluded; None is without end).

    From ``compromised`` on, if that is given, the key may have been in other hands.
    """

    start: int = 1
    stop: int | None = None
    compromised: int | None = None

    def __contains__(self, size: int) -> bool:
        """Say whether the tree of this size lies in the span."""
        return self.start <= size and (self.stop is None or size < self.stop)


@dataclass(frozen=True)
class Policy:
    """The keys of one log: ``log_keys`` sign its checkpoints, ``engine_keys`` its entries.

    ``witnesses`` may cosign its checkpoints; ``timestamp_authorities`` may stamp them, each a PEM text of the
    authority's own certificate and then its issuers'.
    """

    origin: str
    log_keys: tuple[tuple[NoteKey, Span], ...]
    engine_keys: tuple[tuple[VerifyingKey, Span], ...]
    witnesses: tuple[Cosigner, ...] = ()
    timestamp_authorities: tuple[str, ...] = ()

    def log_keys_at(self, size: int) -> tuple[NoteKey, ...]:
        """Return the keys that must have signed the checkpoint of this size."""
        return tuple(key for key, span in self.log_keys if size in span)

    def engine_keys_at(self, size: int) -> dict[str, VerifyingKey]:
        """Return the keys, by id, that may have signed the last entry of the tree of this size."""
        return {key.keyid: key for key, span in self.engine_keys if size in span}

    def with_outsiders_of(self, other: Policy) -> Policy:
        """Return these keys with the witnesses and time-stamping authorities of ``other``."""
        return replace(self, witnesses=other.witnesses, timestamp_authorities=other.timestamp_authorities)

    def changed(
        self, old: VerifyingKey | NoteKey, new: VerifyingKey | NoteKey, size: int, compromised: int | None
    ) -> Policy:
        """Return the keys with ``new`` in the place of ``old`` from ``size`` on."""
        return replace(
            self,
            log_keys=_succeeded(self.log_keys, old, new, size, compromised),
            engine_keys=_succeeded(self.engine_keys, old, new, size, compromised),
        )

    def keyids(self) -> set[str]:
        """Return the ids (SHA-256 of the public bytes, hex) of the keys without an end."""
        keys = ((key.keyid, span) for key, span in self.engine_keys)
        notes = ((key.key.keyid, span) for key, span in self.log_keys)
        return {keyid for keyid, span in (*keys, *notes) if span.stop is None}

    def compromised(self) -> set[tuple[int, int]]:
        """Return the sizes, from and to before, at which a key signed that may have been in other hands."""
        spans = [span for _, span in (*self.log_keys, *self.engine_keys)]
        return {(span.compromised, span.stop) for span in spans if span.compromised is not None and span.stop}

    def to_json(self) -> bytes:
        """Return the policy file, indented for people; :func:`parse` reads it back."""
        document = {
            "format": FORMAT,
            "origin": self.origin,
            "log_keys": [{"vkey": key.vkey(), **_sizes(span)} for key, span in self.log_keys],
            "engine_keys": [
                {"keyid": key.keyid, "ed25519": key.raw.hex(), **_sizes(span)} for key, span in self.engine_keys
            ],
        }
        outsiders: dict[str, list[str]] = {
            "witnesses": [witness.vkey() for witness in self.witnesses],
            "timestamp_authorities": list(self.timestamp_authorities),
        }
        document |= {name: texts for name, texts in outsiders.items() if texts}
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def genesis_predicate(origin: str, log_keys: tuple[NoteKey, ...], engine_key: VerifyingKey) -> dict[str, object]:
    """Return what the first entry of a log says: its name, its format and its keys."""
    return {
        "format": LOG_FORMAT,
        "origin": origin,
        "log_keys": [key.vkey() for key in log_keys],
        "engine_keys": [{"keyid": engine_key.keyid, "ed25519": engine_key.raw.hex()}],
    }


def from_genesis(statement: Statement) -> Policy:
    """Return what a log says about itself; raise :class:`IntegrityError` when the entry is no genesis."""
    match statement.predicate:
        case {
            "format": "radiomicnet-md-log/1",
            "origin": str(origin),
            "log_keys": [_, *_] as log_keys,
            "engine_keys": [_, *_] as engine_keys,
        } if statement.predicate_type == GENESIS:
            return Policy(
                origin,
                tuple((log_key(vkey, origin), Span()) for vkey in log_keys),
                tuple((engine_key(key), Span()) for key in engine_keys),
            )
    return _fail("The first entry is not the genesis of a log of this format.")


def parse(data: bytes) -> Policy:
    """Read a policy file; raise :class:`IntegrityError` ``E-POLICY`` for any other form."""
    if len(data) > LARGEST_POLICY:
        _fail("A policy is larger than a megabyte.")
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        _fail("A policy is not JSON, or repeats a key.")
    match document:
        case {
            "format": "radiomicnet-md-policy/1",
            "origin": str(origin),
            "log_keys": [_, *_] as log_keys,
            "engine_keys": [_, *_] as engine_keys,
            **more,
        } if more.keys() <= _OPTIONAL and NAME.fullmatch(origin):
            return Policy(
                origin,
                tuple(_spanned_log_key(item, origin) for item in log_keys),
                tuple(_spanned_engine_key(item) for item in engine_keys),
                tuple(Cosigner.from_vkey(text) for text in _texts(more, "witnesses")),
                tuple(authority_pem(text) for text in _texts(more, "timestamp_authorities")),
            )
    return _fail("A policy does not have the keys format, origin, log_keys and engine_keys in their form.")


def authority_pem(text: str) -> str:
    """Return a PEM text of certificates and nothing else; raise :class:`IntegrityError` ``E-POLICY`` for another."""
    if not _PEM.fullmatch(text):
        _fail("A time-stamping authority of a policy is not a PEM text of certificates alone.")
    return text


def _texts(document: Mapping[Any, object], name: str) -> list[str]:
    """Return an optional list: none where it is absent, at least one text where it is there, none of them twice."""
    found: list[str] = []
    if name in document:
        match document[name]:
            case [_, *_] as items:
                found = [item for item in items if isinstance(item, str)]
                if len(set(found)) == len(items):
                    return found
        _fail(f"The {name} of a policy are not different texts, at least one.")
    return found


def _spanned_log_key(item: object, origin: str) -> tuple[NoteKey, Span]:
    match item:
        case {"vkey": vkey, **span}:
            return log_key(vkey, origin), _span(span)
    return _fail("A log key of a policy is not vkey, from_size, until_size.")


def _spanned_engine_key(item: object) -> tuple[VerifyingKey, Span]:
    match item:
        case {"keyid": keyid, "ed25519": raw, **span}:
            return engine_key({"keyid": keyid, "ed25519": raw}), _span(span)
    return _fail("An engine key of a policy is not keyid, ed25519, from_size, until_size.")


def log_key(vkey: object, origin: str) -> NoteKey:
    """Read a log's verifier key; raise :class:`IntegrityError` for another form or another log's."""
    if not isinstance(vkey, str):
        _fail("A log key is not a verifier key text.")
    key = NoteKey.from_vkey(vkey)
    if key.name != origin:
        _fail("A log key bears another name than its log.")
    return key


def engine_key(item: object) -> VerifyingKey:
    """Read an engine's key (``keyid`` and ``ed25519``); raise :class:`IntegrityError` for any other form."""
    match item:
        case {"keyid": str(keyid), "ed25519": str(text), **more} if not more and _is_hex(text):
            key = VerifyingKey(bytes.fromhex(text))
            if key.keyid == keyid:
                return key
    return _fail("An engine key's id is not the SHA-256 of its 32 bytes.")


def _is_hex(text: str) -> bool:
    return len(text) == 2 * ED25519_PUBLIC_BYTES and set(text) <= set("0123456789abcdef")


def _span(sizes: dict[object, object]) -> Span:
    match sizes:
        case {"from_size": int(start), "until_size": int(stop), "compromised_from_size": int(since), **more}:
            if not more and 1 <= start <= since < stop and _counted(start, stop, since):
                return Span(start, stop, since)
        case {"from_size": int(start), "until_size": int() | None as stop, **more}:
            if not more and start >= 1 and (stop is None or start < stop) and _counted(start, stop):
                return Span(start, stop)
    return _fail("A key's from_size, until_size and compromised_from_size are not tree sizes in order.")


def _counted(*sizes: object) -> bool:
    return not any(isinstance(size, bool) for size in sizes)


def _sizes(span: Span) -> dict[str, int | None]:
    sizes = {"from_size": span.start, "until_size": span.stop}
    return sizes if span.compromised is None else {**sizes, "compromised_from_size": span.compromised}


def _succeeded(
    keys: tuple[tuple[_K, Span], ...], old: object, new: object, size: int, compromised: int | None
) -> tuple[tuple[_K, Span], ...]:
    """Return keys with the new one behind the old one, which ends; as they are where the old one is not among them."""
    after: list[tuple[_K, Span]] = []
    for key, span in keys:
        if key != old or span.stop is not None:
            after.append((key, span))
            continue
        start = None if compromised is None else max(compromised, span.start)
        after += [(key, Span(span.start, size, start)), (cast("_K", new), Span(size))]
    return tuple(after)


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError
    return document


def _fail(message: str) -> NoReturn:
    raise IntegrityError(
        "E-POLICY",
        message,
        remedy="Use a policy as `audit export` writes it, obtained from somebody you trust; see FORMAT.md.",
    )
