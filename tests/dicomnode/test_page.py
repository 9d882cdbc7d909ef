# SPDX-License-Identifier: Apache-2.0
"""The page about connecting a PACS is followed to the letter, with other ports; its pictures are of what came of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from pydicom import dcmread

from radiomicnet_md import phantom
from radiomicnet_md.home import open_home
from radiomicnet_md.image import mask_sha256
from radiomicnet_md_audit.statement import DECISION
from tests import desks
from tests.dicomnode.orthanc import free_port

Require = Callable[[str], Path]
_BLOCK = re.compile(r"^```sh( [^\n]*)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Reader:
    """Who reads the page and types what it says."""

    def __init__(self, folder: Path, orthanc: Path) -> None:
        """Sit down in a folder that is empty but for an image."""
        folder.mkdir()
        self.folder = folder
        self.ports = {port: str(free_port()) for port in ("4242", "8042", "11112")}
        programs = folder / "programs"
        programs.mkdir()
        starter = f'#!/bin/sh\nexec "{sys.executable}" -m radiomicnet_md "$@"\n'
        (programs / "radiomicnet-md").write_text(starter, encoding="utf-8")
        (programs / "radiomicnet-md").chmod(0o755)
        cache = {"XDG_CACHE_HOME": str(Path.home() / ".cache")}
        self._environment = desks.environment(folder, **cache)
        self._environment["PATH"] = f"{programs}:{orthanc.parent}:{self._environment['PATH']}"

    @property
    def url(self) -> str:
        """The archive's address."""
        return f"http://127.0.0.1:{self.ports['8042']}"

    def types(self, text: str) -> str:
        """Run a block to its end; what it said."""
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", self._own(text)], **self._how, check=True)  # type: ignore[call-overload]
        return str(done.stdout)

    def leaves_running(self, text: str) -> subprocess.Popen[str]:
        """Start a block."""
        how = {**self._how, "stdout": (self.folder / "said").open("a")}
        return subprocess.Popen(["bash", "-c", f"exec {self._own(text)}"], **how)  # type: ignore[call-overload, no-any-return]

    def archive_answers(self) -> bool:
        """Whether Orthanc is ready."""
        try:
            return httpx.get(f"{self.url}/system", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def node_listens(self) -> bool:
        """Whether the node has said that it listens."""
        return "listens on" in (self.folder / "said").read_text(encoding="utf-8")

    def node_has_sent(self) -> bool:
        """Whether the node has said that it sent objects."""
        return "sent " in (self.folder / "said").read_text(encoding="utf-8")

    @property
    def _how(self) -> dict[str, Any]:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return {"cwd": self.folder, "env": self._environment, "text": True, **streams}

    def _own(self, text: str) -> str:
        for port, own in self.ports.items():
            text = text.replace(port, own)
        return text.replace("dicom listen", f"dicom listen --port {self.ports['11112']}")


def until(what: Callable[[], bool], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.fixture
def typed(root: Path, tmp_path: Path, require: Require) -> Iterator[tuple[Reader, list[str]]]:
    """The page, followed; and what its blocks said."""
    page = (root / "docs" / "how-to" / "connect-a-pacs.md").read_text(encoding="utf-8")
    reader, said = Reader(tmp_path / "reader", require("orthanc")), []
    phantom.write_dicom(phantom.make(1), reader.folder / "scan.dcm")
    with ExitStack() as running:
        for how, text in _BLOCK.findall(page):
            if how == " leave running":
                process = reader.leaves_running(text)
                running.callback(process.wait, 60)
                running.callback(process.terminate)
                until(reader.node_listens if "dicom listen" in text else reader.archive_answers)
            elif not how:
                said.append(reader.types(text))
                if "/store" in text:
                    until(reader.node_has_sent)
        yield reader, said


@pytest.mark.verifies("SRS-DCM-007", "SRS-DCM-003")
def test_the_page_leads_to_objects_beside_the_image(
    typed: tuple[Reader, list[str]], root: Path, require: Require, tmp_path: Path
) -> None:
    reader, said = typed
    instances = httpx.get(f"{reader.url}/dicom-web/instances?includefield=00080060", timeout=30).json()
    kinds = {one["00080060"]["Value"][0] for one in instances}
    assert {"US", "SEG", "SR"} <= kinds
    assert "SEG" in said[-1]
    assert any(line.split()[-2:] == ["sending", "archive"] for line in said[-1].splitlines())
    stored = [
        dcmread(BytesIO(httpx.get(f"{reader.url}/instances/{one}/file", timeout=30).content)) for one in ids(reader)
    ]
    (mask,) = (one for one in stored if one.Modality == "SEG" and one.SegmentationType == "BINARY")
    with open_home(reader.folder / ".local" / "share" / "radiomicnet-md").reading_ledger() as ledger:
        (record,) = (one for one in map(ledger.read, ledger.entries()) if one.predicate_type == DECISION)
    outputs: Any = record.predicate["outputs"]
    pixels = np.ascontiguousarray(mask.pixel_array.reshape(-1, mask.Rows, mask.Columns)[0], dtype=np.uint8)
    assert mask_sha256(pixels) == outputs["mask_sha256"]
    require("playwright")
    folder = root / "docs" / "pictures" if os.environ.get("RADIOMICNET_MD_PICTURES") else tmp_path
    _pictures(reader, require("chromium"), folder)


def ids(reader: Reader) -> list[str]:
    """Every instance of the archive."""
    return list(httpx.get(f"{reader.url}/instances", timeout=30).json())


def _pictures(reader: Reader, chromium: Path, folder: Path) -> None:
    from playwright.sync_api import sync_playwright

    (study,) = httpx.get(f"{reader.url}/studies", timeout=30).json()
    series = [httpx.get(f"{reader.url}/series/{one}", timeout=30).json() for one in
              httpx.get(f"{reader.url}/studies/{study}", timeout=30).json()["Series"]]  # fmt: skip
    # The map of contributions is of modality OT too, and has no preview.
    capture = next(one for one in series if "picture" in one["MainDicomTags"].get("SeriesDescription", ""))
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto(f"{reader.url}/app/explorer.html#study?uuid={study}")
        page.wait_for_selector("#list-series a", timeout=60_000)
        assert page.locator("#list-series li:has(a)").count() == len(series)
        page.screenshot(path=folder / "pacs-study.png")
        page.goto(f"{reader.url}/instances/{capture['Instances'][0]}/preview")
        page.wait_for_load_state()
        page.screenshot(path=folder / "pacs-picture.png")
        browser.close()
    assert (folder / "pacs-picture.png").stat().st_size > 5_000
