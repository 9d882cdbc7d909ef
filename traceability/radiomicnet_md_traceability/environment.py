# SPDX-License-Identifier: Apache-2.0
"""On what a test run ran: machine, system, packages, source and release, so that a result can be placed and repeated.

Nothing here names a computer, a person or a folder, except the tester whom ``RADIOMICNET_MD_TESTER`` names.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from radiomicnet_md_traceability.soup import locks

FORMAT = 2
MANDATORY = ("tester", "commit", "system", "release", "machine", "processor", "python", "threads", "code_sha256")
CODE = (
    "radiomicnet_md",
    "audit/radiomicnet_md_audit",
    "validation/radiomicnet_md_validation",
    "traceability/radiomicnet_md_traceability",
    "training/radiomicnet_md_training",
)
_VARIABLES = ("CUBLAS_WORKSPACE_CONFIG", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "RADIOMICNET_MD_REQUIRE", "TZ")


def describe(root: Path) -> dict[str, Any]:
    """The head of a results file, without the time and the number of tests."""
    return {
        "format": FORMAT,
        "tester": os.environ.get("RADIOMICNET_MD_TESTER") or "automatic run, no person named",
        "commit": _git(root, "rev-parse", "HEAD"),
        "dirty": bool(_git(root, "status", "--porcelain")),
        "system": platform.system(),
        "release": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "machine": platform.machine(),
        "processor": _processor(),
        "accelerator": _accelerator(),
        "threads": os.cpu_count() or 0,
        "python": platform.python_version(),
        "packages": _packages(),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "lock_sha256": digest(locks(root)),
        "model_sha256": model_digest(root),
        "code_sha256": code_digest(root),
    }


def code_digest(root: Path) -> str:
    """One digest over the product's source files, names included."""
    files = (file for folder in CODE for file in (root / folder).rglob("*.py"))
    return digest(files, root)


def model_digest(root: Path) -> str:
    """One digest over the manifests of the releases that ship; the manifest binds every other file of a release."""
    return digest((root / "radiomicnet_md" / "releases").glob("*/manifest.json"), root)


def digest(files: Iterable[Path], root: Path | None = None) -> str:
    """SHA-256 over sorted names (below ``root``, if given) and contents; a missing file counts as empty."""
    total = hashlib.sha256()
    for file in sorted(files):
        content = file.read_bytes() if file.is_file() else b""
        name = file.relative_to(root).as_posix() if root else file.name
        total.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return total.hexdigest()


def _git(root: Path, *words: str) -> str:
    try:
        found = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)  # noqa: S603, S607
    except OSError:
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def _processor() -> str:
    """The processor's name and the digest of its flags, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.partition(":")[::2] for line in reversed(lines) if ":" in line)
    known = {name.strip(): value.strip() for name, value in fields.items()}
    flags = hashlib.sha256(known.get("flags", "").encode()).hexdigest()
    return f"{known.get('model name', platform.machine())}, flags {flags[:16]}"


def _accelerator() -> str:
    driver = Path("/proc/driver/nvidia/version")
    return driver.read_text(encoding="ascii", errors="replace").splitlines()[0] if driver.is_file() else "none"


def _packages() -> dict[str, str]:
    pairs = ((str(found.metadata["Name"]), found.version) for found in importlib.metadata.distributions())
    return dict(sorted((name.lower(), version) for name, version in pairs))
