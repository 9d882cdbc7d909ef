# SPDX-License-Identifier: Apache-2.0
"""``radiomicnet-md serve`` as a process on this machine, ended with the test."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import httpx

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
        """Use it in a ``with`` block, so that it ends."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.communicate(timeout=15)
        finally:
            self._process.kill()

    def get(self, path: str) -> tuple[int, Mapping[str, str]]:
        """Status and headers of a page."""
        answer = httpx.get(self.url + path, timeout=30)
        return answer.status_code, answer.headers

    def post(self, path: str, form: Mapping[str, str], tls: ssl.SSLContext) -> tuple[int, Mapping[str, str]]:
        """Status and headers of a form's answer, over TLS."""
        answer = httpx.post(self.url + path, data=dict(form), verify=tls, timeout=30)
        return answer.status_code, answer.headers
