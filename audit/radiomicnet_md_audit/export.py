# SPDX-License-Identifier: Apache-2.0
"""A folder that proves the log to anybody, on a stick, years later, without this product.

Rules of this module:

- Everything that verification needs is in the folder, and a manifest signed by the log key lists every file.
- Exported bytes are the stored bytes. A log whose head does not hold is not exported.
- The size and the time of an export are taken while nobody writes, so that what the anchor or a witness knows beyond it
  is younger than the export. What others said is taken before, so that it is about no larger log.
- Artefacts that records name by digest go along where they are available; each is hashed again on the way.
- The folder must not exist; it appears under its name when it is complete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from string import Template

from radiomicnet_md_audit import bundle, canonical, dsse, merkle, testimony, tiles
from radiomicnet_md_audit.bundle import Listed, Manifest
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.policy import Policy

_PAGE = 256


def write(ledger: Ledger, folder: Path, policy: Policy | None = None, artefacts: Path | None = None) -> Manifest:
    """Export the whole log to ``folder``; return the manifest.

    ``policy`` is the one to propose to readers (without it the log's own keys, and the witnesses and authorities of the
    policy that the ledger was opened with); ``artefacts`` is a folder of files named ``<first two digits>/<sha256>``.
    Raises :class:`ConfigurationError` when the folder exists or cannot be written or the ledger was opened without its
    keys, :class:`IntegrityError` when an artefact changed, :class:`BusyError` when a writer holds the log for 10 s.
    """
    if folder.exists():
        raise ConfigurationError(
            "E-EXPORT-EXISTS", "The export folder is already there.", remedy="Name a folder that does not exist yet."
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            manifest = _Export(ledger, building, policy or _proposed(ledger), artefacts).write()
            building.chmod(0o755)
            building.rename(folder)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
    except OSError as error:
        raise ConfigurationError(
            "E-EXPORT-WRITE",
            f"The export cannot be written ({error.strerror}).",
            remedy="Check the folder's permissions and the free space.",
        ) from None
    return manifest


class _Export:
    """One export under way."""

    def __init__(self, ledger: Ledger, folder: Path, policy: Policy, artefacts: Path | None) -> None:
        self.ledger = ledger
        self.folder = folder
        self.policy = policy
        self.artefacts = artefacts
        self.files: dict[str, Listed] = {}
        self.named: set[str] = set()

    def write(self) -> Manifest:
        outside = b"" if self.ledger.outside is None else self.ledger.outside.read()
        writer = self.ledger.writer
        with self.ledger.store.write() as transaction:  # nobody is in the middle of an append with an earlier time
            size, created = transaction.size(), writer.clock().text()
        with self.ledger.store.read() as transaction:
            latest = transaction.note(size)
            root = merkle.root(transaction.node, size).hex()
            for tile in tiles.of_tree(size):
                first = tiles.WIDTH * tile.number
                hashes = transaction.nodes(tiles.HEIGHT * tile.level, first, first + tile.width)
                self._put(tile.path, b"".join(hashes))
        self._lines(bundle.ENTRIES, self._entries(size))
        self._lines(bundle.CHECKPOINTS, self._checkpoints(size))
        self._put(bundle.LATEST, latest.encode())
        if lines := [line for line in testimony.split(outside) if line]:
            self._lines(bundle.OUTSIDE, iter(lines))
        self._put(bundle.POLICY, self.policy.to_json())
        for key, _ in self.policy.engine_keys:
            self._put(f"keys/{key.keyid}.pem", key.to_pem())
        for number, (note_key, _) in enumerate(self.policy.log_keys):
            self._put(f"keys/log-{number}.vkey", note_key.vkey().encode() + b"\n")
        self._artefacts()
        self._put(bundle.GUIDE, self._guide(size))
        manifest = Manifest(self.ledger.origin, size, root, created, self.files)
        envelope = dsse.seal(manifest.payload(), bundle.MANIFEST_TYPE, writer.log_keys.signer)
        self._store(bundle.MANIFEST, [envelope])
        return manifest

    def _entries(self, size: int) -> Iterator[bytes]:
        for entry in self.ledger.entries(0, size):
            said = self.ledger.read(entry)
            self.named.update(digests(said.predicate))
            yield entry.envelope

    def _checkpoints(self, size: int) -> Iterator[bytes]:
        for start in range(1, size + 1, _PAGE):
            with self.ledger.store.read() as transaction:
                notes = transaction.notes(start, min(start + _PAGE, size + 1))
            yield from (canonical.dumps(notes[n]) for n in sorted(notes))

    def _artefacts(self) -> None:
        if self.artefacts is None:
            return
        for digest in sorted(self.named):
            source = self.artefacts / digest[:2] / digest
            if not source.is_file():
                continue
            data = source.read_bytes()
            if hashlib.sha256(data).hexdigest() != digest:
                raise IntegrityError(
                    "E-ARTEFACT",
                    "An artefact is not what its name says.",
                    remedy="Restore the home's artefacts from a backup; the record tells the right digest.",
                )
            self._put(f"artefacts/{digest[:2]}/{digest}", data)

    def _guide(self, size: int) -> bytes:
        template = resources.files(__package__).joinpath("VERIFY.md").read_text(encoding="utf-8")
        text = Template(template).substitute(
            origin=self.ledger.origin,
            size=size,
            last=size - 1,
            vkey=self.policy.log_keys_at(size)[0].vkey(),
        )
        return text.encode()

    def _put(self, path: str, data: bytes) -> None:
        self._store(path, [data])
        self.files[path] = Listed(hashlib.sha256(data).hexdigest(), len(data))

    def _lines(self, path: str, lines: Iterator[bytes]) -> None:
        digest, size = hashlib.sha256(), 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for line in lines:
                whole = line + b"\n"
                digest.update(whole)
                size += len(whole)
                yield whole

        self._store(path, counted())
        self.files[path] = Listed(digest.hexdigest(), size)

    def _store(self, path: str, parts: Iterator[bytes] | list[bytes]) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())


def _proposed(ledger: Ledger) -> Policy:
    return ledger.declared if ledger.trusted is None else ledger.declared.with_outsiders_of(ledger.trusted)


def digests(value: object) -> Iterator[str]:
    """Yield every SHA-256 in hex that a predicate holds, wherever it stands."""
    if isinstance(value, str):
        if len(value) == 64 and not value.strip("0123456789abcdef"):  # noqa: PLR2004 -- SHA-256 in hex
            yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from digests(item)
    elif isinstance(value, list):
        for item in value:
            yield from digests(item)
