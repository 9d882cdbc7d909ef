# SPDX-License-Identifier: Apache-2.0
"""What tests of all rooms share; what becomes of their marks and outcomes is radiomicnet_md_traceability.plugin.

- A part that a test needs and this machine lacks (a program, the real data) is asked for through the
  fixtures ``require`` and ``data``: the test is skipped with a reason that starts with ``absent:``, or fails where
  ``RADIOMICNET_MD_REQUIRE`` names the part.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from radiomicnet_md import compiling
from radiomicnet_md import home as homes

if TYPE_CHECKING:
    from tests.tokens import SoftHSM

compiling.use_private_cache()  # what the demo compiled, and what tests of other processes compile, is compiled once

ROOT = Path(__file__).resolve().parents[1]

# How long one example takes depends on who else uses the machine, and says nothing about a law.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

# Where a part is found, or None. Names as in RADIOMICNET_MD_REQUIRE; .ci/run requires all but `data`, `gpu`, and
# `unshare`, which a container may not be allowed.
_PARTS: dict[str, Callable[[], str | None]] = {
    "axe": lambda: _package("axe_playwright_python"),
    "chromium": lambda: shutil.which("chromium"),
    "data": lambda: os.environ.get("RADIOMICNET_MD_DATA") or None,
    "dciodvfy": lambda: shutil.which("dciodvfy"),
    "dcmqi": lambda: _programs("dcmqi"),
    "dcmtk": lambda: shutil.which("dcmsend"),  # pynetdicom has programs of the other names
    "go": lambda: shutil.which("go"),
    "go-sumdb": lambda: _folder("/usr/share/gocode/src/golang.org/x/mod/sumdb"),
    "gpu": lambda: _gpu(),  # noqa: PLW0108 - it stands further below
    "lobster": lambda: _folder(str(Path(sys.prefix) / "judges" / "bin")),  # filled by `make judges`
    "mkdocs": lambda: _folder(str(Path(sys.prefix) / "docs" / "mkdocs")),  # filled by `make docs`
    "openssl": lambda: shutil.which("openssl"),
    "openvino": lambda: _package("openvino"),
    "orthanc": lambda: _orthanc(),  # noqa: PLW0108 - it stands further below
    "pdftotext": lambda: shutil.which("pdftotext"),
    "playwright": lambda: _package("playwright"),
    "postgresql": lambda: max(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None),
    "rfc3161-client": lambda: _package("rfc3161_client"),
    "schemathesis": lambda: _package("schemathesis"),
    "softhsm": lambda: max(map(str, Path("/usr/lib").glob("softhsm/libsofthsm2.so")), default=None),
    "strace": lambda: shutil.which("strace"),
    "systemd-analyze": lambda: shutil.which("systemd-analyze"),
    "unshare": lambda: _mounting(shutil.which("unshare")),
}


def _folder(path: str) -> str | None:
    return path if Path(path).is_dir() else None


def _orthanc() -> str | None:
    """Orthanc's program, if its plugin for DICOMweb is there too."""
    found = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    return found if Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so").exists() else None


def _mounting(unshare: str | None) -> str | None:
    """Where ``unshare`` lies, if this machine lets it mount a small disk of its own."""
    if unshare is None:
        return None
    mount = [unshare, "-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"]
    return unshare if subprocess.run(mount, capture_output=True, check=False).returncode == 0 else None


def _gpu() -> str | None:
    """The first GPU's file, if torch can use one."""
    import torch

    return "/dev/nvidia0" if torch.cuda.is_available() else None


def _package(name: str) -> str | None:
    """Where a package lies, without importing it."""
    found = importlib.util.find_spec(name)
    return None if found is None else found.origin


def _programs(name: str) -> str | None:
    """The folder of the programs that a package ships."""
    origin = _package(name)
    return None if origin is None else _folder(str(Path(origin).with_name("bin")))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def require() -> Callable[[str], Path]:
    """``require("openssl")`` is the part's path; without the part the test is skipped, or fails where required."""

    def find(name: str) -> Path:
        found = _PARTS[name]()
        if found is not None:
            return Path(found)
        if name in os.environ.get("RADIOMICNET_MD_REQUIRE", "").split(","):
            pytest.fail(f"RADIOMICNET_MD_REQUIRE names {name}, which is not here", pytrace=False)
        pytest.skip(f"absent: {name}")

    return find


@pytest.fixture(scope="session")
def data(require: Callable[[str], Path]) -> Path:
    """The folder of real data (``busi_384``, ``dicom``, …) that ``RADIOMICNET_MD_DATA`` names."""
    return require("data")


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demonstration home, made once (keys cost seconds); a test works with a copy."""
    folder = tmp_path_factory.mktemp("homes") / "home"
    homes.create(folder)
    return folder


@pytest.fixture
def softhsm(require: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftHSM]:
    """Tokens of the test's own, and no other token of this machine."""
    from tests.tokens import SoftHSM

    with SoftHSM(require("softhsm"), tmp_path / "softhsm", monkeypatch) as made:
        yield made
