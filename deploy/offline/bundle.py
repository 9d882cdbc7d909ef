# SPDX-License-Identifier: Apache-2.0
"""Makes of a folder of wheels a bundle for a hospital without a network: wheels, their hashes, and what installs them.

``python deploy/offline/bundle.py WHEELS OUT``; ``make bundle`` collects the wheels first. Rules of this script:

- Every wheel but this project's own two is of the version that ``requirements/lock-py311.txt`` names, and no project is
  there twice: what is installed elsewhere is what was tested here.
- ``requirements.txt`` names each wheel by version and SHA-256, so that pip takes no other file (``--require-hashes``).
- ``SHA256SUMS`` names every other file of the bundle. Its own digest is printed, to reach the hospital by another way
  than the bundle: nothing in a bundle can vouch for it.
- The same wheels give the same bundle. Nothing outside this script's standard library is needed.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "lock-py311.txt"
OURS = ("radiomicnet-md", "radiomicnet-md-audit")
CARRIED = ("deploy/offline/install.sh", "LICENSE", "NOTICE", "SOUP.md")
_WHEEL = re.compile(r"([A-Za-z0-9_.]+)-([A-Za-z0-9_.!+]+)(-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl")
_PINNED = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!+_-]+)")


def plain(name: str) -> str:
    """A project's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, str]:
    """The version of each project in the lock file."""
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    return {plain(found[1]): found[2] for line in lines if (found := _PINNED.match(line))}


def digest(path: Path) -> str:
    """SHA-256 of a file in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def requirements(wheels: list[Path]) -> str:
    """A line a wheel, with its hash; ends the program where a wheel is none of the lock's."""
    wanted, lines = locked(), {}
    for path in wheels:
        found = _WHEEL.fullmatch(path.name)
        if found is None:
            sys.exit(f"{path.name} is no wheel; only wheels go into a bundle")
        name, version = plain(found[1]), found[2]
        if name in lines:
            sys.exit(f"{name} is there twice")
        if name not in OURS and wanted.get(name) != version.partition("+")[0]:
            sys.exit(f"{name} {version} is not what the lock names: {wanted.get(name, 'nothing of this name')}")
        lines[name] = f"{name}=={version} --hash=sha256:{digest(path)}\n"
    absent = set(OURS) - lines.keys()
    if absent:
        sys.exit(f"there is no wheel of {' and '.join(sorted(absent))}")
    return "".join(line for _, line in sorted(lines.items()))


def main(wheels: Path, out: Path) -> None:
    """Write the bundle into a new folder and print the digest of its list."""
    found = sorted(wheels.iterdir())
    said = requirements(found)
    (out / "wheels").mkdir(parents=True)
    for path in found:
        shutil.copyfile(path, out / "wheels" / path.name)
    for name in CARRIED:
        shutil.copyfile(ROOT / name, out / Path(name).name)
    (out / "install.sh").chmod(0o755)
    (out / "requirements.txt").write_text(said, encoding="utf-8")
    files = sorted(path for path in out.rglob("*") if path.is_file())
    sums = "".join(f"{digest(path)}  {path.relative_to(out).as_posix()}\n" for path in files)
    (out / "SHA256SUMS").write_text(sums, encoding="utf-8")
    print(digest(out / "SHA256SUMS"))  # noqa: T201 -- what this script is for


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 -- its name and two folders
        sys.exit("usage: bundle.py WHEELS OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
