# SPDX-License-Identifier: Apache-2.0
"""A cosignature and the key that makes it have one form each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from radiomicnet_md_audit import checkpoint, sign
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.cosignature import Cosigner, cosign, cosigned_at, with_line
from radiomicnet_md_audit.encoding import b64encode
from radiomicnet_md_audit.errors import IntegrityError
from tests.audit.trees import LOG, NAME, ORIGIN, WITNESS

pytestmark = pytest.mark.verifies("SRS-LOG-011")

HEAD = Checkpoint(ORIGIN, 7, bytes(range(32)))
NOTE = checkpoint.issue(HEAD, LogKeys(LOG), 0)


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(IntegrityError) as caught:
        yield
    assert caught.value.code == code


def vkey(kind: int, material: bytes) -> str:
    """A verifier key text whose id is right, whatever it holds."""
    data = bytes([kind]) + material
    return f"a+{hashlib.sha256(b'a' + bytes([10]) + data).hexdigest()[:8]}+{b64encode(data)}"


@pytest.mark.parametrize(("kind", "length"), [(4, 0), (4, 31), (4, 33), (1, 32), (6, 32), (6, 1312)])
def test_a_key_of_another_type_or_length_is_refused(kind: int, length: int) -> None:
    assert Cosigner.from_vkey(vkey(4, bytes(32))).key == sign.VerifyingKey(bytes(32))
    with refused("E-NOTE-VKEY"):
        Cosigner.from_vkey(vkey(kind, bytes(length)))


def test_a_plus_in_the_base64_is_no_separator() -> None:
    text = vkey(4, b"\xff\xff" + b"\xfb\xef\xbe" * 10)
    assert text.count("+") > 2
    assert Cosigner.from_vkey(text).vkey() == text


def test_the_id_of_another_key_is_refused() -> None:
    mine, other = (vkey(4, bytes([n]) * 32).split("+", 2) for n in (1, 2))
    with refused("E-NOTE-VKEY"):
        Cosigner.from_vkey("+".join((mine[0], other[1], mine[2])))


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "ä", "x" * 201])
def test_a_name_that_could_not_stand_in_a_line_is_refused(name: str) -> None:
    with refused("E-NOTE-NAME"):
        Cosigner(name, WITNESS.public)


def test_a_time_beyond_63_bits_is_refused_although_it_is_signed() -> None:
    cosigner = Cosigner(NAME, WITNESS.public)
    assert cosigned_at(with_line(NOTE, cosign(HEAD, NAME, WITNESS, 2**63 - 1)), cosigner) == 2**63 - 1
    with refused("E-COSIGNATURE-FORM"):
        cosigned_at(with_line(NOTE, cosign(HEAD, NAME, WITNESS, 2**63)), cosigner)
