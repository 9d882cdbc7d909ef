# SPDX-License-Identifier: Apache-2.0
"""Which code runs, and on what: digests that change when a line of the device or a dependency changes.

Rules of this module:

- The code digest is over what is installed, read from disk, not over what a package says of itself.
- It is over names and bytes alone: the same code in another folder has the same digest.
"""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib import metadata, util
from pathlib import Path

from radiomicnet_md import __version__
from radiomicnet_md_audit import canonical

PACKAGES = ("radiomicnet_md", "radiomicnet_md_audit")
DEPENDENCIES = (
    "SimpleITK",
    "cryptography",
    "numba",
    "numpy",
    "pydicom",
    "pyradiomics",
    "rfc8785",
    "safetensors",
    "scipy",
    "sqlalchemy",
    "torch",
)


@cache
def code() -> dict[str, str]:
    """Version of the device and the sha256 over its Python files: canonical JSON of {path: sha256}."""
    digests: dict[str, str] = {}
    for package in PACKAGES:
        found = util.find_spec(package)
        root = Path(str(found.origin)).parent if found is not None else Path()
        for path in sorted(root.rglob("*.py")):
            name = f"{package}/{path.relative_to(root).as_posix()}"
            digests[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"version": __version__, "sha256": hashlib.sha256(canonical.dumps(digests)).hexdigest()}


@cache
def environment() -> dict[str, str]:
    """Interpreter, platform and main libraries; ``sha256`` is over those and every version in DEPENDENCIES."""
    versions = {name: _version(name) for name in DEPENDENCIES}
    shown = {
        "python": platform.python_version(),
        "torch": versions["torch"],
        "numpy": versions["numpy"],
        "platform": platform.platform(),
        "machine": platform.machine(),
    }
    digest = hashlib.sha256(canonical.dumps({**shown, "versions": versions})).hexdigest()
    return {"sha256": digest, **shown}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"
