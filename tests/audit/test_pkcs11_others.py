# SPDX-License-Identifier: Apache-2.0
"""Tokens that say what SoftHSM never says: stand-ins for a PIN that is locked, and for other spellings of the curve."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, Mechanism, TokenFlag

from radiomicnet_md_audit import pkcs11_key
from tests.tokens import refused

pytestmark = pytest.mark.verifies("SRS-KEY-005")
LABEL = "radiomicnet-md/0123456789abcdef/engine"
NOTHING = TokenFlag(0)


class FakeToken:
    """A token that says of itself what SoftHSM never does; it counts the PINs it is shown."""

    def __init__(
        self,
        before: TokenFlag = NOTHING,
        after: TokenFlag = NOTHING,
        error: type[pkcs11.PKCS11Error] = pkcs11.PinIncorrect,
    ) -> None:
        self.flags, self.after, self.error, self.slot, self.shown = before, after, error, self, 0

    def get_token(self) -> FakeToken:
        self.flags = self.after
        return self

    def open(self, **_: object) -> None:
        self.shown += 1
        raise self.error


FINAL, LOCKED = TokenFlag.USER_PIN_FINAL_TRY, TokenFlag.USER_PIN_LOCKED


@pytest.mark.parametrize(
    ("fake", "code", "says", "shown"),
    [
        (FakeToken(LOCKED), "E-KEY-PIN-LOCKED", "locked", 0),
        (FakeToken(FINAL), "E-KEY-PIN-FINAL", "none was tried", 0),
        (FakeToken(after=FINAL), "E-KEY-PIN", "next wrong one locks", 1),
        (FakeToken(after=LOCKED), "E-KEY-PIN", "locked now", 1),
        (FakeToken(error=pkcs11.PinLenRange), "E-KEY-PIN", "refuses the PIN.", 1),
        (FakeToken(error=pkcs11.PinLocked), "E-KEY-PIN-LOCKED", "locked", 1),
        (FakeToken(error=pkcs11.UserPinNotInitialized), "E-KEY-PIN-UNSET", "never set", 1),
        (FakeToken(error=pkcs11.DeviceRemoved), "E-TOKEN-LOST", "DeviceRemoved", 1),
    ],
)
def test_a_pin_is_shown_once_and_never_where_a_wrong_one_locks_the_token(
    fake: FakeToken, code: str, says: str, shown: int
) -> None:
    assert says in str(refused(code, pkcs11_key._session, fake, b"1234"))
    assert fake.shown == shown


class FakeSession:
    """A token that knows some spellings of the curve only, or no Ed25519 at all."""

    def __init__(self, *curves: bytes, mechanisms: tuple[Mechanism, ...] = (Mechanism.EDDSA,)) -> None:
        self.curves, self.mechanisms, self.token, self.slot = curves, mechanisms, self, self

    def get_mechanisms(self) -> tuple[Mechanism, ...]:
        return self.mechanisms

    def create_domain_parameters(self, kind: KeyType, values: dict[Attribute, bytes], *, local: bool) -> FakeSession:
        assert (kind, local) == (KeyType.EC_EDWARDS, True)
        self.asked = values[Attribute.EC_PARAMS]
        return self

    def generate_keypair(self, **asked: object) -> tuple[bytes, None]:
        self.asked_for = asked
        if self.asked not in self.curves:
            raise pkcs11.DomainParamsInvalid
        return self.asked, None


@pytest.mark.parametrize("curve", pkcs11_key._CURVE)
def test_a_curve_is_spelled_as_the_token_wants_it(curve: bytes) -> None:
    session = FakeSession(curve)
    assert pkcs11_key._pair(session, LABEL, b"1") == curve
    private = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True}
    assert session.asked_for["private_template"] == private  # tokens differ in what they do unasked
    assert session.asked_for["store"] is True


def test_what_a_token_keeps_is_kept_from_who_has_no_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[Attribute, object]] = []
    session = SimpleNamespace(create_object=made.append)
    login = SimpleNamespace(asked=nullcontext, writing=lambda: nullcontext(session))
    monkeypatch.setattr(pkcs11_key, "_login", lambda *_: login)
    pkcs11_key.keep(pkcs11_key.Token("module", "token"), b"1234", LABEL, b"secret")
    assert made[0][Attribute.PRIVATE] is True
    assert made[0][Attribute.TOKEN] is True


def test_a_token_without_ed25519_is_named() -> None:
    refused("E-TOKEN-MECHANISM", pkcs11_key._pair, FakeSession(mechanisms=(Mechanism.ECDSA,)), LABEL, b"1")
    with pytest.raises(pkcs11.DomainParamsInvalid):  # which `asked` turns into words
        pkcs11_key._pair(FakeSession(), LABEL, b"1")
    for point in (bytes(31), bytes(33), b"\x04\x21" + bytes(32), b"\x04" + bytes(64)):
        refused("E-TOKEN-MECHANISM", pkcs11_key._raw, point)
    for head in pkcs11_key._POINT:
        assert pkcs11_key._raw(head + bytes(range(32))) == bytes(range(32))
