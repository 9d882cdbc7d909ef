# SPDX-License-Identifier: Apache-2.0
"""A release that its maker has called back runs nowhere, however well its signature holds.

Rules of this module:

- A list of revoked releases is signed like a release, by a key that is trusted for releases here.
- A list that is there and cannot be read, or whose signature does not hold, is refused like a release that was
  changed: it may be the one that names this release. A list that is not there revokes nothing.
- Lists add up: what one of them names is revoked. A later list holds every entry of the earlier one
  (:func:`extended`), so that a newer list never sets a release free.

A list is ``revoked.json``: a DSSE envelope (type :data:`PAYLOAD_TYPE`) over canonical JSON
``{"revoked": [{"manifest_sha256", "id", "version", "date", "reason"}, …]}``. ``manifest_sha256`` is over the bytes of
the release's ``manifest.json``, as records name it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from radiomicnet_md.errors import IntegrityError
from radiomicnet_md_audit import canonical, dsse, sign

PAYLOAD_TYPE = "application/vnd.radiomicnet-md.revoked+json"
NAME = "revoked.json"
LARGEST = 1 << 20  # bytes; thousands of entries
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
Keys = Mapping[str, sign.VerifyingKey]


@dataclass(frozen=True, slots=True)
class Entry:
    """One release that may not run any more."""

    manifest_sha256: str
    id: str
    version: str
    date: str  # UTC, YYYY-MM-DD
    reason: str


def refuse_revoked(manifest_sha256: str, lists: Iterable[Path], keys: Keys) -> None:
    """Return when no list names the release; raise :class:`IntegrityError` when one does, or cannot be trusted."""
    for path in dict.fromkeys(lists):
        for entry in read(path, keys):
            if entry.manifest_sha256 == manifest_sha256:
                raise IntegrityError(
                    "E-RELEASE-REVOKED",
                    f"Release {entry.version} was revoked on {entry.date}: {entry.reason}",
                    remedy="Use a newer release. Look at what this one decided: radiomicnet-md audit list",
                )


def read(path: Path, keys: Keys) -> tuple[Entry, ...]:
    """The entries of a list, none where there is no such file; raises :class:`IntegrityError`."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _unusable(f"cannot be opened: {error.strerror}") from error
    try:
        with os.fdopen(handle, "rb") as stream:
            envelope = stream.read(LARGEST + 1)
    except OSError as error:  # a folder in its place
        raise _unusable(f"cannot be read: {error.strerror}") from error
    payload: Any = canonical.loads(dsse.open_(envelope, keys, PAYLOAD_TYPE).payload)
    try:
        entries = tuple(Entry(**{name: str(value) for name, value in row.items()}) for row in payload["revoked"])
    except (TypeError, KeyError, AttributeError):
        raise _unusable("does not have the parts that it must have") from None
    if not all(_DIGEST.fullmatch(entry.manifest_sha256) for entry in entries):
        raise _unusable("names no digest for one of its releases")
    return entries


def extended(entries: tuple[Entry, ...], new: Entry, key: sign.SigningKey) -> bytes:
    """A signed list of the entries so far and a new one."""
    rows = [asdict(entry) for entry in (*entries, new)]
    return dsse.seal(canonical.dumps({"revoked": rows}), PAYLOAD_TYPE, key)


def _unusable(what: str) -> IntegrityError:
    return IntegrityError(
        "E-REVOKED-LIST",
        f"The list of revoked releases {what}.",
        remedy="Fetch the list again from the maker of the release; without it nobody knows which release is revoked.",
    )
