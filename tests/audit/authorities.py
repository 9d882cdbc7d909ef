# SPDX-License-Identifier: Apache-2.0
"""Time-stamping authorities that OpenSSL runs, with certificates made for the occasion."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from radiomicnet_md_audit import checkpoint, sign
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.errors import IntegrityError

_REQUIRED = "rfc3161-client" in os.environ.get("RADIOMICNET_MD_REQUIRE", "").split(",")
if TYPE_CHECKING or _REQUIRED or importlib.util.find_spec("rfc3161_client") is not None:
    from radiomicnet_md_audit import timestamp
else:
    pytest.skip("absent: rfc3161-client", allow_module_level=True)

KEYS = LogKeys(sign.from_seed(bytes([31]) * 32))
NOTE = checkpoint.issue(Checkpoint("example.org/log", 7, bytes(range(32))), KEYS, 0)
OTHER = checkpoint.issue(Checkpoint("example.org/log", 8, bytes(range(32))), KEYS, 0)
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)

CONFIGURATION = """
[tsa]
default_tsa = authority
[authority]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1, millisecs:500, microsecs:100
ordering = no
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = {ess}
"""


def certificate(  # noqa: PLR0913 -- what the cases differ in
    name: str,
    key: Any,  # noqa: ANN401 -- a private key of any kind
    issuer: tuple[x509.Certificate, Any] | None = None,
    start: datetime = NOW - DAY,
    stop: datetime = NOW + 300 * DAY,
    *,
    purposes: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.TIME_STAMPING,),
    critical: bool = True,
    serial: int = 0,
) -> x509.Certificate:
    """An authority's certificate, or without an issuer that of a certificate authority."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer[0].subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(stop)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None and purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=critical)
    return builder.sign(key if issuer is None else issuer[1], hashes.SHA256())


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


@dataclass(frozen=True)
class Made:
    """An authority that OpenSSL runs, in a folder of its own."""

    folder: Path
    root: x509.Certificate
    own: x509.Certificate
    pinned: timestamp.Authority

    def answer(self, request: bytes, *more: str, ess: str = "sha256") -> bytes:
        (self.folder / "tsa.cnf").write_text(CONFIGURATION.format(ess=ess), encoding="utf-8")
        (self.folder / "request").write_bytes(request)
        signer = ["-signer", "own.pem", "-inkey", "own.key"]
        command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "request", "-out", "answer", *signer]
        subprocess.run([*command, *more], cwd=self.folder, check=True, capture_output=True)
        return (self.folder / "answer").read_bytes()

    def stamp(self, note: str = NOTE, *more: str, ess: str = "sha256") -> tuple[bytes, int]:
        asked = timestamp.request(note)
        return self.answer(asked.der, *more, ess=ess), asked.nonce

    @property
    def key(self) -> Any:  # noqa: ANN401 -- a private key of any kind
        return serialization.load_pem_private_key((self.folder / "own.key").read_bytes(), None)


class Maker:
    """Makes authorities under one root, each in a folder of its own."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self.root_key = ec.generate_private_key(ec.SECP256R1())
        self.root = certificate("root", self.root_key, start=NOW - 5000 * DAY, stop=NOW + 5000 * DAY)

    def __call__(self, key: Any = None, **more: Any) -> Made:  # noqa: ANN401 -- as for `certificate`
        """``more`` goes to :func:`certificate`."""
        folder = self._folders.mktemp("authority")
        key = key or ec.generate_private_key(ec.SECP256R1())
        own = certificate("authority", key, (self.root, self.root_key), **more)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        for name, data in (
            ("own.pem", pem(own)),
            ("own.key", private),
            ("root.pem", pem(self.root)),
            ("serial", b"01"),
        ):
            (folder / name).write_bytes(data)
        return Made(folder, self.root, own, timestamp.Authority(own, (self.root,)))


def refused(response: bytes, note: str, nonce: int, pinned: timestamp.Authority) -> str:
    with pytest.raises(IntegrityError) as caught:
        timestamp.verify(response, note, nonce, pinned)
    return caught.value.code
