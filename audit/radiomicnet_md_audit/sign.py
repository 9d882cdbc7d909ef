# SPDX-License-Identifier: Apache-2.0
"""The only file that holds private keys: Ed25519 for records and checkpoints, ML-DSA-44 beside it for checkpoints.

Rules of this module:

- A key is known by its id, the SHA-256 of its raw public bytes in hex.
- A private key file is an encrypted PKCS#8 (RFC 5958, PBES2 of RFC 8018) with scrypt (RFC 7914: N 2**14, r 8, p 5)
  and AES-256-CBC, readable by ``openssl pkey``. It is created with mode 0600 and refused when looser.
- Nothing unencrypted is read or written, and no key file is ever overwritten.
- A key of small order, under which anybody can sign, and a second spelling of a key have no valid signature here.
- Verification raises; it never returns a truth value that somebody could forget to look at.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from radiomicnet_md_audit.disk import sync_folder
from radiomicnet_md_audit.encoding import b64encode
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError

SIGNATURE_BYTES = 64
ED25519_PUBLIC_BYTES = 32
MLDSA44_PUBLIC_BYTES = 1312
MLDSA44_SIGNATURE_BYTES = 2420

SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 5
LARGEST_KEY_FILE = 8192

# RFC 8018 appendix C, RFC 7914 section 7, NIST CSOR: object identifiers as DER contents.
_OID_PBES2 = bytes.fromhex("2a864886f70d01050d")
_OID_SCRYPT = bytes.fromhex("2b06010401da47040b")
_OID_AES256_CBC = bytes.fromhex("60864801650304012a")
# RFC 8032 section 5.1: the field, and the y of the eight points whose order divides the cofactor; the top bit of the
# last byte is a sign. A y beyond the field has to be refused (5.1.3); OpenSSL checks neither.
_FIELD = 2**255 - 19
_Y = 2**255 - 1
_SMALL_ORDER_Y = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    }
)

_SEQUENCE, _INTEGER, _OCTETS, _OID = 0x30, 0x02, 0x04, 0x06


@dataclass(frozen=True)
class VerifyingKey:
    """An Ed25519 public key, by its 32 raw bytes (RFC 8032)."""

    raw: bytes

    @cached_property
    def keyid(self) -> str:
        """SHA-256 of the raw public bytes, 64 hex digits."""
        return hashlib.sha256(self.raw).hexdigest()

    @cached_property
    def _loaded(self) -> Ed25519PublicKey:
        """The library's key; made once, because a log has few keys and many signatures."""
        y = int.from_bytes(self.raw, "little") & _Y
        if y >= _FIELD or y in _SMALL_ORDER_Y:
            raise _bad_signature()
        return Ed25519PublicKey.from_public_bytes(self.raw)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Return when the signature holds; raise :class:`IntegrityError` ``E-SIGNATURE`` when it does not."""
        try:
            self._loaded.verify(signature, message)
        except (InvalidSignature, ValueError):
            raise _bad_signature() from None

    def to_pem(self) -> bytes:
        """Return the SubjectPublicKeyInfo in PEM, as ``openssl pkey -pubin`` reads it."""
        return Ed25519PublicKey.from_public_bytes(self.raw).public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @classmethod
    def from_pem(cls, pem: bytes) -> VerifyingKey:
        """Read a PEM public key; raise :class:`ConfigurationError` ``E-KEY-FORM`` when it is no Ed25519 key."""
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):  # a damaged key file can name any algorithm
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise _bad_key_file("is no Ed25519 public key in PEM form")
        return cls(key.public_bytes_raw())


@dataclass(frozen=True)
class CosigningPublicKey:
    """An ML-DSA-44 public key (FIPS 204), by its 1312 raw bytes."""

    raw: bytes

    @cached_property
    def keyid(self) -> str:
        """SHA-256 of the raw public bytes, 64 hex digits."""
        return hashlib.sha256(self.raw).hexdigest()

    @cached_property
    def _loaded(self) -> MLDSA44PublicKey:
        """The library's key, made once."""
        return MLDSA44PublicKey.from_public_bytes(self.raw)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Return when the signature (empty context) holds; raise :class:`IntegrityError` when it does not."""
        try:
            self._loaded.verify(signature, message)
        except (InvalidSignature, ValueError):
            raise _bad_signature() from None


class _PrivateKey(Protocol):
    def private_bytes(
        self,
        encoding: serialization.Encoding,
        format: serialization.PrivateFormat,  # noqa: A002 -- the library's own parameter name
        encryption_algorithm: serialization.KeySerializationEncryption,
    ) -> bytes: ...


class Signer(Protocol):
    """Whatever signs with Ed25519 and shows its public half alone: a key from a file, or one that stays in a token."""

    @property
    def public(self) -> VerifyingKey:
        """The public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature (RFC 8032)."""
        ...


class SigningKey:
    """An Ed25519 private key; it signs, and gives away nothing but its public half."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        """Hold ``key``."""
        self._key = key
        self.public = VerifyingKey(key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature (RFC 8032, deterministic)."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        """Name the key by its id only."""
        return f"SigningKey({self.public.keyid[:16]}…)"


class CosigningKey:
    """An ML-DSA-44 private key of the log, for the cosignature beside each Ed25519 checkpoint signature."""

    def __init__(self, key: MLDSA44PrivateKey) -> None:
        """Hold ``key``."""
        self._key = key
        self.public = CosigningPublicKey(key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return a 2420-byte signature (FIPS 204, hedged: two calls differ)."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        """Name the key by its id only."""
        return f"CosigningKey({self.public.keyid[:16]}…)"


def generate() -> SigningKey:
    """Return a new Ed25519 key from the operating system's randomness."""
    return SigningKey(Ed25519PrivateKey.generate())


def generate_cosigner() -> CosigningKey:
    """Return a new ML-DSA-44 key from the operating system's randomness."""
    return CosigningKey(MLDSA44PrivateKey.generate())


def from_seed(seed: bytes) -> SigningKey:
    """Return the Ed25519 key of a 32-byte seed (RFC 8032 section 5.1.5)."""
    return SigningKey(Ed25519PrivateKey.from_private_bytes(seed))


def cosigner_from_seed(seed: bytes) -> CosigningKey:
    """Return the ML-DSA-44 key of a 32-byte seed; for test vectors, whose keys are public anyway."""
    return CosigningKey(MLDSA44PrivateKey.from_seed_bytes(seed))


def save_private(key: SigningKey | CosigningKey, path: Path, passphrase: bytes) -> None:
    """Write an encrypted key file with mode 0600, and return when it is on the disk.

    Raises :class:`ConfigurationError` for an empty passphrase or a path that exists or cannot be written.
    """
    if not passphrase:
        raise ConfigurationError(
            "E-KEY-PASSPHRASE-EMPTY",
            "A private key is never written with an empty passphrase.",
            remedy="Give a passphrase, or a file that holds one.",
        )
    pem = _encrypted_pem(key._key, passphrase)  # noqa: SLF001 -- this module is the keys' only friend
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except FileExistsError:
        raise ConfigurationError(
            "E-KEY-EXISTS",
            "A key file is already there, and keys are never overwritten.",
            remedy="Choose another place, or move the old key away if it is no longer needed.",
        ) from None
    except OSError as error:
        raise ConfigurationError(
            "E-KEY-WRITE",
            f"A key file cannot be written ({error.strerror}).",
            remedy="Check the folder's permissions and the free space.",
        ) from None


def load_private(path: Path, passphrase: bytes) -> SigningKey:
    """Read an Ed25519 key file; raise :class:`ConfigurationError` on a wrong passphrase, form or file mode."""
    key = _load(path, passphrase)
    if not isinstance(key, Ed25519PrivateKey):
        raise _bad_key_file("is no Ed25519 private key")
    return SigningKey(key)


def load_cosigner(path: Path, passphrase: bytes) -> CosigningKey:
    """Read an ML-DSA-44 key file; raise :class:`ConfigurationError` on a wrong passphrase, form or file mode."""
    key = _load(path, passphrase)
    if not isinstance(key, MLDSA44PrivateKey):
        raise _bad_key_file("is no ML-DSA-44 private key")
    return CosigningKey(key)


def _load(path: Path, passphrase: bytes) -> object:
    pem = _read_guarded(path)
    if b"-----BEGIN ENCRYPTED PRIVATE KEY-----" not in pem:
        raise _bad_key_file("is not an encrypted PKCS#8 key")
    if not passphrase:
        raise _wrong_passphrase()
    try:
        return serialization.load_pem_private_key(pem, passphrase)
    except UnsupportedAlgorithm:
        raise _bad_key_file("is of an unknown kind") from None
    except ValueError:
        # CBC has no authentication: one wrong passphrase in 256 leaves a valid padding and fails only
        # where the garbage is parsed. So a wrong passphrase and a damaged file cannot be told apart.
        raise _wrong_passphrase() from None


def _read_guarded(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            pem = file.read(LARGEST_KEY_FILE)
    except OSError as error:
        raise ConfigurationError(
            "E-KEY-READ",
            f"A key file cannot be read ({error.strerror}).",
            remedy="Check that the home is complete and that this user may read its keys.",
        ) from None
    if not stat.S_ISREG(mode) or stat.S_IMODE(mode) & 0o077:
        raise ConfigurationError(
            "E-KEY-MODE",
            "A private key file may be read by others than its owner.",
            remedy="Run `chmod 600` on the key file, and consider whether the key is still a secret.",
        )
    return pem


def _encrypted_pem(key: _PrivateKey, passphrase: bytes) -> bytes:
    """Encrypt a PKCS#8 key with scrypt, which the library reads but cannot write."""
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    salt, iv = secrets.token_bytes(16), secrets.token_bytes(16)
    secret = hashlib.scrypt(passphrase, salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, dklen=32)
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES256(secret), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    numbers = b"".join(_der(_INTEGER, _unsigned(n)) for n in (SCRYPT_N, SCRYPT_R, SCRYPT_P))
    derivation = _der(_SEQUENCE, _der(_OID, _OID_SCRYPT) + _der(_SEQUENCE, _der(_OCTETS, salt) + numbers))
    encryption = _der(_SEQUENCE, _der(_OID, _OID_AES256_CBC) + _der(_OCTETS, iv))
    scheme = _der(_SEQUENCE, _der(_OID, _OID_PBES2) + _der(_SEQUENCE, derivation + encryption))
    text = b64encode(_der(_SEQUENCE, scheme + _der(_OCTETS, sealed)))
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join(
        ["-----BEGIN ENCRYPTED PRIVATE KEY-----", *lines, "-----END ENCRYPTED PRIVATE KEY-----", ""]
    ).encode("ascii")


def _der(tag: int, content: bytes) -> bytes:
    """Return one DER element (X.690 section 8.1); every content here is shorter than 64 KiB."""
    length = len(content)
    if length < 0x80:  # noqa: PLR2004 -- X.690 8.1.3.4, short form
        return bytes([tag, length]) + content
    size = _unsigned(length).lstrip(b"\0")
    return bytes([tag, 0x80 | len(size)]) + size + content


def _unsigned(number: int) -> bytes:
    """Return a positive integer's DER contents: big-endian, with a zero byte where the top bit is set."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _bad_signature() -> IntegrityError:
    return IntegrityError(
        "E-SIGNATURE",
        "A signature does not hold: what was signed, the signature or the key was changed.",
        remedy="Keep the files as they are and compare them with an earlier export or backup.",
    )


def _wrong_passphrase() -> ConfigurationError:
    return ConfigurationError(
        "E-KEY-PASSPHRASE",
        "The passphrase does not open the private key, or the key file is damaged.",
        remedy="Give the right passphrase, or restore the key file; reading and verifying the log need none.",
    )


def _bad_key_file(what: str) -> ConfigurationError:
    return ConfigurationError(
        "E-KEY-FORM",
        f"A key file {what}.",
        remedy="Point to the key file that `init` or `keys new` wrote, or restore it from a backup.",
    )
