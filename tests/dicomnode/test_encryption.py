# SPDX-License-Identifier: Apache-2.0
"""Over TLS with dcmtk's programs, each side with a certificate of an authority that the other one trusts."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread

from radiomicnet_md.config import Tls
from radiomicnet_md.dicomnode import encryption
from radiomicnet_md.errors import ConfigurationError, ExitCode
from tests.dicomnode import nodes
from tests.dicomnode.nodes import Node
from tests.dicomnode.orthanc import free_port
from tests.dicomnode.test_archive import encoded

Require = Callable[[str], Path]


class Authority:
    """Who signs certificates of this machine, with OpenSSL's program."""

    def __init__(self, openssl: Path, folder: Path) -> None:
        """Make its key and certificate."""
        folder.mkdir()
        self._openssl, self._folder, self.ca = str(openssl), folder, folder / "ca.pem"
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        self._run("req", "-x509", *self._key("ca"), "-subj", "/CN=An authority of a test", *usage, "-out", str(self.ca))

    def issue(self, name: str) -> Tls:
        """Files of somebody on this machine."""
        asked, signed = self._folder / f"{name}.csr", self._folder / f"{name}.pem"
        self._run("req", "-new", *self._key(name), "-subj", f"/CN={name}", "-out", str(asked))
        more = self._folder / f"{name}.ext"
        more.write_text("subjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\nbasicConstraints=CA:FALSE\n")
        by = ["-CA", str(self.ca), "-CAkey", str(self._folder / "ca.key"), "-extfile", str(more), "-days", "2"]
        self._run("x509", "-req", "-in", str(asked), *by, "-out", str(signed))
        return Tls(certificate_file=signed, key_file=self._folder / f"{name}.key", ca_file=self.ca)

    def _key(self, name: str) -> list[str]:
        return ["-newkey", "rsa:2048", "-nodes", "-keyout", str(self._folder / f"{name}.key")]

    def _run(self, *arguments: str) -> None:
        subprocess.run([self._openssl, *arguments], check=True, capture_output=True)


@pytest.fixture
def authority(require: Require, tmp_path: Path) -> Authority:
    return Authority(require("openssl"), tmp_path / "authority")


@pytest.fixture
def other(require: Require, tmp_path: Path) -> Authority:
    return Authority(require("openssl"), tmp_path / "other")


def dcmtk(tls: Tls) -> list[str]:
    """What dcmtk's programs are told of files."""
    return ["+tls", str(tls.key_file), str(tls.certificate_file), "+cf", str(tls.ca_file)]


def settings(tls: Tls) -> dict[str, str]:
    """The same for our configuration file."""
    return {name: str(path) for name, path in tls.model_dump().items()}


def options(tls: Tls) -> list[str]:
    """The same for our command line."""
    return [
        *("--tls-certificate", str(tls.certificate_file)),
        *("--tls-key", str(tls.key_file), "--tls-ca", str(tls.ca_file)),
    ]


@contextmanager
def storing(program: Path, folder: Path, tls: Tls) -> Iterator[int]:
    """The storescp of dcmtk, which writes what it is sent into a folder; its port, once it answers its own kind."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    command = [str(program), *dcmtk(tls), "-od", str(folder), "-aet", "ARCHIVE", str(port)]
    asking = [str(program.with_name("echoscu")), *dcmtk(tls), "127.0.0.1", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            end = time.monotonic() + 30
            while subprocess.run(asking, capture_output=True, check=False).returncode != 0:
                assert time.monotonic() < end
            yield port
        finally:
            running.kill()


@pytest.mark.verifies("SRS-DCM-009")
def test_who_shows_a_certificate_is_served_and_nobody_else(
    home: Path, require: Require, authority: Authority, other: Authority
) -> None:
    storescu = require("dcmtk").with_name("storescu")
    path = home.parent / "one.dcm"
    path.write_bytes(encoded(1))
    ours, theirs, stranger = authority.issue("node"), authority.issue("scanner"), other.issue("stranger")
    strangers = Tls(certificate_file=stranger.certificate_file, key_file=stranger.key_file, ca_file=ours.ca_file)
    with Node(home, *options(ours)) as node, socket.create_connection(("127.0.0.1", node.port)):  # says nothing
        address = ["-aec", nodes.AE_TITLE, "127.0.0.1", str(node.port), str(path)]

        def send(*how: str) -> int:
            return subprocess.run([str(storescu), *how, *address], capture_output=True, check=False).returncode

        assert 0 not in [send(), send("+tla"), send(*dcmtk(strangers))]
        assert send(*dcmtk(theirs)) == 0
        (answer,) = node.until(lambda said: len(said) == 1)
        assert node.terminate() == ExitCode.OK
    assert answer["status"] == "accepted"
    assert len(nodes.recorded(home)[0]) == 1


@pytest.mark.verifies("SRS-DCM-009")
def test_objects_go_to_an_archive_with_the_right_certificate_and_to_no_other(
    home: Path, require: Require, authority: Authority, other: Authority
) -> None:
    storescp, stored = require("dcmtk").with_name("storescp"), home.parent / "stored"
    path = home.parent / "one.dcm"
    path.write_bytes(encoded(1))
    ours, archive, impostor = authority.issue("node"), authority.issue("archive"), other.issue("archive")
    at = {"ae": "ARCHIVE", "host": "127.0.0.1", "tls": settings(ours)}
    with storing(storescp, stored, impostor) as port:
        nodes.configure(home, {"archive": {**at, "port": port}})
        waits = nodes.call(home, "send", path, "--to", "archive", "--wait", "2")
        assert (waits.returncode, list(stored.iterdir())) == (ExitCode.RETRY, [])
    with storing(storescp, stored, archive) as port:
        nodes.configure(home, {"archive": {**at, "port": port}})
        sent = nodes.call(home, "send", "--to", "archive")
        assert (sent.returncode, [line["status"] for line in nodes.lines(sent)]) == (ExitCode.OK, ["sent"])
    (one,) = stored.iterdir()
    assert dcmread(one).SOPInstanceUID == nodes.study(1).SOPInstanceUID


@pytest.mark.verifies("SRS-DCM-009")
def test_files_that_are_not_right_are_mistakes_of_the_configuration(
    home: Path, authority: Authority, tmp_path: Path
) -> None:
    good, another = authority.issue("node"), authority.issue("another")
    closed = tmp_path / "closed.key"
    subprocess.run(
        ["openssl", "rsa", "-aes128", "-passout", "pass:words", "-in", str(good.key_file), "-out", str(closed)],
        check=True,
        capture_output=True,
    )
    for odd in (
        good.model_copy(update={"key_file": another.key_file}),
        good.model_copy(update={"key_file": closed}),
        good.model_copy(update={"ca_file": tmp_path / "absent.pem"}),
        good.model_copy(update={"ca_file": good.key_file}),
    ):
        for how in (encryption.calling, encryption.answering):
            with pytest.raises(ConfigurationError) as caught:
                how(odd)
            assert caught.value.code == "E-TLS-FILE"
    nodes.configure(home, {"archive": {"ae": "A", "host": "127.0.0.1", "port": 9, "tls": settings(odd)}})
    sent = nodes.call(home, "send", "--to", "archive")
    assert (sent.returncode, nodes.lines(sent)[-1]["reason"]["code"]) == (ExitCode.CONFIGURATION, "E-TLS-FILE")
    out = ["--out", home.parent / "out"]
    half = nodes.call(home, "listen", *out, *options(good)[:4])
    assert (half.returncode, nodes.lines(half)[-1]["reason"]["code"]) == (ExitCode.USAGE, "E-LISTEN-TLS")
    broken = nodes.call(home, "listen", *out, "--port", "0", *options(odd))
    assert (broken.returncode, nodes.lines(broken)[-1]["reason"]["code"]) == (ExitCode.CONFIGURATION, "E-TLS-FILE")
