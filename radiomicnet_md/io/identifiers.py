# SPDX-License-Identifier: Apache-2.0
"""The same record gives the same DICOM identifiers, whoever writes the file and however often.

A batch may run a case twice; its objects must then be one object for every archive. So a UID is not
drawn but derived: the name is hashed, and the hash is written as a UUID-derived UID (PS3.5, B.2) of
UUID version 8 (RFC 9562, 5.8).
"""

from __future__ import annotations

import hashlib

_VERSION = 8 << 76
_VARIANT = 0b10 << 62
_KEEP = (1 << 128) - 1 - (0xF << 76) - (0b11 << 62)


def derive_uid(*names: str) -> str:
    """Return the UID of a sequence of names, ``2.25.`` and the decimal UUID, at most 44 characters."""
    digest = hashlib.sha256("\n".join(("radiomicnet-md", *names)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big') & _KEEP | _VERSION | _VARIANT}"


IMPLEMENTATION_CLASS_UID = derive_uid("implementation")
IMPLEMENTATION_VERSION_NAME = "RADIOMICNET_MD"
