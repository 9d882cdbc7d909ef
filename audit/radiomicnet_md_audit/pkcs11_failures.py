# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a token, in words: each case has its code, and none of them asks for a PIN again by itself."""

from __future__ import annotations

from pkcs11.constants import TokenFlag
from pkcs11.exceptions import PKCS11Error

from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError


def no_module(error: PKCS11Error) -> ConfigurationError:
    """The library that should speak to the token cannot be loaded or initialised."""
    return ConfigurationError(
        "E-TOKEN-MODULE",
        f"The token's PKCS#11 module cannot be used: {said(error)}.",
        remedy="Install what belongs to the token, and name its library by its full path (of a home: in keys/).",
    )


def not_one(label: str, count: int) -> ConfigurationError:
    """There is no token with this label, or there are several."""
    return ConfigurationError(
        "E-TOKEN-AMBIGUOUS" if count else "E-TOKEN-ABSENT",
        f"{'More than one token' if count else 'No token'} is called {label!r}.",
        remedy="Put the one token with this label into its slot; `pkcs11-tool --list-slots` shows what is there.",
    )


def forked() -> ConfigurationError:
    """A process that uses a token made this one by fork."""
    return ConfigurationError(
        "E-TOKEN-FORK",
        "This process was forked from one that uses a token, and cannot use one itself.",
        remedy="Start it as a process of its own (multiprocessing: the method `spawn`).",
    )


def unset() -> ConfigurationError:
    """There is no PIN that would be right."""
    return ConfigurationError(
        "E-KEY-PIN-UNSET",
        "The token's user PIN was never set, or has expired.",
        remedy="Have the token's security officer set it, then try again.",
    )


def last_try() -> ConfigurationError:
    """One more wrong PIN is one too many."""
    return ConfigurationError(
        "E-KEY-PIN-FINAL",
        "The next wrong PIN would lock the token, so none was tried.",
        remedy="Correct the PIN, and log in with it once by hand (`pkcs11-tool --login --list-objects`).",
    )


def loose() -> ConfigurationError:
    """The key is in the token, but may be elsewhere as well."""
    return ConfigurationError(
        "E-TOKEN-KEY-LOOSE",
        "The private key can be read out of its token.",
        remedy="Use a key that was made in the token, sensitive and not extractable, as `init` makes it.",
    )


def bad_signature() -> IntegrityError:
    """The token signed with something else than the key that it is known by."""
    return IntegrityError(
        "E-TOKEN-SIGNATURE",
        "The token gave a signature that does not hold under the key that it is known by; it was not used.",
        remedy="The token holds another key under this name, or is defective: have it checked before it signs again.",
    )


def said(error: PKCS11Error) -> str:
    """What the token said: the name of its answer, which is what its manual lists."""
    return type(error).__name__ if type(error) is not PKCS11Error else str(error)


def wrong_pin(flags: TokenFlag) -> ConfigurationError:
    """The token refused the PIN; ``flags`` is what it said about itself afterwards."""
    warning = ""
    if flags & TokenFlag.USER_PIN_LOCKED:
        warning = " It is locked now."
    elif flags & TokenFlag.USER_PIN_FINAL_TRY:
        warning = " The next wrong one locks it."
    elif flags & TokenFlag.USER_PIN_COUNT_LOW:
        warning = " Wrong ones were given since the last right one; most tokens lock themselves after a few."
    return ConfigurationError(
        "E-KEY-PIN",
        f"The token refuses the PIN.{warning}",
        remedy="Give the token's user PIN; reading and verifying the log need none.",
    )


def locked() -> ConfigurationError:
    """The token takes no PIN any more."""
    return ConfigurationError(
        "E-KEY-PIN-LOCKED",
        "The token is locked after too many wrong PINs.",
        remedy="Have the token's security officer set a new user PIN; the keys are still in it.",
    )


def no_mechanism() -> ConfigurationError:
    """The token speaks PKCS#11, but not Ed25519."""
    return ConfigurationError(
        "E-TOKEN-MECHANISM",
        "The token cannot sign with Ed25519 (CKM_EDDSA).",
        remedy="Use a token that can, or keep the keys in encrypted files.",
    )


def no_such(what: str, label: str) -> ConfigurationError:
    """What the file names is not in the token."""
    return ConfigurationError(
        "E-TOKEN-KEY",
        f"The token does not hold the {what} {label!r}, or holds it twice.",
        remedy="Check that it is the token that the home was made with, or its backup.",
    )


def lost(error: PKCS11Error) -> ConfigurationError:
    """The token gave another answer than the one that was asked for."""
    return ConfigurationError(
        "E-TOKEN-LOST",
        f"The token did not do what it was asked for ({said(error)}).",
        remedy="See that it is in its slot, may be written and was not reset, and start again; nothing was recorded.",
    )


def bad_file() -> ConfigurationError:
    """A file tells no place."""
    return ConfigurationError(
        "E-KEY-FORM",
        "A key file names no place in a token.",
        remedy="Restore the file that `init` or `keys new` wrote from a backup.",
    )
