# SPDX-License-Identifier: Apache-2.0
"""Over HTTP the witness gives the specification's answers, and its client trusts none of them without a signature."""

from __future__ import annotations

import shutil
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection  # noqa: TID251 -- to this machine's own loopback address
from pathlib import Path

import pytest

from radiomicnet_md_audit import checkpoint, post, sign
from radiomicnet_md_audit.checkpoint import LogKeys
from radiomicnet_md_audit.cosignature import Cosigner, cosigned_at
from radiomicnet_md_audit.errors import BusyError, ConfigurationError, IntegrityError, Problem
from radiomicnet_md_audit.witness import LARGEST_REQUEST, Witness
from radiomicnet_md_audit.witness_client import Remote, cosigned
from radiomicnet_md_audit.witness_server import LOOPBACK, WitnessServer
from tests.audit import sites
from tests.audit.sites import Site
from tests.audit.trees import LOG, NAME, ORIGIN, STRANGER, WITNESS, Tree, honest, leaves, submission

pytestmark = pytest.mark.verifies("SRS-LOG-011")

COSIGNER = Cosigner(NAME, WITNESS.public)
SITE_LOG = sign.from_seed(bytes([12]) * 32)


@pytest.fixture
def said() -> list[str]:
    """What the server says of its requests."""
    return []


@pytest.fixture
def served(tmp_path: Path, said: list[str]) -> Iterator[WitnessServer]:
    """A witness of two logs, serving on a free port of the loopback address."""
    keys = {ORIGIN: LogKeys(LOG).public(ORIGIN) + LogKeys(SITE_LOG).public(ORIGIN)}
    with WitnessServer(Witness(NAME, WITNESS, keys, tmp_path / "state"), (LOOPBACK, 0), said.append) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def answering(*answers: bytes, slowly: float = 0.0) -> Iterator[tuple[str, list[bytes]]]:
    """Stand in for a witness that gives these bytes, one answer a connection; yield its address and what it heard."""
    heard: list[bytes] = []

    def serve() -> None:
        for answer in answers:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                heard.append(connection.recv(1 << 20))
                try:
                    for at in range(0, len(answer), 1 if slowly else len(answer) or 1):
                        connection.sendall(answer[at : at + 1] if slowly else answer)
                        time.sleep(slowly)
                except OSError:
                    return

    with socket.create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://{LOOPBACK}:{listener.getsockname()[1]}", heard
        listener.shutdown(socket.SHUT_RDWR)  # wakes a thread that still waits for a connection
        thread.join()


def reply(status: str, body: str = "", *headers: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", *headers))
    return f"{head}\r\n{body}".encode()


def asked(url: str, *, key: sign.SigningKey = WITNESS, seconds: float = 5.0, size: int = 3) -> str:
    """What the client makes of a witness, for a log of three entries."""

    def prove(old: int) -> str:
        return honest(leaves(size), old).decode()

    return cosigned(Remote(url, Cosigner(NAME, key.public), seconds), prove)


# ------------------------------------------------------------------------------------------------ the server


def test_the_answers_are_those_of_the_specification(served: WitnessServer, said: list[str]) -> None:
    tree, twin = Tree(leaves(5)), Tree(leaves(5, fork_at=2))
    connection = HTTPConnection(LOOPBACK, served.server_port, timeout=10)
    cases = [
        (honest(leaves(5), 0), 200),  # all over one connection, which every answer leaves usable
        (b"old 0\n", 400),
        (submission(6, [], tree.note()), 400),
        (submission(5, [], tree.note(key=STRANGER)), 403),
        (submission(5, [], tree.note(origin="example.org/other")), 404),
        (honest(leaves(5), 0), 409),
        (honest(leaves(4), 4), 409),
        (submission(5, [], twin.note()), 409),
        (honest(leaves(8, fork_at=2), 5), 422),
        (submission(5, [bytes(32)], tree.note()), 422),
        (honest(leaves(8), 5), 200),
        (honest(leaves(8), 8), 200),
    ]
    for body, status in cases:
        connection.request("POST", "/add-checkpoint", body)
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status == status
        if status == 409:
            assert (answer.getheader("Content-Type"), text) == ("text/x.tlog.size", "5\n")
        if status == 200:
            assert text.startswith(f"— {NAME} ")
            assert text.count("\n") == 1
    assert len(said) == len(cases)
    connection.request("POST", "/other", b"")
    assert connection.getresponse().status == 404
    connection.close()


@pytest.mark.parametrize(
    "head",
    [
        "",
        "Content-Length: -1\r\n",
        "Content-Length: x\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        f"Content-Length: {LARGEST_REQUEST + 1}\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ],
)
def test_a_request_without_a_plain_length_is_400_and_the_end(head: str, served: WitnessServer) -> None:
    with socket.create_connection((LOOPBACK, served.server_port), timeout=10) as connection:
        connection.sendall(f"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
        got = b"".join(iter(lambda: connection.recv(4096), b""))
    assert got.startswith(b"HTTP/1.1 400 ")
    assert got.count(b"HTTP/1.1") == 1


def test_a_request_that_stops_half_way_is_given_up(served: WitnessServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served.RequestHandlerClass, "timeout", 0.1)
    with socket.create_connection((LOOPBACK, served.server_port), timeout=10) as connection:
        connection.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nold 0\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")
    body = honest(leaves(3), 0)  # whole as it stands, but a byte short of what was announced
    with socket.create_connection((LOOPBACK, served.server_port), timeout=10) as connection:
        head = f"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body) + 1}\r\n\r\n"
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert asked(served.url)


def test_a_broken_connection_is_one_line(
    served: WitnessServer, said: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection((LOOPBACK, served.server_port), timeout=10) as connection:
        connection.sendall(b"POST /add-che")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, not end
    until = time.monotonic() + 10
    while not said and time.monotonic() < until:
        time.sleep(0.01)
    assert said == ["the other side broke the connection"]
    assert not capfd.readouterr().err


def test_a_witness_that_cannot_decide_says_so(served: WitnessServer, said: list[str]) -> None:
    asked(served.url)
    (state,) = served.witness.state.glob("*.checkpoint")
    state.write_text("", "utf-8")
    with pytest.raises(BusyError) as caught:
        asked(served.url)
    assert "500" in str(caught.value)
    assert any("E-WITNESS-STATE" in line for line in said)


def test_what_the_other_side_sends_reaches_no_terminal(served: WitnessServer, said: list[str]) -> None:
    with socket.create_connection((LOOPBACK, served.server_port), timeout=10) as connection:
        connection.sendall(b"POST /\x1b[2Jx HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert b" 404 " in connection.recv(4096)
    assert said
    assert all(line.isprintable() for line in said)


def test_an_address_in_use_or_a_folder_that_cannot_be_is_said(served: WitnessServer, tmp_path: Path) -> None:
    one = served.witness
    with pytest.raises(ConfigurationError) as caught:
        WitnessServer(one, (LOOPBACK, served.server_port), print)
    assert caught.value.code == "E-WITNESS-LISTEN"
    (tmp_path / "file").touch()
    lost = Witness(one.name, one.key, one.logs, tmp_path / "file" / "state")
    with pytest.raises(ConfigurationError) as caught:
        WitnessServer(lost, (LOOPBACK, 0), print)
    assert caught.value.code == "E-WITNESS-STATE-FOLDER"


# ------------------------------------------------------------------------------------------------ the client


def test_a_log_gets_its_checkpoints_cosigned(served: WitnessServer, site: Site) -> None:
    remote = Remote(f"{served.url}/", COSIGNER)
    with site.open() as ledger:
        for _ in range(3):
            before = time.time()
            note = cosigned(remote, ledger.consistency)
            assert before - 1 < cosigned_at(note, COSIGNER) <= time.time()
            assert note.startswith(ledger.latest_checkpoint())
            assert checkpoint.open_(note, LogKeys(site.log).public(ORIGIN), ORIGIN).size == ledger.size
            last = ledger.size
            site.append(ledger, 2)
        assert checkpoint.parse_unverified(cosigned(remote, ledger.consistency, last))[0].size == last + 2
    assert sites.ORIGIN == ORIGIN


def test_a_log_that_was_set_back_is_found_out(served: WitnessServer, site: Site, tmp_path: Path) -> None:
    remote = Remote(served.url, COSIGNER)
    shutil.copytree(site.folder, tmp_path / "backup", ignore=shutil.ignore_patterns("state"))
    with site.open() as ledger:
        site.append(ledger, 3)
        cosigned(remote, ledger.consistency)
    old = Site(tmp_path / "backup", count=site.count)
    with old.open() as ledger:
        with pytest.raises(IntegrityError) as caught:
            cosigned(remote, ledger.consistency)
        assert caught.value.code == "E-WITNESS-LEADS"
        for appended in (3, 1):  # as long as the cosigned one, and longer
            old.append(ledger, appended)
            with pytest.raises(IntegrityError) as caught:
                cosigned(remote, ledger.consistency)
            assert caught.value.code == "E-WITNESS-DIFFERS"


def test_a_cosignature_counts_by_its_key_alone(served: WitnessServer) -> None:
    with pytest.raises(IntegrityError) as caught:
        asked(served.url, key=STRANGER)
    assert caught.value.code == "E-WITNESS-KEY"
    line = asked(served.url).splitlines()[-1]
    with answering(reply("200 OK", f"{line}\n")) as (url, _), pytest.raises(IntegrityError) as caught:
        asked(url, size=4)  # a true cosignature, of another checkpoint
    assert caught.value.code == "E-SIGNATURE"
    other = "— other MTIzNHg=\n"
    with answering(reply("200 OK", f"{other}{line}\n")) as (url, _):
        assert asked(url).splitlines()[-1] == line


@pytest.mark.parametrize(
    ("answers", "problem", "code"),
    [
        ([reply("404 Not Found")], ConfigurationError, "E-WITNESS-ORIGIN"),
        ([reply("403 Forbidden")], ConfigurationError, "E-WITNESS-LOG-KEY"),
        ([reply("422 Unprocessable")], IntegrityError, "E-WITNESS-DIFFERS"),
        ([reply("409 Conflict", "4\n", "Content-Type: text/x.tlog.size")], IntegrityError, "E-WITNESS-LEADS"),
        ([reply("409 Conflict", "3\n", "Content-Type: text/x.tlog.size")] * 2, IntegrityError, "E-WITNESS-DIFFERS"),
        ([reply("409 Conflict", "0\n", "Content-Type: text/x.tlog.size")] * 3, BusyError, "E-WITNESS-UNREACHABLE"),
        ([reply("200 OK", "fine\n")], BusyError, "E-WITNESS-UNREACHABLE"),
        ([reply("200 OK", "\u2014 x" * 50_000)], BusyError, "E-WITNESS-UNREACHABLE"),
        ([reply("200 OK", "x").replace(b"\r\n\r\nx", b"\r\n\r\n\xff")], BusyError, "E-WITNESS-UNREACHABLE"),
        ([reply("400 Bad Request")], BusyError, "E-WITNESS-UNREACHABLE"),
        ([reply("500 Internal Server Error")], BusyError, "E-WITNESS-UNREACHABLE"),
        ([b"\x00\x01\x02"], BusyError, "E-WITNESS-UNREACHABLE"),
        ([b""], BusyError, "E-WITNESS-UNREACHABLE"),
    ],
)
def test_every_other_answer_has_its_meaning(answers: list[bytes], problem: type[Problem], code: str) -> None:
    with answering(*answers) as (url, heard), pytest.raises(problem) as caught:
        asked(url)
    assert caught.value.code == code
    assert len(heard) == len(answers)


@pytest.mark.parametrize(
    ("body", "kind"), [("2\n", "text/plain"), ("02\n", "text/x.tlog.size"), ("2", "text/x.tlog.size")]
)
def test_a_conflict_names_a_size_in_one_form(body: str, kind: str) -> None:
    with (
        answering(reply("409 Conflict", body, f"Content-Type: {kind}")) as (url, _),
        pytest.raises(BusyError) as caught,
    ):
        asked(url)
    assert "named no size" in str(caught.value)


def test_no_redirect_is_followed() -> None:
    with answering(b"") as (target, lured), answering(reply("302 Found", "", f"Location: {target}")) as (url, heard):
        with pytest.raises(BusyError) as caught:
            asked(url)
        assert "302" in str(caught.value)
        assert heard
        assert not lured


def test_a_witness_that_hangs_or_drips_is_given_up() -> None:
    with answering(reply("200 OK", "x" * 500), slowly=0.05) as (url, _):
        started = time.monotonic()
        with pytest.raises(BusyError):
            asked(url, seconds=0.4)
        assert time.monotonic() - started < 3
    with socket.create_server((LOOPBACK, 0)) as deaf:
        with pytest.raises(BusyError):
            asked(f"http://{LOOPBACK}:{deaf.getsockname()[1]}", seconds=0.2)
        address = deaf.getsockname()[1]
    with pytest.raises(BusyError):
        asked(f"http://{LOOPBACK}:{address}")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "witness",
        "ftp://host",
        "file:///etc",
        "http://",
        "http://u:p@host",
        "http://host?x",
        "http://host:x",
        "http://[",
    ],
)
def test_an_address_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        asked(url)
    assert caught.value.code == "E-WITNESS-URL"


def test_an_encrypted_connection_is_checked(served: WitnessServer) -> None:
    """Against a server without TLS the handshake fails: nothing is sent in the clear instead."""
    with pytest.raises(BusyError):
        asked(served.url.replace("http://", "https://"))
    assert isinstance(post.connection_to("https://host", 1.0)[0], HTTPSConnection)


def test_the_environment_names_no_proxy(served: WitnessServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{LOOPBACK}:9")
    assert cosigned_at(asked(served.url), COSIGNER) > 0
