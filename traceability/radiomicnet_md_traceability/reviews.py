# SPDX-License-Identifier: Apache-2.0
"""Which links a person has reviewed, over which words, signed with which key; nothing here is filled in by a program.

Rules of this module:

- ``locks/signers.yaml`` lists people: id, name, role, Ed25519 public key (base64) and the days it is valid.
- ``locks/reviews.yaml`` lists reviewed links: both ends with the stamps they had, who, when (UTC), and the signature
  over the entry without it, as JSON with sorted keys.
- A link that stands in no entry was not reviewed: a gap that blocks a release, and no finding.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from radiomicnet_md_audit.encoding import b64decode
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError
from radiomicnet_md_audit.sign import VerifyingKey

FOLDER = "locks"


@dataclass(frozen=True, slots=True)
class Reviews:
    """The entries as they were written, and the signers by id."""

    entries: tuple[Mapping[str, Any], ...] = ()
    signers: Mapping[str, Mapping[str, Any]] = ()  # type: ignore[assignment]


def read(items: Path) -> Reviews:
    """The reviews beside the items; empty where nobody has reviewed anything.

    Raises:
        ConfigurationError: a file is there and cannot be used (``E-TRACE-REVIEWS``).
    """
    try:
        entries = _rows(items / FOLDER / "reviews.yaml")
        signers = {str(row["id"]): row for row in _rows(items / FOLDER / "signers.yaml")}
        for entry in entries:
            _ = entry["parent"], entry["child"], entry["parent_stamp"], entry["child_stamp"], entry["by"], entry["utc"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigurationError(
            "E-TRACE-REVIEWS", "The file of reviews or of signers cannot be read.", remedy="Correct the file in locks/."
        ) from error
    return Reviews(tuple(entries), signers)


def message(entry: Mapping[str, Any]) -> bytes:
    """The bytes that a reviewer signs: the entry without its signature."""
    return json.dumps({k: v for k, v in entry.items() if k != "sig"}, sort_keys=True, separators=(",", ":")).encode()


def fault(entry: Mapping[str, Any], signers: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Why an entry's signature counts for nothing, or None where it holds."""
    signer = signers.get(str(entry["by"]))
    if signer is None:
        return f"is signed by {entry['by']}, who is no signer"
    day = str(entry["utc"])[:10]
    if day < str(signer["valid_from"]) or day > str(signer["valid_to"]):
        return f"was signed on {day}, when the key of {entry['by']} was not valid"
    if signer.get("revoked") and day >= str(signer["revoked"]):
        return f"was signed on {day}, after the key of {entry['by']} was revoked"
    try:
        VerifyingKey(b64decode(str(signer["key"]))).verify(b64decode(str(entry.get("sig", ""))), message(entry))
    except (IntegrityError, ValueError):
        return f"does not carry a signature of {entry['by']}"
    return None


def _rows(file: Path) -> list[dict[str, Any]]:
    content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else []
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise TypeError
    return content
