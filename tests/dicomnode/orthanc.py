# SPDX-License-Identifier: Apache-2.0
"""Orthanc as an archive of the test's own: free ports of this machine, its own folder, gone with the test."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import httpx

PLUGINS = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
AE_TITLE = "ORTHANC"


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        return int(made.getsockname()[1])


class Orthanc:
    """A running Orthanc."""

    def __init__(self, program: Path, folder: Path, node_port: int = 11112) -> None:
        """Start it; it knows a node RADIOMICNET at ``node_port``."""
        folder.mkdir()
        self.http_port, self.dicom_port = free_port(), free_port()
        self._program, self._file = program, folder / "orthanc.json"
        settings = {
            "Name": "Archive",
            "StorageDirectory": str(folder / "db"),
            "IndexDirectory": str(folder / "db"),
            "Plugins": [str(PLUGINS)],
            "HttpPort": self.http_port,
            "DicomPort": self.dicom_port,
            "DicomAet": AE_TITLE,
            "DicomCheckCalledAet": True,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "OverwriteInstances": True,
            "DicomModalities": {"radiomicnet": ["RADIOMICNET", "127.0.0.1", node_port]},
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        self._file.write_text(json.dumps(settings), encoding="utf-8")
        self._log = (folder / "log").open("wb")
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen([str(self._program), str(self._file)], stdout=self._log, stderr=self._log)
        end = time.monotonic() + 60
        while True:
            try:
                self.get("/system")
            except httpx.TransportError:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """End it; what it holds stays on its disk."""
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        finally:
            self._process.kill()

    def __enter__(self) -> Self:
        """Use it in a ``with`` block, so that it ends."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()
        self._log.close()

    @property
    def url(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def web(self) -> dict[str, object]:
        """A destination that speaks DICOMweb."""
        return {"url": f"{self.url}/dicom-web"}

    @property
    def dimse(self) -> dict[str, object]:
        """A destination that speaks DIMSE."""
        return {"ae": AE_TITLE, "host": "127.0.0.1", "port": self.dicom_port}

    def get(self, path: str) -> Any:  # noqa: ANN401 -- JSON
        """The answer of its REST API."""
        answer = httpx.get(self.url + path, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def upload(self, data: bytes) -> str:
        """Store an instance; its id in Orthanc."""
        answer = httpx.post(f"{self.url}/instances", content=data, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["ID"])

    def push(self, instance: str) -> None:
        """Send an instance to the node by C-STORE, as the explorer's button does."""
        answer = httpx.post(f"{self.url}/modalities/radiomicnet/store", content=instance, timeout=60)
        answer.raise_for_status()

    def find(self, **query: str) -> list[dict[str, Any]]:
        """Instances by QIDO-RS, with their attributes by tag."""
        answer = httpx.get(f"{self.url}/dicom-web/instances", params=query, timeout=30)
        return list(answer.json()) if answer.content else []

    def file(self, sop_instance_uid: str) -> bytes:
        """The file of an instance."""
        (found,) = httpx.post(f"{self.url}/tools/lookup", content=sop_instance_uid, timeout=30).json()
        return httpx.get(f"{self.url}/instances/{found['ID']}/file", timeout=30).content
