# SPDX-License-Identifier: Apache-2.0
"""Sends a request to a time-stamping authority over HTTP, and hands its answer on unread.

Source: RFC 3161 section 3.4. Rules of this module:

- The connection is that of ``post``; the answer has status 200 and the type ``application/timestamp-reply``.
- Nothing of the answer is believed here; ``timestamp`` reads and verifies it.
"""

from __future__ import annotations

from http import HTTPStatus

from radiomicnet_md_audit import post
from radiomicnet_md_audit.errors import BusyError, ConfigurationError

QUERY = "application/timestamp-query"
REPLY = "application/timestamp-reply"
_MOST = 64 * 1024 + 1  # one more than the longest answer that is read


def ask(url: str, request: bytes, seconds: float = post.SECONDS) -> bytes:
    """Return what the authority at ``url`` answers to a request (DER).

    Raises :class:`ConfigurationError` ``E-TIMESTAMP-URL`` for an address of another form, and :class:`BusyError`
    ``E-TIMESTAMP-UNREACHABLE`` where there is no usable answer within so many seconds.
    """
    try:
        reply = post.post(url, request, QUERY, most=_MOST, seconds=seconds)
    except ValueError:
        raise ConfigurationError(
            "E-TIMESTAMP-URL",
            "A time-stamping authority's address is not of the form https://HOST[:PORT][/PATH].",
            remedy="Give the address that the authority names for RFC 3161 over HTTP.",
        ) from None
    except OSError:
        raise _unusable("cannot be reached or did not answer in time") from None
    if reply.status != HTTPStatus.OK:
        raise _unusable(f"answered with status {reply.status}")
    if reply.content_type != REPLY:
        raise _unusable("did not answer with a time stamp")
    return reply.body


def _unusable(what: str) -> BusyError:
    return BusyError(
        "E-TIMESTAMP-UNREACHABLE",
        f"The time-stamping authority {what}.",
        remedy="Try again later, or carry the request there as a file. The log itself is not affected.",
    )
