# SPDX-License-Identifier: Apache-2.0
"""``audit anchor``: a checkpoint is time-stamped by a file that is carried or over HTTP; OpenSSL is the authority."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md import home as homes
from radiomicnet_md.errors import ExitCode
from radiomicnet_md_audit import policy, testimony
from radiomicnet_md_audit.evidence import STAMPED
from tests.audit.authorities import Made, Maker, pem
from tests.cli.conftest import Command

pytestmark = pytest.mark.verifies("SRS-LOG-017", "SRS-LOG-012")


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, require: Callable[[str], Path]) -> Maker:
    require("openssl")
    return Maker(tmp_path_factory)


@pytest.fixture(scope="module")
def authority(make: Maker) -> Made:
    return make()


@pytest.fixture
def pinned(authority: Made, tmp_path: Path) -> Path:
    """The authority's certificates as somebody may get them: with words between them."""
    path = tmp_path / "authority.pem"
    path.write_bytes(b"subject=authority\n" + pem(authority.own) + b"\nissuer=root\n" + pem(authority.root))
    return path


class Server(ThreadingHTTPServer):
    """An authority behind a port, and how it misbehaves."""

    authority: Made
    status = 200
    kind = "application/timestamp-reply"
    asked: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.headers["Content-Type"])
        answer = self.server.authority.answer(body)
        self.send_response(self.server.status)
        self.send_header("Content-Type", self.server.kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(authority: Made) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.authority, server.asked = authority, []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}/tsa"


def claim(command: Command) -> dict[str, Any]:
    (report,) = command("audit", "verify", "--json").lines
    return next(one for one in report["claims"] if one["name"] == STAMPED)


def requests(home: Path) -> list[Path]:
    return sorted((home / "timestamp-requests").glob("*"))


def test_a_stamp_by_file(command: Command, home: Path, authority: Made, pinned: Path, tmp_path: Path) -> None:
    asked, answer = tmp_path / "one.tsq", tmp_path / "one.tsr"
    assert command("audit", "anchor", "--timestamp-request", asked).code == ExitCode.OK
    assert command("audit", "anchor", "--timestamp-request", tmp_path / "two.tsq").code == ExitCode.OK
    assert len(requests(home)) == 2
    answer.write_bytes(authority.answer(asked.read_bytes()))
    given = ("audit", "anchor", "--timestamp-response", answer)
    assert "E-TIMESTAMP-AUTHORITY" in command(*given).err
    assert command("audit", "anchor", "--trust-authority", pinned).code == ExitCode.OK
    assert claim(command)["ok"] is None
    # The log goes on before the answer comes: it is about the checkpoint that was asked for.
    assert command("audit", "export", tmp_path / "export").code == ExitCode.OK
    said = command(*given, "--json")
    assert said.code == ExitCode.OK
    (line,) = said.lines
    assert (line["size"], line["accuracy_seconds"]) == (1, 1.5001)
    assert claim(command)["ok"] is True
    assert "stamped 1 entries of 2, in this history." in claim(command)["text"]
    assert len(requests(home)) == 1
    again = command(*given)  # its request is no longer open
    assert (again.code, "E-TIMESTAMP-NONCE" in again.err) == (ExitCode.INTEGRITY, True)
    answer.write_bytes(authority.answer((tmp_path / "two.tsq").read_bytes()))
    assert "1 entries time-stamped at 20" in command(*given).out
    assert requests(home) == []
    statements = testimony.beside(homes.anchor_beside(home)).read_bytes()
    assert len(testimony.split(statements)) == 2
    (home / "timestamp-requests" / "notes").write_text("not ours", encoding="utf-8")
    assert "E-TIMESTAMP-NONCE" in command(*given).err


def test_an_answer_that_does_not_count_leaves_the_request_open(
    command: Command, home: Path, authority: Made, make: Maker, pinned: Path
) -> None:
    asked, answer = pinned.with_name("one.tsq"), pinned.with_name("one.tsr")
    assert command("audit", "anchor", "--trust-authority", pinned, "--timestamp-request", asked).code == ExitCode.OK
    assert command("audit", "anchor", "--timestamp-request", asked).code == ExitCode.CONFIGURATION
    good = authority.answer(asked.read_bytes())
    for data, code in (
        (make().answer(asked.read_bytes()), "E-TIMESTAMP-CERTIFICATE"),
        (good[:-1] + bytes([good[-1] ^ 1]), "E-TIMESTAMP-SIGNATURE"),
        (b"", "E-DER"),
    ):
        answer.write_bytes(data)
        said = command("audit", "anchor", "--timestamp-response", answer)
        assert (said.code, code in said.err) == (ExitCode.INTEGRITY, True), code
    assert not testimony.beside(homes.anchor_beside(home)).exists()
    answer.write_bytes(good)
    assert command("audit", "anchor", "--timestamp-response", answer).code == ExitCode.OK


def test_a_stamp_over_http(command: Command, home: Path, pinned: Path, served: Server) -> None:
    asked = ("audit", "anchor", "--timestamp-url", url(served))
    assert "E-TIMESTAMP-AUTHORITY" in command(*asked).err
    assert served.asked == []
    said = command(*asked, "--trust-authority", pinned, "--json")
    assert said.code == ExitCode.OK
    assert said.lines[1]["size"] == 1
    assert served.asked == ["application/timestamp-query"]
    assert claim(command)["ok"] is True
    for change, value in (("status", 500), ("kind", "text/html")):
        setattr(served, change, value)
        refused = command(*asked)
        assert (refused.code, "E-TIMESTAMP-UNREACHABLE" in refused.err) == (ExitCode.RETRY, True)
    assert len(testimony.split(testimony.beside(homes.anchor_beside(home)).read_bytes())) == 1


def test_a_stamp_over_http_by_another_authority_is_not_kept(
    command: Command, home: Path, pinned: Path, served: Server, make: Maker
) -> None:
    served.authority = make()
    said = command("audit", "anchor", "--timestamp-url", url(served), "--trust-authority", pinned)
    assert (said.code, "E-TIMESTAMP-CERTIFICATE" in said.err) == (ExitCode.INTEGRITY, True)
    assert not testimony.beside(homes.anchor_beside(home)).exists()


def test_nobody_there_or_another_address(command: Command, home: Path, pinned: Path) -> None:
    assert command("audit", "anchor", "--trust-authority", pinned).code == ExitCode.OK
    assert "E-TIMESTAMP-UNREACHABLE" in command("audit", "anchor", "--timestamp-url", "http://127.0.0.1:9").err
    assert "E-TIMESTAMP-URL" in command("audit", "anchor", "--timestamp-url", "ftp://127.0.0.1").err


def test_what_pins_no_authority_is_refused(command: Command, home: Path, authority: Made, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    for data in (b"", b"-----BEGIN CERTIFICATE-----\n", pem(authority.root, authority.own)):
        wrong.write_bytes(data)
        said = command("audit", "anchor", "--trust-authority", wrong)
        assert (said.code, "E-TIMESTAMP-PIN" in said.err) == (ExitCode.CONFIGURATION, True)
    assert command("audit", "anchor", "--trust-authority", tmp_path / "none").code == ExitCode.CONFIGURATION
    assert policy.parse((home / "policy.json").read_bytes()).timestamp_authorities == ()


def test_without_the_library_it_says_what_to_install(
    command: Command, home: Path, pinned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "radiomicnet_md_audit.timestamp", None)
    monkeypatch.delattr("radiomicnet_md_audit.timestamp", raising=False)
    for asked in (("--trust-authority", pinned), ("--timestamp-request", tmp_path / "one.tsq")):
        said = command("audit", "anchor", *asked)
        assert (said.code, "radiomicnet-md-audit[timestamp]" in said.err) == (ExitCode.CONFIGURATION, True)
