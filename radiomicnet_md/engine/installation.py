# SPDX-License-Identifier: Apache-2.0
"""Which code runs, and on what: digests that change when a line of the device or a dependency changes.

Rules of this module:

- The code digest is over what is installed, read from disk, not over what a package says of itself.
- It is over names and bytes alone: the same code in another folder has the same digest.
- Versions are compared with the lock file that the release binds. What was installed is compared with what the home
  froze: the digest of each dependency's ``RECORD``, and each file's size; :func:`changed_files` reads every byte.
- Files that Python itself writes (``__pycache__``) stand in ``RECORD`` without a digest and are not looked at.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import platform
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import Any

from radiomicnet_md import __version__
from radiomicnet_md.errors import ConfigurationError, NotQualifiedError
from radiomicnet_md_audit import canonical

PACKAGES = ("radiomicnet_md", "radiomicnet_md_audit")
DISTRIBUTIONS = ("radiomicnet-md", "radiomicnet-md-audit")  # that the packages are installed by
DEPENDENCIES = (
    "SimpleITK",
    "cryptography",
    "llvmlite",
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
LOCK = "lock.txt"  # of a release: the lock file of its dependencies
CODE_VERSION = "code_version"  # of a release's manifest: the version of this package that built it
_PINNED = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!+_-]+)", re.ASCII)
_RESTORE = "Install this version again as its lock says: make setup"


@cache
def code() -> dict[str, str]:
    """Version of the device and the sha256 over its Python files: canonical JSON of {path: sha256}."""
    digests: dict[str, str] = {}
    for package in PACKAGES:
        root = _root(package)
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


def refuse_drift(manifest: Mapping[str, Any], files: Mapping[str, bytes], frozen: Mapping[str, str]) -> None:
    """Raise :class:`NotQualifiedError` where this installation is not what the release and the home name.

    ``manifest`` and ``files`` are a release's; ``frozen`` are the home's :func:`record_digests`, empty where it has
    none. About half a second: versions, the digests of RECORD, and the size of every installed file.
    """
    refuse_other_code(manifest)
    refuse_other_versions(files)
    refuse_changed_records(frozen)
    if frozen:
        refuse_changed_files(thorough=False)


def refuse_other_code(manifest: Mapping[str, Any]) -> None:
    """Raise where the release was built by another series (major.minor) of this package; an old one tells none."""
    built = manifest.get(CODE_VERSION)
    if built is not None and str(built).split(".")[:2] != __version__.split(".")[:2]:
        raise NotQualifiedError(
            "E-CODE-OTHER",
            f"The release was built with version {built} of this program; this is version {__version__}.",
            remedy="Use the release that ships with this version, or install the version that the release names.",
        )


def refuse_other_versions(files: Mapping[str, bytes]) -> None:
    """Raise where a dependency is not of the version that the release's lock names; an old release has no lock."""
    for name, wanted in locked_versions(files[LOCK]).items() if LOCK in files else ():
        found = _version(name)
        if found.split("+")[0] != wanted:
            raise NotQualifiedError(
                "E-DEPENDENCY-OTHER",
                f"The release was made and tested with {name} {wanted}; installed is {found}.",
                remedy=f"Install {name}=={wanted}, as the lock of the release says: make setup",
            )


def locked_versions(lock: bytes) -> dict[str, str]:
    """The version of each of :data:`DEPENDENCIES` in a pip constraints file.

    Raises :class:`ConfigurationError` where the file leaves one out.
    """
    lines = lock.decode("utf-8", "replace").splitlines()
    found = {_plain(match[1]): match[2] for line in lines if (match := _PINNED.match(line.strip()))}
    absent = [name for name in DEPENDENCIES if _plain(name) not in found]
    if absent:
        raise ConfigurationError(
            "E-LOCK-INCOMPLETE",
            f"The lock file names no version of {', '.join(absent)}.",
            remedy="Give the lock file that this program was installed by: requirements/lock-py311.txt",
        )
    return {name: found[_plain(name)] for name in DEPENDENCIES}


def record_digests() -> dict[str, str]:
    """sha256 of each dependency's RECORD, which holds the sha256 of each of its files as it was installed."""
    return {name: hashlib.sha256(_record(name).encode()).hexdigest() for name in DEPENDENCIES}


def refuse_changed_records(frozen: Mapping[str, str]) -> None:
    """Raise where a dependency is installed from other files than when the home was made."""
    now = record_digests() if frozen else {}
    changed = [name for name, digest in frozen.items() if now.get(name) != digest]
    if changed:
        raise NotQualifiedError(
            "E-INSTALLATION-CHANGED",
            f"{', '.join(changed)} was installed anew or changed since this home was made, qualified or upgraded.",
            remedy=f"{_RESTORE}; or take what is installed in on the record: radiomicnet-md upgrade --help",
        )


def refuse_changed_files(*, thorough: bool) -> None:
    """Raise where a file of a dependency is not the installed one: by size, and by digest where ``thorough``."""
    found = next(changed_files(thorough=thorough), None)
    if found is not None:
        raise NotQualifiedError(
            "E-INSTALLATION-FILE",
            f"A file of an installed package is not the one that was installed: {found}.",
            remedy=_RESTORE,
        )


def changed_files(*, thorough: bool) -> Iterator[str]:
    """Names of installed files that are absent, of another size, or, where ``thorough``, of another digest.

    Reading every byte takes seconds (1.1 GB with a CPU build of torch); the sizes alone less than half a second.
    """
    for dependency in DEPENDENCIES:
        yield from _changed_files(dependency, thorough=thorough)


def changed_own_files() -> list[str] | None:
    """The files of this program that are not as they were installed, and modules beside them; every byte is read.

    None where it is installed in place (``pip install -e``, or run from its source): then nothing lists its files.
    """
    changed: list[str] = []
    for package, name in zip(PACKAGES, DISTRIBUTIONS, strict=True):
        root = _root(package)
        listed = {row[0] for row in csv.reader(_record(name).splitlines())}
        if f"{package}/__init__.py" not in listed:
            return None
        where = Path(str(metadata.distribution(name).locate_file(package)))
        if where.resolve() != root.resolve():
            changed.append(f"{package} runs from another folder than it was installed in")
        changed += _changed_files(name, thorough=True)
        modules = (f"{package}/{path.relative_to(root).as_posix()}" for path in sorted(root.rglob("*.py")))
        changed += [module for module in modules if module not in listed]
    return changed


def _changed_files(distribution: str, *, thorough: bool) -> Iterator[str]:
    rows = list(csv.reader(_record(distribution).splitlines()))
    root = metadata.distribution(distribution) if rows else None
    for name, digest, size in rows:
        if root is None or not digest:
            continue
        path = Path(str(root.locate_file(name)))
        try:
            same = path.stat().st_size == int(size) and (not thorough or _digest(path) == digest)
        except OSError:
            same = False
        if not same:
            yield name


def _root(package: str) -> Path:
    """The folder that a package runs from."""
    found = util.find_spec(package)
    return Path(str(found.origin)).parent if found is not None else Path()


def _digest(path: Path) -> str:
    """As RECORD writes it (PyPA, "Recording installed projects"): urlsafe base64 without padding."""
    with path.open("rb") as stream:
        raw = hashlib.file_digest(stream, "sha256").digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _record(name: str) -> str:
    """The text of a dependency's RECORD; empty where it is not installed or keeps none."""
    try:
        return metadata.distribution(name).read_text("RECORD") or ""
    except metadata.PackageNotFoundError:
        return ""


def _plain(name: str) -> str:
    """A project name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"
