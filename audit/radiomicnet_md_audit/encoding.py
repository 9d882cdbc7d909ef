# SPDX-License-Identifier: Apache-2.0
"""Each byte string has one base64 text here, and every other text is refused.

RFC 4648 section 4 lets a decoder ignore the unused bits of the last character; whoever ignores them
accepts several texts for one value. Signed material must not have a second spelling.
"""

from __future__ import annotations

import binascii

from radiomicnet_md_audit.errors import IntegrityError


def b64encode(data: bytes) -> str:
    """Return the standard, padded base64 text of ``data``."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def decoded(text: bytes) -> bytes | None:
    """Return the bytes of a standard, padded base64 text in ASCII, or None where the text has any other form."""
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return None
    # Writing the bytes again and comparing refuses every other spelling.
    return data if binascii.b2a_base64(data, newline=False) == text else None


def b64decode(text: str) -> bytes:
    """Return the bytes of a standard, padded base64 text; raise :class:`IntegrityError` on any other form."""
    data = decoded(text.encode("ascii")) if text.isascii() else None
    if data is None:
        raise IntegrityError(
            "E-BASE64",
            "A text is not standard, padded base64 in its only accepted form.",
            remedy="Take the bytes again from where they were written; somebody or something re-encoded them.",
        )
    return data
