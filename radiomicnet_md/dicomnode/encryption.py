# SPDX-License-Identifier: Apache-2.0
"""DIMSE over TLS (PS3.15, B.9): each side shows a certificate, and each checks the other's, or there is no association.

Rules of this module:

- TLS 1.2 or later, as Python's own defaults have it; no protocol, cipher or check is a setting.
- Whom we call must have a certificate for the host that the configuration names.
- Who calls must have a certificate that the authorities of the file signed; there is no list of names beside it.
"""

from __future__ import annotations

import ssl

from radiomicnet_md.config import Tls
from radiomicnet_md.errors import ConfigurationError


def calling(tls: Tls) -> ssl.SSLContext:
    """How we call; :class:`ConfigurationError` ``E-TLS-FILE`` where a file is not what it should be."""
    return _context(tls, ssl.Purpose.SERVER_AUTH)


def answering(tls: Tls) -> ssl.SSLContext:
    """How we answer; the same error."""
    context = _context(tls, ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _context(tls: Tls, purpose: ssl.Purpose) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(purpose, cafile=str(tls.ca_file))
        context.load_cert_chain(tls.certificate_file, tls.key_file, password=_none)
    except (OSError, ValueError):  # ssl's errors are of the first kind
        raise ConfigurationError(
            "E-TLS-FILE",
            "Certificate, key and authorities for TLS cannot be read, or do not belong together.",
            remedy="Check the three files (PEM): the key has no passphrase and is the certificate's own.",
        ) from None
    return context


def _none() -> str:
    """No passphrase: OpenSSL would ask the terminal for one."""
    raise ValueError
