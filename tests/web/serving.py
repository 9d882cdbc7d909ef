# SPDX-License-Identifier: Apache-2.0
"""``radiomicnet-md serve`` as a process on this machine, ended with the test."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import urlencode, urlsplit

from tests import desks


class Served:
    """A running server."""

    def __init__(self, home: Path, *arguments: str) -> None:
        """Start it and wait until it says its address."""
        port = () if "--port" in arguments else ("--port", "0")
        command = [sys.executable, "-m", "radiomicnet_md", "serve", "--home", str(home), "--json", *port, *arguments]
        environment = desks.environment(home.parent, XDG_CACHE_HOME=str(Path.home() / ".cache"))
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        said = json.loads(line) if line else {}
        if "url" not in said:
            out, err = self._process.communicate()
            raise RuntimeError(line + out + err)
        self.url: str = said["url"].rstrip("/")
        self.port = int(urlsplit(self.url).port or 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=15)
        finally:
            self._process.kill()

    def get(self, path: str) -> tuple[int, Mapping[str, str]]:
        """Status and headers of a page."""
        return self._ask("GET", path, None, None)

    def post(self, path: str, form: Mapping[str, str], tls: ssl.SSLContext | None) -> tuple[int, Mapping[str, str]]:
        """Status and headers of a form's answer."""
        return self._ask("POST", path, urlencode(form), tls)

    def _ask(
        self, method: str, path: str, body: str | None, tls: ssl.SSLContext | None
    ) -> tuple[int, Mapping[str, str]]:
        made = (
            http.client.HTTPSConnection("127.0.0.1", self.port, context=tls, timeout=30)
            if tls
            else http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        )
        headers = {"content-type": "application/x-www-form-urlencoded"} if body else {}
        made.request(method, path, body, headers)
        answer = made.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
