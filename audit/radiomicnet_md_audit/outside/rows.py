# SPDX-License-Identifier: Apache-2.0
"""A record as one row of named values, each with the place in the record that it comes from.

Rules of this module:

- One table says which column is taken from where; all forms carry its columns.
- A column that a record has no value for is null. A value of an unexpected type is passed on as it is, so that records
  of kinds that are not known here lose nothing that their columns hold.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import cast

from radiomicnet_md_audit.canonical import Value
from radiomicnet_md_audit.statement import Statement

# Column by column: the path in the predicate.
FROM_PREDICATE: dict[str, tuple[str, ...]] = {
    "record_id": ("record_id",),
    "time_utc": ("log", "time_utc"),
    "origin": ("log", "origin"),
    "producer": ("log", "producer"),
    "counter": ("log", "counter"),
    "state": ("state",),
    "reason_code": ("reason", "code"),
    "reason_text": ("reason", "text"),
    "request_id": ("request_id",),
    "operator": ("operator",),
    "stamps": ("stamps",),
    "release_id": ("release", "id"),
    "release_version": ("release", "version"),
    "release_sha256": ("release", "manifest_sha256"),
    "code_version": ("code", "version"),
    "code_sha256": ("code", "sha256"),
    "environment_sha256": ("environment", "sha256"),
    "configuration_sha256": ("configuration_sha256",),
    "input_format": ("input", "format"),
    "input_modality": ("input", "modality"),
    "input_sha256": ("input", "file_sha256"),
    "pixels_sha256": ("input", "pixels_sha256"),
    "commitments": ("input", "commitments"),
    "mask_sha256": ("outputs", "mask_sha256"),
    "contributions_sha256": ("outputs", "contributions_sha256"),
    "replay_of": ("of",),
    "replay_verdict": ("verdict",),
    "replay_stage": ("stage",),
    "replay_text": ("text",),
}
COLUMNS = ("log_index", "envelope_sha256", "kind", "predicate_type", "subjects", *FROM_PREDICATE)

_KIND = re.compile(r"urn:radiomicnet-md:([a-z][a-z0-9-]*):\d+")


@dataclass(frozen=True)
class Logged:
    """A record and its place in the log."""

    index: int
    envelope_sha256: str
    said: Statement

    @property
    def kind(self) -> str:
        """``decision``, ``replay``, …: the word in the predicate type; ``other`` for a type that is not ours."""
        match = _KIND.fullmatch(self.said.predicate_type)
        return "other" if match is None else match[1]

    @property
    def subjects(self) -> list[tuple[str, str]]:
        """Name and SHA-256 of what the record is about, in its order."""
        listed = cast("list[dict[str, dict[str, str] | str]]", self.said.document["subject"])
        return [(cast("str", one["name"]), cast("dict[str, str]", one["digest"])["sha256"]) for one in listed]

    def row(self) -> dict[str, Value]:
        """The values of :data:`COLUMNS`, in their order."""
        place: dict[str, Value] = {
            "log_index": self.index,
            "envelope_sha256": self.envelope_sha256,
            "kind": self.kind,
            "predicate_type": self.said.predicate_type,
            "subjects": [{"name": name, "sha256": digest} for name, digest in self.subjects],
        }
        predicate = cast("Value", self.said.predicate)
        return place | {column: _at(predicate, path) for column, path in FROM_PREDICATE.items()}

    def texts(self) -> dict[str, str]:
        """The values that are there, as text."""
        return {column: text(value) for column, value in self.row().items() if value is not None}


def logged(index: int, envelope: bytes, said: Statement) -> Logged:
    """Return a record with its place; ``said`` is what the envelope says, read and checked by the caller."""
    return Logged(index, hashlib.sha256(envelope).hexdigest(), said)


def text(value: Value) -> str:
    """A value as text: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _at(value: Value, path: tuple[str, ...]) -> Value:
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
