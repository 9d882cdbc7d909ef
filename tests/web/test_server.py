# SPDX-License-Identifier: Apache-2.0
"""The server in a process of its own: where it listens, over what, and whom it gives up waiting for."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from radiomicnet_md import home as homes
from radiomicnet_md.errors import UsageError
from radiomicnet_md.web.server import HEAD_S, Address
from tests.web.conftest import Cases
from tests.web.serving import Served

TLS = (Path("chain.pem"), Path("key.pem"))


@pytest.mark.verifies("SRS-PAG-011")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "192.168.1.1", "2001:db8::1", "169.254.1.1"])  # noqa: S104
@pytest.mark.verifies("SRS-PAG-011", rc=("RC-032",))
def test_other_machines_are_served_over_tls_alone(host: str) -> None:
    with pytest.raises(UsageError) as caught:
        Address(host, 8470).check()
    assert caught.value.code == "E-SERVE-ADDRESS"
    Address(host, 8470, *TLS).check()


@pytest.mark.verifies("SRS-PAG-011")
@pytest.mark.parametrize(
    "address",
    [
        Address("localhost", 1),
        Address("example.org", 1),
        Address("", 1),
        Address("127.0.0.1", 1, TLS[0]),
        Address("127.0.0.1", 1, None, TLS[1]),
    ],
)
def test_half_of_tls_and_names_for_addresses_are_refused(address: Address) -> None:
    with pytest.raises(UsageError):
        address.check()


@pytest.mark.verifies("SRS-PAG-008")
def test_the_names_that_it_answers_to_are_its_own() -> None:
    assert Address("127.0.0.1", 0).hosts(8470) == ["127.0.0.1:8470", "localhost:8470"]
    assert Address("::1", 0).hosts(8470) == ["[::1]:8470", "localhost:8470"]
    made = Address("10.0.0.5", 443, *TLS, ("Review.example.org",))
    assert made.hosts(443) == ["10.0.0.5:443", "review.example.org:443", "10.0.0.5", "review.example.org"]
    assert made.url(443) == "https://Review.example.org:443/"


@pytest.mark.verifies("SRS-PAG-011", "SRS-PAG-008")
def test_a_request_head_that_never_ends_is_closed_and_others_are_served_meanwhile(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
        started = time.monotonic()
        status, _ = served.get("/sign-in")
        assert status == 200
        slow.settimeout(HEAD_S + 10)
        assert slow.recv(1) == b""
        assert HEAD_S - 1 < time.monotonic() - started < HEAD_S + 8


@pytest.mark.verifies("SRS-PAG-011")
def test_over_tls_the_cookie_is_bound_to_it_and_browsers_are_told_to_stay(
    serve: Callable[..., Served], require: Callable[[str], Path], tmp_path: Path
) -> None:
    import subprocess

    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    kind = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(chain)]
    subprocess.run([require("openssl"), "req", "-x509", *kind, *subject], check=True, capture_output=True)
    served = serve("--tls-certificate", str(chain), "--tls-key", str(key))
    assert served.url.startswith("https://127.0.0.1:")
    trusted = ssl.create_default_context(cafile=str(chain))
    status, headers = served.post("/sign-in", {"user": "rita", "passphrase": "own words of somebody"}, trusted)
    assert status == 303
    assert headers["strict-transport-security"]
    assert headers["set-cookie"].startswith("__Host-radiomicnet-md=")
    assert "secure" in headers["set-cookie"].lower()


@pytest.mark.verifies("SRS-PAG-011")
def test_a_port_in_use_is_said_in_words(served: Served, serve: Callable[..., Served]) -> None:
    with pytest.raises(RuntimeError, match="E-SERVE-ADDRESS"):
        serve("--port", str(served.port))


@pytest.mark.verifies("SRS-PAG-004", "SRS-LOG-019")
@pytest.mark.parametrize("damage", ["PRAGMA user_version = 1", "PRAGMA user_version = 99", "DROP TABLE event"])
def test_a_log_that_is_half_migrated_or_of_another_version_is_not_served(
    real_site: tuple[Path, Cases], tmp_path: Path, damage: str
) -> None:
    home = tmp_path / "home"
    shutil.copytree(real_site[0], home)
    shutil.copyfile(homes.anchor_beside(real_site[0]), homes.anchor_beside(home))
    with sqlite3.connect(home / "audit.db") as file:
        file.execute(damage)
    file.close()
    with pytest.raises(RuntimeError, match='"E-') as caught, Served(home):
        pass
    assert "Traceback" not in str(caught.value)
