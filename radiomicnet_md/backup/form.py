# SPDX-License-Identifier: Apache-2.0
"""What a backup looks like: a head, the files, a list of their digests, and one digest over everything.

Rules of this module:

- A backup is a tar archive. Its first member is the head (:data:`HEAD`, JSON: format, the log's name, when), its last
  the list (:data:`LIST`), a line a file as ``sha256sum`` writes it, in the order of the files.
- After the archive stands one line, ``radiomicnet-md-backup-sha256`` and the digest of every byte before it.
- Files belong to one of three places: ``home/…``, ``anchor`` and ``anchor.outside``.
- What is not whole yet has a name of its own beside the place where it belongs, and goes away with who made it.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from radiomicnet_md.errors import ConfigurationError, IntegrityError, Problem

FORMAT = 1
HEAD, LIST = "radiomicnet-md-backup", "SHA256SUMS"
HOME, ANCHOR, OUTSIDE = "home", "anchor", "anchor.outside"
CHUNK = 1 << 20
_MARK = b"radiomicnet-md-backup-sha256 "
END = re.compile(re.escape(_MARK) + rb"([0-9a-f]{64})\n")
END_BYTES = len(_MARK) + 65


def end(digest: str) -> bytes:
    """The last line of a backup."""
    return _MARK + digest.encode() + b"\n"


def line(digest: str, name: str) -> str:
    """A line of the list."""
    return f"{digest}  {name}\n"


def head(origin: str, made_utc: str) -> dict[str, object]:
    """What a head says: of which log, and made when."""
    return {"format": FORMAT, "origin": origin, "made_utc": made_utc}


def checked(name: str) -> str:
    """A member's name that leads to one of the three places; :class:`IntegrityError` for every other."""
    parts = PurePosixPath(name).parts
    inside = len(parts) > 1 and parts[0] == HOME and ".." not in parts
    if not (inside or name in (HEAD, LIST, ANCHOR, OUTSIDE)) or "/".join(parts) != name or "\n" in name:
        raise damaged("It holds a name that no backup has.")
    return name


def damaged(fact: str) -> IntegrityError:
    """What to say of a backup that is not what was written."""
    return IntegrityError(
        "E-BACKUP-DAMAGED",
        f"The backup is damaged or cut short. {fact}",
        remedy="Take another copy of it, or an older backup. Nothing was restored.",
    )


@contextmanager
def beside(place: Path) -> Iterator[Path]:
    """A private folder next to a place, on the same disk, for as long as it is needed."""
    folder = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".part", dir=place.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def typed(code: str, what: str) -> Iterator[None]:
    """The disk's own errors come out typed; ``what`` begins the sentence."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            code,
            f"{what}: {error.strerror or error}.",
            remedy="Check folder, permissions and free space, also of what was named; nothing is there by this name.",
        ) from error
    except Problem as problem:
        if problem.code != "E-STORE-COPY":
            raise
        raise ConfigurationError(code, f"{what}: {problem}", remedy=problem.remedy) from problem
