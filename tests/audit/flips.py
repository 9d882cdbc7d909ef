# SPDX-License-Identifier: Apache-2.0
"""An export, and one bit of one of its bytes changed at a time: each change must be found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from radiomicnet_md_audit import export
from radiomicnet_md_audit.bundle import verify_bundle
from tests.audit.sites import Site


class Exported:
    """An honest export of a log of the genesis and some records."""

    def __init__(self, folder: Path, records: int) -> None:
        """Make it in ``folder``."""
        self.site = Site(folder)
        with self.site.create() as ledger:
            self.site.append(ledger, records)
            export.write(ledger, folder / "export", self.site.policy)
        self.folder = folder / "export"
        self.files = sorted(path for path in self.folder.rglob("*") if path.is_file())

    @property
    def holds(self) -> bool:
        """Whether verification says ok."""
        return verify_bundle(self.folder, self.site.policy).ok

    def every_byte(self) -> list[tuple[Path, int]]:
        """Every byte of every file."""
        return [(path, place) for path in self.files for place in range(path.stat().st_size)]

    def scattered(self, count: int) -> list[tuple[Path, int]]:
        """About so many bytes: a third all over the proofs, the rest all over the other files, each file alike."""
        proofs = [path for path in self.files if path.parent.name == "proofs"]
        others = [path for path in self.files if path not in proofs]
        few, many = max(1, len(proofs) * 3 // count), max(1, 2 * count // (3 * len(others)))
        chosen = [(path, max(1, count // (3 * len(proofs)))) for path in proofs[::few]] + [(p, many) for p in others]
        # Steps of the golden ratio reach every part of a file, and at first never the same place twice.
        places = (
            (path, int(path.stat().st_size * ((number + step) * 0.6180339887 % 1)))
            for number, (path, steps) in enumerate(chosen)
            for step in range(1, steps + 1)
        )
        return sorted(set(places))

    def unnoticed(self, places: Iterable[tuple[Path, int]]) -> list[str]:
        """Change one bit of each of these bytes in turn, and return where verification still says ok."""
        missed = [] if self.holds else ["the untouched export"]
        for path, group in groupby(places, key=lambda place: place[0]):
            missed += self._missed(path, [place for _, place in group])
        return missed if self.holds else [*missed, "the export as it was again"]

    def _missed(self, path: Path, places: Sequence[int]) -> list[str]:
        data = path.read_bytes()
        missed = []
        for place in places:
            changed = bytearray(data)
            changed[place] ^= 1 << place % 8
            path.write_bytes(changed)
            if self.holds:
                missed.append(f"{path.name} at {place}")
        path.write_bytes(data)
        return missed
