# SPDX-License-Identifier: Apache-2.0
"""Tokens of a test's own (SoftHSM), made and treated as their administrator would, and a process that uses one anew."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pkcs11
import pytest

from radiomicnet_md_audit import pkcs11_key
from radiomicnet_md_audit.errors import Problem
from radiomicnet_md_audit.pkcs11_key import Token

PIN, OFFICER = b"4711-4711", b"security officer"


class SoftHSM:
    """A folder of tokens that this process and those it starts see, and nobody else."""

    def __init__(self, module: Path, folder: Path, environment: pytest.MonkeyPatch) -> None:
        self.module = str(module)
        self.folder = folder
        (folder / "tokens").mkdir(parents=True, mode=0o700)
        settings = folder / "softhsm2.conf"
        settings.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n", encoding="utf-8")
        environment.setenv("SOFTHSM2_CONF", str(settings))

    def __enter__(self) -> Self:
        """Let this process see no other tokens."""
        self.start_again()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing logged in."""
        self.start_again()

    def start_again(self) -> None:
        """Be as a process that has not spoken to a token yet."""
        for login in pkcs11_key._logins.values():
            login.session.close()
        pkcs11_key._logins.clear()
        pkcs11.lib(self.module).reinitialize()

    def token(self, label: str = "radiomicnet") -> Token:
        """A new token with the user PIN :data:`PIN`."""
        pins = ("--pin", PIN.decode(), "--so-pin", OFFICER.decode())
        self._util("--init-token", "--free", "--label", label, *pins)
        self.start_again()
        return Token(self.module, label)

    def remove(self, token: Token) -> None:
        """Take the token away from under whoever uses it."""
        self._util("--delete-token", "--token", token.label)

    def labels(self, token: Token) -> set[str]:
        """What is in the token, by its labels; asked by somebody else who knows the PIN."""
        self.start_again()
        session = pkcs11.lib(self.module).get_token(token_label=token.label).open(user_pin=PIN.decode())
        found = {thing[pkcs11.Attribute.LABEL] for thing in session.get_objects()}
        session.close()
        return found

    def change_pin(self, token: Token, new: bytes) -> None:
        """Give the token another user PIN."""
        self.start_again()
        session = pkcs11.lib(self.module).get_token(token_label=token.label).open(rw=True, user_pin=PIN.decode())
        session.set_pin(PIN.decode(), new.decode())
        session.close()

    def _util(self, *arguments: str) -> None:
        subprocess.run(["softhsm2-util", "--module", self.module, *arguments], check=True, capture_output=True)


def refused(code: str, call: Callable[..., object], *arguments: object) -> Problem:
    """What the call ends with: a problem of this code, with a remedy and without the PIN."""
    with pytest.raises(Problem) as caught:
        call(*arguments)
    assert caught.value.code == code
    assert caught.value.remedy
    assert PIN.decode() not in f"{caught.value}{caught.value.remedy}"
    return caught.value
