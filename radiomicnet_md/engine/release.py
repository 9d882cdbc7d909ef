# SPDX-License-Identifier: Apache-2.0
"""Nothing runs unless weights, code and settings hash to what the release says.

Rules of this module:

- The manifest is verified before any other file of the release is opened; what it does not list may not
  be there: no extra file, dotfile, folder or link, and no two names that differ in case alone.
- Every listed file is opened once, without following links, and read once. What is returned are the very
  bytes that were hashed; the engine never opens a file of the release itself.
- The first thing wrong, in the order of the names, is raised as an :class:`IntegrityError`.
- A release never gets older: the caller names the newest version it has seen.
- A revoked release is not opened: the lists in the package, beside the release and wherever the caller says.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from radiomicnet_md.engine import revocation
from radiomicnet_md.errors import ConfigurationError, IntegrityError
from radiomicnet_md_audit import canonical, dsse, sign

PAYLOAD_TYPE = "application/vnd.radiomicnet-md.release+json"
MANIFEST = "manifest.json"
RELEASES = Path(__file__).resolve().parent.parent / "releases"
PINNED_KEY = RELEASES / "release_key.pem"
MANIFEST_LIMIT = 1 << 20  # bytes; a manifest lists a few dozen names

_VERSION = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})", re.ASCII)
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_GET_IT_AGAIN = "Do not use this release; fetch it again from its maker, then run: radiomicnet-md release verify"


@dataclass(frozen=True, slots=True)
class Release:
    """A verified release: the manifest's payload and the bytes of every file it lists."""

    folder: Path
    manifest: Mapping[str, Any]
    manifest_sha256: str  # over the bytes of the signed envelope
    keyid: str
    files: Mapping[str, bytes] = field(repr=False)

    @property
    def id(self) -> str:
        """The name of the device that this is one version of."""
        return str(self.manifest["id"])

    @property
    def version(self) -> str:
        """Three numbers, ``major.minor.patch``."""
        return str(self.manifest["version"])

    def refuse_older_than(self, version: str) -> None:
        """Raise :class:`IntegrityError` when this release is older than one already used."""
        if version_key(self.version) < version_key(version):
            raise IntegrityError(
                "E-RELEASE-OLDER",
                f"Release {self.version} is older than {version}, which has already been used here.",
                remedy=f"Use release {version} or newer, or go back on the record: radiomicnet-md upgrade --help",
            )


def version_key(version: str) -> tuple[int, int, int]:
    """Order of versions; raises :class:`IntegrityError` when it is not ``major.minor.patch``."""
    found = _VERSION.fullmatch(version)
    if found is None:
        raise _wrong("E-RELEASE-VERSION", "The release's version is not of the form major.minor.patch.")
    major, minor, patch = found.groups()
    return int(major), int(minor), int(patch)


def default_folder() -> Path:
    """The newest release that ships with this installation, or :class:`ConfigurationError`."""
    folders = [entry for entry in RELEASES.glob("*.*.*") if entry.is_dir() and _VERSION.fullmatch(entry.name)]
    if not folders:
        raise ConfigurationError(
            "E-RELEASE-NONE",
            "No release ships with this installation.",
            remedy="Name a release folder with --release, or install the package again.",
        )
    return max(folders, key=lambda folder: version_key(folder.name))


def trusted_keys(*more: Path) -> dict[str, sign.VerifyingKey]:
    """The pinned release key and the public keys in the named PEM files, by key id."""
    keys: dict[str, sign.VerifyingKey] = {}
    for path in (PINNED_KEY, *more):
        try:
            key = sign.VerifyingKey.from_pem(path.read_bytes())
        except OSError as error:
            raise ConfigurationError(
                "E-RELEASE-KEY",
                f"The release key {path.name} cannot be read: {error.strerror}.",
                remedy="Check release_keys in the configuration, or install the package again.",
            ) from error
        keys[key.keyid] = key
    return keys


def open_release(
    folder: Path,
    minimum_version: str | None = None,
    keys: Mapping[str, sign.VerifyingKey] | None = None,
    revoked: Iterable[Path] = (),
) -> Release:
    """Verify everything in ``folder`` and return its bytes; ``keys`` defaults to the pinned release key.

    ``revoked`` are lists of revoked releases beside those in the package and next to the folder. Raises
    :class:`IntegrityError` for the first thing wrong, for a revoked release, and for one older than
    ``minimum_version``; :class:`ConfigurationError` when there is no such folder.
    """
    pinned = trusted_keys()
    keys = pinned if keys is None else keys
    with _directory(folder) as root:
        envelope = _read(root, MANIFEST, MANIFEST_LIMIT)
        opened = dsse.open_(envelope, keys, PAYLOAD_TYPE)
        manifest = _checked_manifest(canonical.loads(opened.payload))
        digest = hashlib.sha256(envelope).hexdigest()
        lists = (RELEASES / revocation.NAME, folder.absolute().parent / revocation.NAME, *revoked)
        revocation.refuse_revoked(digest, lists, {**pinned, **keys})
        files = _read_listed(root, manifest["files"])
    release = Release(folder, manifest, digest, opened.keyid, files)
    if minimum_version is not None:
        release.refuse_older_than(minimum_version)
    return release


def write(folder: Path, files: Mapping[str, bytes], header: Mapping[str, Any], key: sign.SigningKey) -> str:
    """Write a release into a new folder, its signed manifest last; returns the manifest's sha256.

    ``header`` holds ``id``, ``version``, ``created`` and whatever else the manifest says about the
    release as a whole; ``files`` are relative POSIX paths. ``open_release`` reads back what is written.
    """
    listed = {path: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for path, data in files.items()}
    manifest = _checked_manifest({**header, "files": listed})
    envelope = dsse.seal(canonical.dumps(manifest), PAYLOAD_TYPE, key)
    folder.mkdir(parents=True)
    for path, data in {**files, MANIFEST: envelope}.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    return hashlib.sha256(envelope).hexdigest()


def _checked_manifest(manifest: object) -> dict[str, Any]:
    """The manifest itself when it has the parts that everything else relies on."""
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise _wrong("E-RELEASE-MANIFEST", "The release manifest lists no files.")
    if not all(isinstance(manifest.get(name), str) and manifest[name] for name in ("id", "version", "created")):
        raise _wrong("E-RELEASE-MANIFEST", "The release manifest lacks its id, version or date.")
    version_key(manifest["version"])
    for path, entry in manifest["files"].items():
        if path == MANIFEST or not all(_PART.fullmatch(part) for part in path.split("/")):
            raise _wrong("E-RELEASE-NAME", f"The release manifest lists a name that is not allowed: {path!r}.")
        size, digest = (entry.get("size"), entry.get("sha256")) if isinstance(entry, dict) else (None, None)
        if type(size) is not int or size < 0 or not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise _wrong("E-RELEASE-MANIFEST", f"The release manifest gives no size or digest for {path}.")
    return manifest


def _read_listed(root: int, listed: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    """The bytes of every listed file, when they alone are there."""
    folders = {str(parent) for path in listed for parent in PurePosixPath(path).parents} - {"."}
    present = dict(_walk(root))
    _refuse_case_twins({*present, *listed, *folders})
    files: dict[str, bytes] = {}
    for path in sorted({*present, *listed}):
        if path == MANIFEST or (path in folders and stat.S_ISDIR(present.get(path, 0))):
            continue
        if path not in listed:
            raise _wrong("E-RELEASE-UNLISTED", f"The release holds something that its manifest does not list: {path}.")
        if path not in present:
            raise _wrong("E-RELEASE-ABSENT", f"The release lacks a file that its manifest lists: {path}.")
        data = _read(root, path, listed[path]["size"])
        if len(data) != listed[path]["size"] or hashlib.sha256(data).hexdigest() != listed[path]["sha256"]:
            raise _wrong("E-RELEASE-CHANGED", f"A file of the release is not the one that was signed: {path}.")
        files[path] = data
    return files


def _walk(folder: int, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Every name below an open folder with its file mode; links are named, never followed."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        yield prefix + name, mode
        if stat.S_ISDIR(mode):
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            try:
                yield from _walk(inner, f"{prefix}{name}/")
            finally:
                os.close(inner)


def _refuse_case_twins(paths: set[str]) -> None:
    """On a file system that ignores case, one of two twins would silently stand for the other."""
    seen: dict[str, str] = {}
    for path in sorted(paths):
        twin = seen.setdefault(path.casefold(), path)
        if twin != path:
            raise _wrong("E-RELEASE-CASE", f"Two names of the release differ in case alone: {twin}, {path}.")


def _read(root: int, path: str, limit: int) -> bytes:
    """At most ``limit + 1`` bytes of a regular file with one link, opened without following links."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=root)
    except FileNotFoundError:
        raise _wrong("E-RELEASE-ABSENT", f"The release lacks {path}.") from None
    except OSError as error:
        raise _wrong("E-RELEASE-LINK", f"{path} of the release cannot be opened: {error.strerror}.") from error
    with os.fdopen(file, "rb") as stream:
        about = os.fstat(stream.fileno())
        if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
            raise _wrong("E-RELEASE-LINK", f"{path} of the release is not a plain file with one name.")
        return stream.read(limit + 1)


@contextmanager
def _directory(folder: Path) -> Iterator[int]:
    try:
        root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigurationError(
            "E-RELEASE-FOLDER",
            f"The release folder cannot be opened: {error.strerror}.",
            remedy="Check the folder given with --release.",
        ) from error
    try:
        yield root
    finally:
        os.close(root)


def _wrong(code: str, message: str) -> IntegrityError:
    return IntegrityError(code, message, remedy=_GET_IT_AGAIN)
