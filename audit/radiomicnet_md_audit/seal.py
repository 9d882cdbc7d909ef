# SPDX-License-Identifier: Apache-2.0
"""What must stay secret at rest is readable with the home's passphrase, and any change to it is noticed.

Rules of this module:

- One cipher: AES-256-GCM (NIST SP 800-38D) with a fresh random 96-bit nonce, which stands in front.
- A sealed blob is bound to its context (a record id): moved to another record, it does not open.
- A sealing key is random and wrapped under the passphrase with scrypt (RFC 7914), so that changing the
  passphrase rewrites one small file and no blob.
- What a person's own passphrase protects is stretched with Argon2id (RFC 9106 section 4, second recommended choice).
"""

from __future__ import annotations

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError

KEY_BYTES: Final = 32
ARGON2ID_KIB: Final = 65_536
ARGON2ID_PASSES: Final = 3
ARGON2ID_LANES: Final = 4
SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_WRAP_CONTEXT: Final = b"radiomicnet-md vault key 1"


def new_key() -> bytes:
    """A random 256-bit sealing key."""
    return secrets.token_bytes(KEY_BYTES)


def close(key: bytes, plain: bytes, context: bytes) -> bytes:
    """Nonce and ciphertext of ``plain``, bound to ``context``."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, context)


def open_(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """The plain bytes, or :class:`IntegrityError` when blob, key and context do not belong together."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        raise IntegrityError(
            "E-SEAL",
            "A sealed value was changed, moved to another record, or sealed with another key.",
            remedy="Restore the vault of this home from a backup.",
        ) from None


def wrap(key: bytes, passphrase: bytes) -> bytes:
    """The sealing key under a passphrase: salt, nonce, ciphertext."""
    salt = secrets.token_bytes(SALT_BYTES)
    return salt + close(_stretch(passphrase, salt), key, _WRAP_CONTEXT)


def unwrap(wrapped: bytes, passphrase: bytes) -> bytes:
    """The sealing key, or :class:`ConfigurationError` for a wrong passphrase."""
    try:
        return open_(_stretch(passphrase, wrapped[:SALT_BYTES]), wrapped[SALT_BYTES:], _WRAP_CONTEXT)
    except IntegrityError:
        raise ConfigurationError(
            "E-KEY-PASSPHRASE",
            "The passphrase does not open the vault of this home.",
            remedy="Give the passphrase that this home was made with.",
        ) from None


def stretched(passphrase: bytes, salt: bytes) -> bytes:
    """32 bytes from a person's passphrase, at Argon2id's cost of 64 MiB in 3 passes and 4 lanes."""
    return Argon2id(
        salt=salt, length=KEY_BYTES, iterations=ARGON2ID_PASSES, lanes=ARGON2ID_LANES, memory_cost=ARGON2ID_KIB
    ).derive(passphrase)


def _stretch(passphrase: bytes, salt: bytes) -> bytes:
    """32 bytes from a passphrase at scrypt's cost of 32 MiB (RFC 7914: N = 2**15, r = 8, p = 1)."""
    return Scrypt(salt=salt, length=KEY_BYTES, n=2**15, r=8, p=1).derive(passphrase)
