# SPDX-License-Identifier: Apache-2.0
"""Each byte string has one base64 text here, and every other text is refused.

RFC 4648 section 4 lets a decoder ignore the unused bits of the last character; whoever ignores them
accepts several texts for one value. Signed material must not have a second spelling.
"""

from __future__ import annotations

import base64
import binascii

from radiomicnet_md_audit.errors import IntegrityError


def b64encode(data: bytes) -> str:
    """Return the standard, padded base64 text of ``data``."""
    return base64.b64encode(data).decode("ascii")


def b64decode(text: str) -> bytes:
    """Return the bytes of a standard, padded base64 text; raise :class:`IntegrityError` on any other form."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        data = None
    if data is None or b64encode(data) != text:
        raise IntegrityError(
            "E-BASE64",
            "A text is not standard, padded base64 in its only accepted form.",
            remedy="Take the bytes again from where they were written; somebody or something re-encoded them.",
        )
    return data
