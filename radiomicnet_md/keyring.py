# SPDX-License-Identifier: Apache-2.0
"""Where the private keys of a home are: in encrypted files, or in a token (PKCS#11). Who signs need not know.

Rules of this module:

- The key NAME is ``NAME.pem``, an encrypted file, or ``NAME.pkcs11``, its place in a token; ``NAME.pub`` is the
  public half.
- A new key goes to where the home's keys are.
- What the person gives opens both: the passphrase of the files, or the PIN of the token. Nothing on the disk is
  encrypted with a PIN, which is short enough to be found by trying where no token counts the tries. The files beside a
  token's keys (cosigner, vault) have a passphrase of 256 bits that the token keeps; ``passphrase.pkcs11`` is its place.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from radiomicnet_md.errors import ConfigurationError, Problem
from radiomicnet_md.private import write_private
from radiomicnet_md_audit import sign

if TYPE_CHECKING:
    from radiomicnet_md_audit.pkcs11_key import Token

_PLACE = ".pkcs11"  # ending of the files that tell a place
_FILES = "passphrase"


def token(module: Path, label: str) -> Token:
    """The token with this label, spoken to by this module; ``E-TOKEN-LIBRARY`` without the extra ``pkcs11``."""
    with _extra():
        from radiomicnet_md_audit.pkcs11_key import Token
    return Token(str(module.absolute()), label)


def use_token(folder: Path, where: Token, pin: bytes, origin: str, undo: ExitStack) -> None:
    """Let the keys of a new home be made in a token; ``undo`` takes out of it again whatever has the home's name.

    Raises :class:`ConfigurationError` when the token cannot be used, ``OSError`` when the folder cannot be written.
    """
    from radiomicnet_md_audit import pkcs11_key

    place = pkcs11_key.keep(where, pin, f"{origin}/{_FILES}", secrets.token_hex(32).encode())
    undo.callback(_withdraw, where, pin, origin)
    write_private(folder / (_FILES + _PLACE), place)


def make(folder: Path, name: str, passphrase: bytes, origin: str) -> sign.Signer:
    """Make a key and write its file and its public half; the token calls it by the home's ``origin`` and ``name``.

    Raises :class:`ConfigurationError` for a wrong passphrase or PIN, ``OSError`` when the folder cannot be written.
    """
    key: sign.Signer
    place = _read(folder / (_FILES + _PLACE))
    if place is None:
        key = sign.generate()
        sign.save_private(key, folder / f"{name}.pem", passphrase)
    else:
        with _extra():
            from radiomicnet_md_audit import pkcs11_key
        key = pkcs11_key.generate(pkcs11_key.token_of(place), passphrase, f"{origin}/{name}")
        write_private(folder / f"{name}{_PLACE}", key.file)
    write_private(folder / f"{name}.pub", key.public.to_pem())
    return key


def open_(folder: Path, name: str, passphrase: bytes) -> sign.Signer:
    """The key of this name; :class:`ConfigurationError` for a wrong passphrase or PIN, or a missing file or token."""
    place = _read(folder / f"{name}{_PLACE}")
    if place is None:
        return sign.load_private(folder / f"{name}.pem", passphrase)
    with _extra():
        from radiomicnet_md_audit import pkcs11_key
    return pkcs11_key.open_(place, passphrase)


def secret(folder: Path, passphrase: bytes) -> bytes:
    """The passphrase of the files: what the person gave, or what the token keeps and gives for the PIN."""
    place = _read(folder / (_FILES + _PLACE))
    if place is None:
        return passphrase
    with _extra():
        from radiomicnet_md_audit import pkcs11_key
    return pkcs11_key.fetch(place, passphrase)


def _withdraw(where: Token, pin: bytes, origin: str) -> None:
    from radiomicnet_md_audit import pkcs11_key

    for name in (_FILES, "engine", "log"):
        with suppress(Problem):  # what made the home impossible is the one to tell
            pkcs11_key.discard(where, pin, f"{origin}/{name}")


def _read(place: Path) -> bytes | None:
    try:
        return place.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(
            "E-KEY-READ",
            f"A key file cannot be read ({error.strerror}).",
            remedy="Check that the home is complete and that this user may read its keys.",
        ) from None


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ConfigurationError(
            "E-TOKEN-LIBRARY",
            "What speaks to tokens (python-pkcs11) is not installed.",
            remedy="Install it: pip install 'radiomicnet-md[pkcs11]'.",
        ) from error
