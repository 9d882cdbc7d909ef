# SPDX-License-Identifier: Apache-2.0
"""Private keys lie encrypted in files that only their owner can read."""

from __future__ import annotations

import itertools
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from radiomicnet_md_audit import sign
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError

PASSPHRASE = b"correct horse"
# Of 256 wrong passphrases one decrypts to a valid padding; for this key, made for this test, it is "114".
UNLUCKY = """\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSsGAQQB2kcECzAcBBArVYl+p8nx1QPqkOh7
Ye18AgJAAAIBCAIBBTAdBglghkgBZQMEASoEEKJ3x8YSUlCy6kLZOTvT9nwEQIVh
nVug3g5fRLjOy0a0mwMvdLQfYbqoFknBpTG5fsYgkYYa7LZm25aqqYatMtB/uY2u
4h7OEK7u2P3I+4li9SM=
-----END ENCRYPTED PRIVATE KEY-----
"""


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "engine.pem"
    sign.save_private(sign.from_seed(bytes([5]) * 32), path, PASSPHRASE)
    return path


@pytest.mark.verifies("SRS-KEY-001")
@pytest.mark.verifies("SRS-KEY-001", rc=("RC-018",))
def test_a_saved_key_is_private_and_comes_back(key_file: Path) -> None:
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert sign.load_private(key_file, PASSPHRASE).public == sign.from_seed(bytes([5]) * 32).public


@pytest.mark.verifies("SRS-KEY-001")
@pytest.mark.verifies("SRS-KEY-001", rc=("RC-018",))
def test_the_seed_is_not_in_the_file(key_file: Path) -> None:
    assert bytes([5]) * 32 not in key_file.read_bytes()
    assert b"ENCRYPTED PRIVATE KEY" in key_file.read_bytes()


@pytest.mark.verifies("SRS-KEY-001")
def test_a_cosigning_key_comes_back(tmp_path: Path) -> None:
    key = sign.generate_cosigner()
    sign.save_private(key, tmp_path / "k", PASSPHRASE)
    assert sign.load_cosigner(tmp_path / "k", PASSPHRASE).public == key.public
    with pytest.raises(ConfigurationError, match="Ed25519"):
        sign.load_private(tmp_path / "k", PASSPHRASE)


@pytest.mark.verifies("SRS-KEY-001")
def test_openssl_reads_the_file_and_names_its_encryption(key_file: Path, require: Callable[[str], Path]) -> None:
    openssl = str(require("openssl"))
    form = subprocess.run([openssl, "asn1parse", "-in", key_file], capture_output=True, text=True, check=True)
    assert ":scrypt" in form.stdout
    assert ":aes-256-cbc" in form.stdout
    read = subprocess.run(
        [openssl, "pkey", "-in", key_file, "-passin", "pass:correct horse", "-pubout"], capture_output=True, check=True
    )
    assert read.stdout == sign.from_seed(bytes([5]) * 32).public.to_pem()


@pytest.mark.verifies("SRS-KEY-001")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o602, 0o610])
@pytest.mark.verifies("SRS-KEY-001", rc=("RC-018",))
def test_a_file_that_others_can_use_is_refused(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    with pytest.raises(ConfigurationError) as caught:
        sign.load_private(key_file, PASSPHRASE)
    assert caught.value.code == "E-KEY-MODE"


@pytest.mark.verifies("SRS-KEY-001")
def test_an_unencrypted_key_is_refused(tmp_path: Path, require: Callable[[str], Path]) -> None:
    path = tmp_path / "plain.pem"
    subprocess.run([str(require("openssl")), "genpkey", "-algorithm", "ed25519", "-out", path], check=True)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        sign.load_private(path, PASSPHRASE)
    assert caught.value.code == "E-KEY-FORM"


@pytest.mark.verifies("SRS-KEY-001")
@pytest.mark.verifies("SRS-KEY-001", rc=("RC-018",))
def test_a_key_is_never_overwritten_nor_written_open(key_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        sign.save_private(sign.generate(), key_file, PASSPHRASE)
    assert caught.value.code == "E-KEY-EXISTS"
    with pytest.raises(ConfigurationError) as caught:
        sign.save_private(sign.generate(), tmp_path / "open", b"")
    assert caught.value.code == "E-KEY-PASSPHRASE-EMPTY"
    assert not (tmp_path / "open").exists()


@pytest.mark.verifies("SRS-KEY-001")
def test_a_folder_that_is_not_there_is_named_as_the_cause(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        sign.save_private(sign.generate(), tmp_path / "none" / "k", PASSPHRASE)
    assert caught.value.code == "E-KEY-WRITE"
    with pytest.raises(ConfigurationError) as caught:
        sign.load_private(tmp_path / "none" / "k", PASSPHRASE)
    assert caught.value.code == "E-KEY-READ"


@pytest.mark.verifies("SRS-KEY-002")
@pytest.mark.parametrize("passphrase", [b"", b"wrong", PASSPHRASE + b"\n"])
def test_a_wrong_passphrase_says_so(key_file: Path, passphrase: bytes) -> None:
    with pytest.raises(ConfigurationError) as caught:
        sign.load_private(key_file, passphrase)
    assert caught.value.code == "E-KEY-PASSPHRASE"
    assert passphrase.decode().strip() not in str(caught.value) or not passphrase.strip()


@pytest.mark.verifies("SRS-KEY-002")
def test_a_wrong_passphrase_that_leaves_a_valid_padding_says_so(tmp_path: Path) -> None:
    path = tmp_path / "engine.pem"
    path.write_text(UNLUCKY)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        sign.load_private(path, b"114")
    assert caught.value.code == "E-KEY-PASSPHRASE"
    assert sign.load_private(path, b"correct horse battery")


@pytest.mark.verifies("SRS-KEY-002")
def test_a_damaged_key_file_is_a_typed_failure(key_file: Path) -> None:
    good = key_file.read_bytes()
    for place in range(30, len(good) - 30, 7):
        changed = bytearray(good)
        changed[place] ^= 1
        key_file.write_bytes(bytes(changed))
        with pytest.raises(ConfigurationError):
            sign.load_private(key_file, b"")
    key_file.write_bytes(good[: len(good) // 2] + good[-40:])
    with pytest.raises(ConfigurationError):
        sign.load_private(key_file, PASSPHRASE)


@pytest.mark.verifies("SRS-KEY-001")
def test_public_keys_travel_as_pem() -> None:
    public = sign.generate().public
    assert sign.VerifyingKey.from_pem(public.to_pem()) == public
    assert len({public, sign.VerifyingKey.from_pem(public.to_pem())}) == 1
    for other in (b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", os.urandom(40)):
        with pytest.raises(ConfigurationError):
            sign.VerifyingKey.from_pem(other)


@pytest.mark.verifies("SRS-KEY-001", "SRS-LOG-004")
def test_a_public_key_file_with_any_bit_flipped_is_another_key_or_a_typed_error() -> None:
    public = sign.from_seed(bytes([9]) * 32).public
    good = public.to_pem()
    refused = 0
    for place, bit in itertools.product(range(len(good)), range(8)):
        changed = bytearray(good)
        changed[place] ^= 1 << bit
        try:
            sign.VerifyingKey.from_pem(bytes(changed))
        except ConfigurationError:
            refused += 1
    assert refused > 4 * len(good)


@pytest.mark.verifies("SRS-KEY-002")
def test_a_private_key_file_with_any_bit_flipped_ends_in_a_typed_error_or_the_key(tmp_path: Path) -> None:
    key = sign.from_seed(bytes([9]) * 32)
    path = tmp_path / "key.pem"
    sign.save_private(key, path, PASSPHRASE)
    good = path.read_bytes()
    head = good.index(b"\n") + 1
    for place in range(head, head + 150, 3):  # where PKCS#8 names its algorithms and their parameters
        changed = bytearray(good)
        changed[place] ^= 1
        path.write_bytes(changed)
        try:
            assert sign.load_private(path, PASSPHRASE).public == key.public
        except ConfigurationError:
            continue


@pytest.mark.verifies("SRS-KEY-001")
def test_keys_do_not_print_themselves() -> None:
    key, cosigner = sign.from_seed(bytes([7]) * 32), sign.cosigner_from_seed(bytes([7]) * 32)
    assert repr(key) == f"SigningKey({key.public.keyid[:16]}…)"
    assert repr(cosigner) == f"CosigningKey({cosigner.public.keyid[:16]}…)"


@pytest.mark.verifies("SRS-LOG-003")
def test_bad_signatures_and_bad_keys_raise() -> None:
    key = sign.generate()
    for public, signature in ((key.public, bytes(64)), (sign.VerifyingKey(bytes(31)), key.sign(b"m"))):
        with pytest.raises(IntegrityError) as caught:
            public.verify(signature, b"m")
        assert caught.value.code == "E-SIGNATURE"
    with pytest.raises(IntegrityError):
        sign.generate_cosigner().public.verify(bytes(2420), b"m")


SMALL_ORDER = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # the first of them, spelled beyond the field
)


@pytest.mark.verifies("SRS-LOG-004")
@pytest.mark.parametrize("text", SMALL_ORDER)
@pytest.mark.parametrize("sign_bit", [0, 0x80])
def test_a_key_that_anybody_can_sign_with_has_no_valid_signature(text: str, sign_bit: int) -> None:
    """One signature, made without any key, is good for one message in eight at least; OpenSSL says so."""
    raw = bytearray.fromhex(text)
    raw[-1] |= sign_bit
    signature = bytes([1]) + bytes(63)
    accepted = 0
    for message in map(bytes, itertools.product(range(10), repeat=2)):
        try:
            Ed25519PublicKey.from_public_bytes(bytes(raw)).verify(signature, message)
        except (InvalidSignature, ValueError):
            continue
        accepted += 1
        with pytest.raises(IntegrityError) as caught:
            sign.VerifyingKey(bytes(raw)).verify(signature, message)
        assert caught.value.code == "E-SIGNATURE"
    assert accepted or sign_bit  # not every such point has a twin of the other sign
