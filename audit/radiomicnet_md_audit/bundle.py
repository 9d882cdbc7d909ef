# SPDX-License-Identifier: Apache-2.0
"""From a folder, a policy and nothing else, says what an exported log proves.

Rules of this module:

- Nothing here needs the product that made the bundle: no database, no torch, no network; cryptography and rfc8785.
- ``manifest.json`` is signed by the log key and lists every other file. A file, folder or link that it does not list
  is a finding, whatever its name.
- Entries and checkpoints are read line by line and hashed in the same pass; nothing is checked in one reading and
  used in another.
- The tree's hashes lie in tiles, from which the proof of any entry is made; each is held against the entries. An export
  of the first format has a file with the proof of each entry in their place, and is verified as before.
- ``outside.jsonl`` is what others said of the log; a copy of it from elsewhere may know more than the export.
- The policy is the reader's. The bundle's own ``policy.json`` is a proposal of whoever exported it.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from itertools import chain, zip_longest
from pathlib import Path

from radiomicnet_md_audit import canonical, dsse, proof, tiles
from radiomicnet_md_audit.anchor import AnchorText
from radiomicnet_md_audit.errors import ExitCode, IntegrityError, Problem
from radiomicnet_md_audit.evidence import Evidence
from radiomicnet_md_audit.merkle import HASH_BYTES, verify_inclusion
from radiomicnet_md_audit.policy import Policy
from radiomicnet_md_audit.sign import VerifyingKey
from radiomicnet_md_audit.tiles import Tile
from radiomicnet_md_audit.verify import Claim, Findings, Report, Walk

WITH_PROOFS = "radiomicnet-md-export/1"  # a file with the proof of each entry in place of tiles; verified, not written
FORMAT = "radiomicnet-md-export/2"
MANIFEST_TYPE = "application/vnd.radiomicnet-md.export+json"

MANIFEST = "manifest.json"
POLICY = "policy.json"
GUIDE = "VERIFY.md"
ENTRIES = "entries.jsonl"
CHECKPOINTS = "checkpoints.jsonl"
LATEST = "checkpoint"
OUTSIDE = "outside.jsonl"

COMPLETE = "complete and unchanged since the export"
LARGEST_FILE_IN_MEMORY = 64 * 1024 * 1024
_LONGEST_LINE = 256 * 1024
_ARTEFACT = re.compile(r"artefacts/([0-9a-f]{2})/(\1[0-9a-f]{62})")
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_PEM = re.compile(r"keys/([0-9a-f]{64})\.pem")


class BundleError(Problem):
    """There is nothing to verify where the caller says there is."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class Listed:
    """A file as the manifest lists it."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """The signed list of an export: ``files`` by path with forward slashes."""

    origin: str
    size: int
    root: str
    created: str
    files: Mapping[str, Listed]
    format: str = FORMAT

    def payload(self) -> bytes:
        """Return the bytes that are signed."""
        files = {path: {"sha256": listed.sha256, "size": listed.size} for path, listed in self.files.items()}
        return canonical.dumps(
            {
                "format": self.format,
                "origin": self.origin,
                "size": self.size,
                "root": self.root,
                "created": self.created,
                "files": files,
            }
        )


def proof_path(index: int) -> str:
    """Return where the inclusion proof of an entry lies in a bundle of the first format."""
    return f"proofs/{index:012d}.tlog-proof"


def parse_manifest(payload: bytes) -> Manifest:
    """Read a manifest's payload; raise :class:`IntegrityError` ``E-MANIFEST`` for any other form."""
    match canonical.loads(payload):
        case {
            "format": "radiomicnet-md-export/1" | "radiomicnet-md-export/2" as version,
            "origin": str(origin),
            "size": int(size),
            "root": str(root),
            "created": str(created),
            "files": dict(files),
            **more,
        } if not more and not isinstance(size, bool) and MANIFEST not in files and all(map(_PATH.fullmatch, files)):
            listed = {path: _listed(item) for path, item in files.items()}
            return Manifest(origin, size, root, created, listed, version)
    raise _bad_manifest()


def verify_bundle(
    folder: Path, policy: Policy, anchor: AnchorText | None = None, *, signatures: bool = True, outside: bytes = b""
) -> Report:
    """Verify an exported log; raise :class:`BundleError` only when there is no folder to verify.

    ``anchor`` and ``outside`` are copies of the log's anchor and of what others said, from elsewhere. Without
    ``signatures`` the report says so and is never ok (see ``verify``); the manifest's is checked all the same.
    """
    if folder.is_file():
        raise BundleError(
            "E-BUNDLE-PACKED",
            "An export is a folder, and at the given place is a file.",
            remedy="If it is an archive, unpack it into a new folder and name the folder.",
        )
    if not folder.is_dir():
        raise BundleError(
            "E-BUNDLE-MISSING",
            "There is no export folder at the given place.",
            remedy="Name the folder that `audit export` wrote.",
        )
    return _Bundle(folder, policy, Walk(policy, anchor, signatures=signatures)).report(outside)


class _Bundle:
    """One verification of one folder."""

    def __init__(self, folder: Path, policy: Policy, walk: Walk) -> None:
        self.folder = folder
        self.policy = policy
        self.walk = walk
        self.evidence = Evidence(policy)
        self.exported: datetime | None = None
        self.files = Findings()
        self.hashes: defaultdict[int, bytearray] = defaultdict(bytearray)  # of each level of tiles, one after the other
        self.tiles: dict[str, Tile] = {}
        self.latest = ""
        self.uneven = False  # whether there are more entries than checkpoints, or fewer

    def report(self, outside: bytes) -> Report:
        try:
            manifest = self._manifest()
            self._listing(manifest)
            self._outside(manifest, outside)
            self._entries(manifest)
            self._small_files(manifest)
            self._head(manifest)
        except IntegrityError as problem:
            self.files.add_problem(None, problem)
        except OSError as error:
            self.files.add(None, "E-BUNDLE-READ", f"A file of the export cannot be read ({error.strerror}).")
        claims = self.walk.claims()
        complete = Claim(COMPLETE, ok=True, text="Every file is listed in the manifest that the log key signed.")
        if self.files.count:
            complete = Claim(COMPLETE, ok=False, text=f"{self.files.count} findings in the export's files.")
        claims = (*claims, complete, *self.evidence.claims(self.walk.tree.size, self.exported))
        findings = self.walk.findings(self.files, *self.evidence.findings())
        return Report(self.walk.tree.size, self.walk.tree.root().hex(), claims, findings)

    def _manifest(self) -> Manifest:
        envelope = self._read(MANIFEST)
        manifest = parse_manifest(dsse.parse_unverified(envelope).payload)
        # Who signs a manifest is who would sign the next entry's checkpoint.
        keys = [key.key for key in self.policy.log_keys_at(manifest.size + 1)]
        trusted = {key.keyid: key for key in keys if isinstance(key, VerifyingKey)}
        dsse.open_(envelope, trusted, MANIFEST_TYPE)
        if manifest.origin != self.policy.origin:
            self.files.add(None, "E-ORIGIN", "The export is of another log than the policy.")
        return manifest

    def _listing(self, manifest: Manifest) -> None:
        """Compare what is in the folder with what the manifest lists, by name and kind."""
        folders = {parent.as_posix() for path in manifest.files for parent in Path(path).parents}
        found = 0
        for path, mode in _tree(self.folder):
            if stat.S_ISDIR(mode) and path in folders:
                continue
            if stat.S_ISREG(mode) and (path in manifest.files or path == MANIFEST):
                found += path != MANIFEST
                continue
            self.files.add(None, "E-BUNDLE-UNLISTED", "The export holds a file, folder or link that is not listed.")
        missing = len(manifest.files) - found
        if missing:
            self.files.add(None, "E-BUNDLE-MISSING-FILE", f"{missing} listed files are not in the export.")

    def _outside(self, manifest: Manifest, copy: bytes) -> None:
        """Hear what others said: the export's own file was read before its entries, a copy may be younger."""
        try:
            if OUTSIDE in manifest.files:
                self.evidence.hear(self._listed(OUTSIDE, manifest))
        except IntegrityError as problem:
            self.files.add_problem(None, problem)
        self.evidence.hear(copy, younger=True)
        with suppress(ValueError):  # a time of no form is that of no clock: nothing is younger then
            self.exported = datetime.strptime(manifest.created, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)

    def _entries(self, manifest: Manifest) -> None:
        entries = self._lines(ENTRIES, manifest)
        notes = self._lines(CHECKPOINTS, manifest)
        for seen in self.walk.feed_all(self._pairs(entries, notes)):
            for node in seen.task.nodes[:: tiles.HEIGHT]:
                self.hashes[node.level // tiles.HEIGHT] += node.hash
            self.evidence.grown(seen.task.index + 1, seen.task.root)
        for _ in chain(entries, notes):  # one of the two may be longer; reading both to their ends checks both digests
            pass
        if self.uneven or self.walk.tree.size != manifest.size:
            self.files.add(None, "E-BUNDLE-SIZE", "The export does not hold one entry and checkpoint for each size.")

    def _pairs(self, entries: Iterator[bytes], notes: Iterator[bytes]) -> Iterator[tuple[bytes, str]]:
        for envelope, line in zip_longest(entries, notes):
            if envelope is None or line is None:
                self.uneven = True
                return
            note = canonical.loads(line)
            self.latest = note if isinstance(note, str) else ""
            yield envelope, self.latest

    def _small_files(self, manifest: Manifest) -> None:
        self.tiles = {tile.path: tile for tile in tiles.of_tree(self.walk.tree.size)}
        for path in sorted(manifest.files):
            if path in (ENTRIES, CHECKPOINTS, OUTSIDE):  # read already
                continue
            try:
                self._meaning(path, self._listed(path, manifest))
            except IntegrityError as problem:
                self.files.add_problem(None, problem)
        if manifest.format == WITH_PROOFS:
            proofs = sum(path.startswith("proofs/") for path in manifest.files)
            if proofs != manifest.size or not all(proof_path(index) in manifest.files for index in range(proofs)):
                self.files.add(None, "E-BUNDLE-PROOFS", "The export does not hold one inclusion proof for each entry.")
        elif self.tiles.keys() != {path for path in manifest.files if path.startswith(f"{tiles.FOLDER}/")}:
            self.files.add(None, "E-BUNDLE-TILES", "The export does not hold the tiles of its tree, and no other.")

    def _meaning(self, path: str, data: bytes) -> None:
        """Check what a file is there for: a signed file that says something false is still false."""
        if path.startswith("proofs/"):
            self._proof(path, data)
        elif (tile := self.tiles.get(path)) and data != self._hashes(tile):
            self.files.add(None, "E-BUNDLE-TILE", f"The tile {path} does not hold the hashes of the entries.")
        elif path == LATEST and data != self.latest.encode():
            self.files.add(None, "E-BUNDLE-CHECKPOINT", "The file `checkpoint` is not the log's newest checkpoint.")
        elif (match := _ARTEFACT.fullmatch(path)) and hashlib.sha256(data).hexdigest() != match[2]:
            self.files.add(None, "E-BUNDLE-ARTEFACT", "An artefact is not what its name says.")
        elif (match := _PEM.fullmatch(path)) and _keyid(data) != match[1]:
            self.files.add(None, "E-BUNDLE-KEY", "A public key file is not the key that its name says.")

    def _hashes(self, tile: Tile) -> bytes:
        start = HASH_BYTES * tiles.WIDTH * tile.number
        return bytes(self.hashes[tile.level][start : start + HASH_BYTES * tile.width])

    def _proof(self, path: str, data: bytes) -> None:
        parsed = proof.parse_inclusion(data.decode("utf-8", "replace"))
        start = HASH_BYTES * parsed.index
        leaf = bytes(self.hashes[0][start : start + HASH_BYTES])
        if path != proof_path(parsed.index) or not leaf or parsed.note != self.latest:
            self.files.add(parsed.index, "E-BUNDLE-PROOF", "An inclusion proof is not about this log or this entry.")
            return
        tree = self.walk.tree
        verify_inclusion(leaf, parsed.index, tree.size, parsed.path, tree.root())

    def _head(self, manifest: Manifest) -> None:
        if manifest.root != self.walk.tree.root().hex():
            self.files.add(None, "E-BUNDLE-ROOT", "The manifest names another root than the entries have.")
        last, later = self.walk.anchored, self.walk.anchor_goes_on()
        # What was anchored before the export belongs into it. An entry that is earlier than the one before it tells
        # nothing about that: the machine's clock was set back, or another machine's is slow.
        if last is not None and later is not None and last.time_utc <= later.time_utc <= manifest.created:
            text = "The anchor knew more entries when the export was made: the log had been set back or cut off."
            self.walk.anchoring.add(self.walk.tree.size, "E-ANCHOR-LEADS", text)

    def _listed(self, path: str, manifest: Manifest) -> bytes:
        """Read a listed file and compare its digest with the manifest."""
        data = self._read(path)
        if Listed(hashlib.sha256(data).hexdigest(), len(data)) != manifest.files[path]:
            self.files.add(None, "E-BUNDLE-CHANGED", f"The file {path} is not the one that was exported.")
        return data

    def _open(self, path: str) -> BufferedReader:
        """Open a file of the export; whatever else has its name (a link, a pipe, a device) is not read."""
        try:
            if not stat.S_ISREG((self.folder / path).lstat().st_mode):
                raise _missing(path)
            return (self.folder / path).open("rb")
        except (FileNotFoundError, NotADirectoryError):
            raise _missing(path) from None

    def _read(self, path: str) -> bytes:
        with self._open(path) as file:
            data = file.read(LARGEST_FILE_IN_MEMORY + 1)
        if len(data) > LARGEST_FILE_IN_MEMORY:
            raise IntegrityError(
                "E-BUNDLE-LARGE", f"The file {path} is larger than any that an export holds.", remedy=_AGAIN
            )
        return data

    def _lines(self, path: str, manifest: Manifest) -> Iterator[bytes]:
        """Yield the lines of a listed file, and at its end compare its digest with the manifest."""
        digest, size = hashlib.sha256(), 0
        with self._open(path) as file:
            while line := file.readline(_LONGEST_LINE):
                digest.update(line)
                size += len(line)
                if not line.endswith(b"\n"):
                    self.files.add(None, "E-BUNDLE-LINE", f"A line of {path} is unfinished or too long.")
                yield line.removesuffix(b"\n")
        if manifest.files.get(path) != Listed(digest.hexdigest(), size):
            self.files.add(None, "E-BUNDLE-CHANGED", f"The file {path} is not the one that was exported.")


_AGAIN = "Copy the export again from where it was made, or ask for a new one."


def _tree(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield every path below ``folder`` with its mode, links not followed."""
    for base, folders, names in os.walk(folder, followlinks=False):
        for name in (*folders, *names):
            path = Path(base, name)
            yield path.relative_to(folder).as_posix(), path.lstat().st_mode


def _listed(item: object) -> Listed:
    match item:
        case {"sha256": str(sha256), "size": int(size), **more} if not more and not isinstance(size, bool):
            return Listed(sha256, size)
    raise _bad_manifest()


def _keyid(pem: bytes) -> str | None:
    try:
        return VerifyingKey.from_pem(pem).keyid
    except Problem:
        return None


def _missing(path: str) -> IntegrityError:
    return IntegrityError("E-BUNDLE-MISSING-FILE", f"The export holds no {path}.", remedy=_AGAIN)


def _bad_manifest() -> IntegrityError:
    return IntegrityError("E-MANIFEST", "The export's manifest does not have its form.", remedy=_AGAIN)
