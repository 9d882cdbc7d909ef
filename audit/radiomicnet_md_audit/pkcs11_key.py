# SPDX-License-Identifier: Apache-2.0
"""An Ed25519 key that never leaves its token (PKCS#11): it is asked for signatures, and each is checked.

Sources: PKCS#11 3.0 (CKM_EC_EDWARDS_KEY_PAIR_GEN, CKM_EDDSA), RFC 8032 (pure Ed25519), RFC 8410. The
library python-pkcs11 is the extra ``pkcs11``; this module and its failures alone import it. Rules of this module:

- A key is made inside the token, sensitive and not extractable, with a random id; one that could be read is not used.
- A signature that does not hold under the key's public half is used by nobody, whatever the token says.
- A wrong PIN costs one of few tries, so a process shows its PIN once, and not at all where the next wrong one would
  lock the token: a service that is started again and again must not lock its own token.
- A process logs in once at each token, and its threads take turns. A process that another one forked is refused: what
  a module does then is undefined (PKCS#11 2.20, 6.6.1), and it could log its parent out.
- What a token says beyond that ends the login; the next one who opens a key makes a new one.
"""

from __future__ import annotations

import hmac
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pkcs11
from pkcs11.constants import Attribute, MechanismFlag, ObjectClass, TokenFlag
from pkcs11.exceptions import (
    MechanismInvalid,
    PinExpired,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    PKCS11Error,
    UserPinNotInitialized,
)
from pkcs11.mechanisms import KeyType, Mechanism

from radiomicnet_md_audit import canonical
from radiomicnet_md_audit import pkcs11_failures as failures
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.sign import ED25519_PUBLIC_BYTES, VerifyingKey

# How tokens spell the curve: RFC 8410 (SoftHSM), the name of PKCS#11 3.0, the identifier of PKCS#11 3.0.
_CURVE = (
    bytes.fromhex("06032b6570"),
    b"\x13\x0cedwards25519",
    bytes.fromhex("06092b06010401da470f01"),
)
# How they wrap a public point: not at all, as OCTET STRING, as BIT STRING (PKCS#11 3.0, 2.3.5, and what went before).
_POINT = (b"", b"\x04\x20", b"\x03\x21\x00")
_CHALLENGE = b"radiomicnet-md-audit: is this key here?\n"  # begins neither a record (DSSEv1) nor a log's name
_APPLICATION = "radiomicnet-md"

_turn = threading.RLock()  # python-pkcs11 initialises modules without locks of their own
_logins: dict[Token, _Login] = {}
_processes: set[int] = set()
_salt = secrets.token_bytes(32)


@dataclass(frozen=True)
class Token:
    """A token: the path of the library (module) that speaks to it, and its label."""

    module: str
    label: str


class TokenKey:
    """An Ed25519 private key in a token; what :class:`sign.SigningKey` is for a file."""

    def __init__(
        self,
        login: _Login,
        private: Any,  # noqa: ANN401 -- the library makes the classes of its objects at run time
        file: bytes,
        public: VerifyingKey,
    ) -> None:
        """Use :func:`generate` or :func:`open_`."""
        self._login = login
        self._private = private
        self.file = file
        self.public = public

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature (RFC 8032).

        Raises :class:`ConfigurationError` ``E-TOKEN-LOST`` when the token does not sign, ``E-TOKEN-MECHANISM`` when it
        cannot, and :class:`IntegrityError` ``E-TOKEN-SIGNATURE`` when what it gave does not hold.
        """
        with self._login.asked():
            signature = bytes(self._private.sign(message, mechanism=Mechanism.EDDSA))
        try:
            self.public.verify(signature, message)
        except IntegrityError:
            raise failures.bad_signature() from None
        return signature

    def __repr__(self) -> str:
        """Name the key by its id only."""
        return f"TokenKey({self.public.keyid[:16]}…)"


def generate(token: Token, pin: bytes, label: str) -> TokenKey:
    """Make a key in the token and return it, opened; its ``file`` is what :func:`open_` needs to find it again.

    Raises :class:`ConfigurationError` when the token cannot be used or knows no Ed25519.
    """
    login, identity = _login(token, pin), secrets.token_bytes(16)
    with login.asked(), login.writing() as session:
        public = _pair(session, label, identity)
        raw = _raw(public[Attribute.EC_POINT])
    place = {
        "id": identity.hex(),
        "label": label,
        "module": token.module,
        "public_key": raw.hex(),
        "token": token.label,
    }
    return open_(canonical.dumps(place), pin)


def open_(file: bytes, pin: bytes) -> TokenKey:
    """Return the key whose place ``file`` tells, after it signed something that nobody could know before.

    Raises :class:`ConfigurationError` for a wrong PIN and a missing module, token or key, and what
    :meth:`TokenKey.sign` raises.
    """
    token, label, more = _place(file)
    try:
        identity, public = bytes.fromhex(more["id"]), VerifyingKey(bytes.fromhex(more["public_key"]))
    except (KeyError, TypeError, ValueError):
        raise failures.bad_file() from None
    login = _login(token, pin)
    wanted = {
        Attribute.CLASS: ObjectClass.PRIVATE_KEY,
        Attribute.LABEL: label,
        Attribute.ID: identity,
        Attribute.SIGN: True,
    }
    with login.asked():
        found = list(login.session.get_objects(wanted))
        if len(found) != 1:
            raise failures.no_such("key", label)
        if not found[0][Attribute.SENSITIVE] or found[0][Attribute.EXTRACTABLE]:
            raise failures.loose()
    key = TokenKey(login, found[0], file, public)
    key.sign(_CHALLENGE + secrets.token_bytes(32))
    return key


def keep(token: Token, pin: bytes, label: str, value: bytes) -> bytes:
    """Put ``value`` into the token, to be read after a login alone; return what :func:`fetch` needs to find it."""
    login = _login(token, pin)
    with login.asked(), login.writing() as session:
        session.create_object(
            {
                Attribute.CLASS: ObjectClass.DATA,
                Attribute.TOKEN: True,
                Attribute.PRIVATE: True,
                Attribute.APPLICATION: _APPLICATION,
                Attribute.LABEL: label,
                Attribute.VALUE: value,
            }
        )
    return canonical.dumps({"label": label, "module": token.module, "token": token.label})


def fetch(file: bytes, pin: bytes) -> bytes:
    """Return what :func:`keep` put into the token; :class:`ConfigurationError` when token, PIN or value is missing."""
    token, label, _ = _place(file)
    login = _login(token, pin)
    with login.asked():
        found = list(login.session.get_objects({Attribute.CLASS: ObjectClass.DATA, Attribute.LABEL: label}))
        if len(found) != 1:
            raise failures.no_such("passphrase", label)
        return bytes(found[0][Attribute.VALUE])


def discard(token: Token, pin: bytes, label: str) -> None:
    """Destroy everything in the token that has exactly this label."""
    login = _login(token, pin)
    with login.asked(), login.writing() as session:
        for found in list(session.get_objects({Attribute.LABEL: label})):
            found.destroy()


def destroy(file: bytes, pin: bytes) -> None:
    """Destroy the key, both halves, whose place ``file`` tells; raises as :func:`open_` does."""
    token, label, more = _place(file)
    identity = bytes.fromhex(str(more.get("id", "")))
    login = _login(token, pin)
    with login.asked(), login.writing() as session:
        for found in list(session.get_objects({Attribute.LABEL: label, Attribute.ID: identity})):
            found.destroy()


def token_of(file: bytes) -> Token:
    """Return the token that a file of :func:`keep` or of a key names."""
    return _place(file)[0]


class _Login:
    """This process, logged in at a token."""

    def __init__(self, token: Token, session: pkcs11.Session, pin: bytes) -> None:
        self.token = token
        self.session = session
        self.mark = _marked(pin)

    @contextmanager
    def asked(self) -> Iterator[None]:
        """One thread at a time; what goes wrong at the token ends the login."""
        _refuse_fork()
        with _turn:
            try:
                yield
            except MechanismInvalid:
                raise failures.no_mechanism() from None
            except PKCS11Error as error:
                if _logins.get(self.token) is self:
                    del _logins[self.token]
                with suppress(PKCS11Error):
                    self.session.close()
                raise failures.lost(error) from None

    @contextmanager
    def writing(self) -> Iterator[pkcs11.Session]:
        """A session that may make and destroy; the login holds for it too."""
        session = self.session.token.open(rw=True)
        try:
            yield session
        finally:
            session.close()


def _login(token: Token, pin: bytes) -> _Login:
    """Return this process's login at the token, made at the first call; only then the token sees the PIN."""
    _refuse_fork()
    with _turn:
        known = _logins.get(token)
        if known is None:
            known = _logins[token] = _Login(token, _session(_found(token), pin), pin)
        elif not hmac.compare_digest(known.mark, _marked(pin)):
            raise failures.wrong_pin(TokenFlag(0))
        return known


def _refuse_fork() -> None:
    """Refuse before the lock is asked for: a fork can leave it locked for ever."""
    _processes.add(os.getpid())
    if len(_processes) > 1:
        raise failures.forked()


def _marked(pin: bytes) -> bytes:
    return hmac.digest(_salt, pin, "sha256")


def _found(token: Token) -> pkcs11.Token:
    try:
        library = pkcs11.lib(token.module)
    except PKCS11Error as error:
        raise failures.no_module(error) from None
    try:
        found = list(library.get_tokens(token_label=token.label))
    except PKCS11Error as error:
        raise failures.lost(error) from None
    if len(found) != 1:
        raise failures.not_one(token.label, len(found))
    return found[0]


def _session(found: pkcs11.Token, pin: bytes) -> pkcs11.Session:
    if found.flags & TokenFlag.USER_PIN_LOCKED:
        raise failures.locked()
    if found.flags & TokenFlag.USER_PIN_FINAL_TRY:
        raise failures.last_try()
    try:
        if not pin:
            raise PinIncorrect  # noqa: TRY301 -- an empty PIN asks some modules for the reader's own keypad
        return found.open(user_pin=pin.decode())
    except (PinIncorrect, PinLenRange, PinInvalid, UnicodeDecodeError):
        flags = TokenFlag(0)
        with suppress(PKCS11Error):
            flags = found.slot.get_token().flags
        raise failures.wrong_pin(flags) from None
    except PinLocked:
        raise failures.locked() from None
    except (PinExpired, UserPinNotInitialized):
        raise failures.unset() from None
    except PKCS11Error as error:
        raise failures.lost(error) from None


def _pair(session: pkcs11.Session, label: str, identity: bytes) -> Any:  # noqa: ANN401 -- the library's own type
    """Make a key pair and return its public half."""
    if Mechanism.EDDSA not in session.token.slot.get_mechanisms():
        raise failures.no_mechanism()
    private = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True}
    refused = PKCS11Error()
    for curve in _CURVE:
        parameters = session.create_domain_parameters(KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: curve}, local=True)
        try:
            return parameters.generate_keypair(
                id=identity,
                label=label,
                store=True,
                capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
                private_template=private,
            )[0]
        except PKCS11Error as error:
            refused = error
    raise refused


def _raw(point: bytes) -> bytes:
    for head in _POINT:
        if len(point) == len(head) + ED25519_PUBLIC_BYTES and point.startswith(head):
            return point[len(head) :]
    raise failures.no_mechanism()


def _place(file: bytes) -> tuple[Token, str, dict[str, Any]]:
    try:
        match canonical.loads(file.removesuffix(b"\n")):  # whoever changes the module's path uses an editor
            case {"module": str(module), "token": str(token), "label": str(label), **more}:
                return Token(module, token), label, {str(name): value for name, value in more.items()}
    except IntegrityError:
        pass
    raise failures.bad_file()
