# SPDX-License-Identifier: Apache-2.0
"""A disk that is really full: a small file system of its own, with so many free pages.

Rules of this module:

- The file system is a tmpfs of two megabytes in a mount namespace of a process of its own (``unshare``): nothing else
  on this machine sees it, and it is gone with that process. Where that is not permitted, the part is absent.
- The disk is full until the scenario ends; then space is made, as its owner would, and what is there is judged.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.audit.faults import tracer
from tests.audit.faults.homes import Deciding, Initialising, light
from tests.audit.faults.logs import Appending, CatchingUp, Creating, Exporting, Scenario
from tests.audit.faults.outcome import Outcome, spread
from tests.audit.faults.strikes import Stage, shares

SCENARIOS: tuple[Scenario, ...] = (
    Appending(),
    Appending(before=30, cosigned=True),
    Creating(),
    CatchingUp(),
    Exporting(),
    Initialising(),
    Deciding(),
    Deciding(earlier=True),
)
_SIZE = 2 << 20
_PAGE = 4096


_UNSHARE = ("unshare", "-rm")


def permitted() -> bool:
    """Whether this machine lets a process mount a disk of its own."""
    mount = [*_UNSHARE, "mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", tempfile.gettempdir()]
    return bool(shutil.which("unshare")) and subprocess.run(mount, capture_output=True, check=False).returncode == 0


def outcomes(count: int | None, chance: random.Random) -> Iterator[Outcome]:
    """Fill the disk of each scenario to each number of free pages; nothing where no file system may be mounted."""
    if not permitted():
        return
    arguments = [sys.executable, "-m", __name__, str(count or 0), str(chance.randrange(1 << 30))]
    done = subprocess.run([*_UNSHARE, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    for line in done.stdout.splitlines():
        yield Outcome(**json.loads(line))


def _filled(count: int | None, chance: random.Random, place: Path) -> Iterator[Outcome]:
    """Do it on a small file system that is mounted at ``place``."""
    for scenario, share in zip(SCENARIOS, shares(count, len(SCENARIOS)), strict=True):
        shutil.rmtree(place / "stage", ignore_errors=True)
        with light():
            stage = Stage(scenario, place / "stage")
            for pages in spread(range(_needed(stage, place)), share, chance):
                end = _on_full_disk(stage, place, pages)
                if _failed(end):
                    yield stage.judged("full", "any", "full", f"{pages} pages free", end)


def _on_full_disk(stage: Stage, place: Path, pages: int) -> tracer.End:
    folder, filler = stage.fresh(), place / "filler"
    filler.write_bytes(bytes(max(0, _free(place) - pages * _PAGE)))
    try:
        return tracer.run(stage.scenario.act, folder)
    finally:
        filler.unlink()


def _needed(stage: Stage, place: Path) -> int:
    """The pages that a scenario takes at most: with these free, nothing fails."""
    pages = 0
    while _failed(_on_full_disk(stage, place, pages)):
        pages += 4
    return pages


def _failed(end: tracer.End) -> bool:
    return bool(end.of("failed") or end.of("door") or end.of("crashed"))


def _free(place: Path) -> int:
    state = os.statvfs(place)
    return state.f_bavail * state.f_frsize


def main() -> int:
    """Mount the small file system in this process's own namespace, and tell outcomes line by line."""
    count, seed = int(sys.argv[1]) or None, int(sys.argv[2])
    place = Path(tempfile.mkdtemp(prefix="faults-full-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(place)], check=True)
    try:
        for outcome in _filled(count, random.Random(seed), place):  # noqa: S311 -- not a secret
            sys.stdout.write(json.dumps(outcome.document()) + "\n")
    finally:
        subprocess.run(["umount", str(place)], check=False)
        place.rmdir()
    return 0


if __name__ == "__main__":
    sys.exit(main())
