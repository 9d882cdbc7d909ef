# SPDX-License-Identifier: Apache-2.0
"""A person's private key lies in the home, sealed so that the person's passphrase opens it and nothing else does.

Rules of this module:

- ``people/<id>/<key id>.json``, mode 0600: canonical JSON of the person's id, the public key, how the passphrase is
  stretched (Argon2id), the salt, and the sealed 32-byte seed. AES-256-GCM binds the seal to all of the others.
- A file never changes. A new passphrase comes with a new key and so with a new file; the log says which one is in
  force. The others are wiped after that: what a crash leaves of them opens no key that counts.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from radiomicnet_md.people import rules
from radiomicnet_md.people.place import folder
from radiomicnet_md.private import write_private
from radiomicnet_md.vault import typed, wipe
from radiomicnet_md_audit import canonical, seal, sign
from radiomicnet_md_audit.disk import sync_folder
from radiomicnet_md_audit.encoding import b64decode, b64encode
from radiomicnet_md_audit.errors import IntegrityError

FORMAT: Final = "radiomicnet-md-person/1"
_SEED_BYTES: Final = 32
_LARGEST: Final = 4096  # bytes
_STRETCHING: Final[dict[str, str | int]] = {
    "kdf": "argon2id",
    "kib": seal.ARGON2ID_KIB,
    "lanes": seal.ARGON2ID_LANES,
    "passes": seal.ARGON2ID_PASSES,
}


def make(home: Path, user_id: str, passphrase: str) -> sign.SigningKey:
    """Make a key and keep it sealed under this passphrase; :class:`ConfigurationError` ``E-HOME-WRITE``."""
    seed = secrets.token_bytes(_SEED_BYTES)
    key = sign.from_seed(seed)
    salt = secrets.token_bytes(seal.SALT_BYTES)
    about = _about(user_id, key.public.raw.hex(), salt.hex())
    sealed = seal.close(seal.stretched(rules.secret(passphrase), salt), seed, canonical.dumps(about))
    place = _file(home, user_id, key.public.keyid)
    with typed():
        place.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(place, canonical.dumps({**about, "sealed": b64encode(sealed)}))
        sync_folder(place.parent)
        sync_folder(place.parent.parent)
    return key


def open_(home: Path, user_id: str, public: sign.VerifyingKey | None, passphrase: str) -> sign.SigningKey | None:
    """The private key of this person; None where the passphrase, or the file of this very key, is not right.

    It takes as long for a person whom nobody knows (without ``public``): the passphrase is stretched once in any case.
    """
    about, sealed = (None, b"") if public is None else _read(_file(home, user_id, public.keyid))
    salt = secrets.token_bytes(seal.SALT_BYTES) if about is None else bytes.fromhex(about["salt"])
    stretched = seal.stretched(rules.secret(passphrase), salt)
    if public is None or about is None or about != _about(user_id, public.raw.hex(), salt.hex()):
        return None
    try:
        key = sign.from_seed(seal.open_(stretched, sealed, canonical.dumps(about)))
    except (IntegrityError, ValueError):
        return None
    return key if key.public == public else None


def keep_only(home: Path, user_id: str, keyid: str) -> None:
    """Wipe the person's files of other keys; :class:`ConfigurationError` ``E-HOME-WRITE``."""
    kept = _file(home, user_id, keyid)
    with typed():
        for path in sorted(kept.parent.iterdir()):
            if path != kept:
                wipe(path)


def _file(home: Path, user_id: str, keyid: str) -> Path:
    return folder(home) / user_id / f"{keyid}.json"


def _about(user_id: str, public: str, salt: str) -> dict[str, str | int]:
    return {"format": FORMAT, "user": user_id, "ed25519": public, "salt": salt, **_STRETCHING}


def _read(path: Path) -> tuple[dict[str, str] | None, bytes]:
    """What a file says of itself, and what it seals; None where it is absent, damaged, or open to others."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_LARGEST)
        document = canonical.loads(data)
    except (OSError, IntegrityError):
        return None, b""
    match document:
        case {"salt": str(salt), "sealed": str(sealed), **more} if (
            stat.S_ISREG(mode) and not stat.S_IMODE(mode) & 0o077
        ):
            try:
                if len(bytes.fromhex(salt)) == seal.SALT_BYTES:
                    return {**more, "salt": salt}, b64decode(sealed)  # type: ignore[dict-item]
            except (ValueError, IntegrityError):
                pass
    return None, b""
