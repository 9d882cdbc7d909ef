# SPDX-License-Identifier: Apache-2.0
"""``dicom listen`` as a process on this machine, and studies to send to it."""

from __future__ import annotations

import hashlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml
from pydicom import dcmread
from pynetdicom import AE

from radiomicnet_md.home import open_home
from radiomicnet_md.io import new_images
from radiomicnet_md_audit.statement import DECISION, SENDING
from tests import desks

STUB = ("-m", "tests.dicomnode.stub_node")
REAL = ("-m", "radiomicnet_md")
AE_TITLE = "RADIOMICNET"


class Node:
    """A running listener."""

    def __init__(self, home: Path, *arguments: str, program: tuple[str, ...] = STUB, **environment: str) -> None:
        """Start it and wait until it listens."""
        timeout = () if "--study-timeout" in arguments else ("--study-timeout", "0")
        command = [sys.executable, *program, "dicom", "listen", "--home", str(home), "--json", "--quiet"]
        command += ["--port", "0", "--out", str(home.parent / "out"), *timeout, *arguments]
        cache = {"XDG_CACHE_HOME": str(Path.home() / ".cache")}
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=desks.environment(home.parent, **cache, **environment),
        )
        self.lines: list[dict[str, Any]] = []
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        first = json.loads(self._said.get(timeout=120) or "{}")
        if "port" not in first:
            raise RuntimeError(json.dumps(first) + self.process.communicate()[1])
        self.port: int = first["port"]

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._said.put(line)
        self._said.put("")

    def __enter__(self) -> Self:
        """Use it in a ``with`` block, so that it ends."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def until(self, enough: Callable[[list[dict[str, Any]]], bool], seconds: float = 60) -> list[dict[str, Any]]:
        """What it has said, once that is enough."""
        end = time.monotonic() + seconds
        while not enough(self.lines):
            line = self._said.get(timeout=max(0.01, end - time.monotonic()))
            if not line:
                raise RuntimeError(f"it ended with {self.process.wait()}")
            self.lines.append(json.loads(line))
        return self.lines

    def terminate(self) -> int:
        """Ask it to end; its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=60)


def call(home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """One call of ``dicom`` that ends by itself."""
    command = [sys.executable, *STUB, "dicom", *map(str, arguments), "--home", str(home), "--json", "--quiet"]
    environment = desks.environment(home.parent, XDG_CACHE_HOME=str(Path.home() / ".cache"))
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What a call said."""
    return [json.loads(line) for line in done.stdout.splitlines()]


def study(number: int, change: Callable[[Any], None] | None = None, rows: int = 96, columns: int = 128) -> Any:  # noqa: ANN401
    """A study of one small ultrasound image."""
    down, across = np.mgrid[0:rows, 0:columns]
    noise = np.random.default_rng(number).integers(0, 40, (rows, columns))
    levels = np.where(np.hypot(down - rows / 2, across - columns / 2) < rows / 5, 20, 150 + noise).astype(np.uint8)
    dataset = new_images.ultrasound(levels, (0.1, 0.1), hashlib.sha256(f"study {number}".encode()).hexdigest())
    dataset.PatientID = f"P-{number}"
    if change:
        change(dataset)
    return dcmread(BytesIO(new_images.encode(dataset)))


def send(port: int, datasets: Iterable[Any], called: str = AE_TITLE, calling: str = "SENDER") -> list[int | None]:
    """The statuses of C-STORE for each of these; None where there was no answer."""
    entity = AE(ae_title=calling)
    datasets = list(datasets)
    for kind in sorted({(str(one.SOPClassUID), str(one.file_meta.TransferSyntaxUID)) for one in datasets}):
        entity.add_requested_context(kind[0], kind[1])
    association = entity.associate("127.0.0.1", port, ae_title=called)
    if not association.is_established:
        return [None for _ in datasets]
    try:
        return [association.send_c_store(one).get("Status") for one in datasets]
    except (RuntimeError, ValueError):
        return [None]
    finally:
        association.release() if association.is_established else association.abort()


def configure(home: Path, destinations: dict[str, dict[str, object]]) -> None:
    """Write the configuration file that a process of :func:`desks.environment` reads."""
    folder = home.parent / ".config" / "radiomicnet-md"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"destinations": destinations}), encoding="utf-8")


def recorded(home: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The predicates of all decisions and of all sendings."""
    with open_home(home).reading_ledger() as ledger:
        said = [ledger.read(entry) for entry in ledger.entries()]
    kinds = (DECISION, SENDING)
    decisions, sendings = ([dict(one.predicate) for one in said if one.predicate_type == kind] for kind in kinds)
    return decisions, sendings


def terminal(decisions: list[dict[str, Any]]) -> list[str]:
    """The request ids that ended, one for each terminal record."""
    return [one["request_id"] for one in decisions if one["state"] != "ERROR"]
