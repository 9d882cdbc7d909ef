# SPDX-License-Identifier: Apache-2.0
"""A folder is cleared for a new run only if the demonstration made it, and then only of its own parts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from radiomicnet_md.errors import ConfigurationError

MARKER = ".radiomicnet-md-demo"
PARTS = ("report.html", "in", "out", "export", "home", "home.anchor")
_NOTE = f"Made by `radiomicnet-md demo`. Its next run here removes and makes anew: {', '.join(PARTS)}.\n"


def prepare(folder: Path) -> None:
    """Make the folder, or clear the parts of an earlier run out of it.

    Raises :class:`ConfigurationError` when something else lies there or it cannot be written.
    """
    try:
        if folder.exists() and not (folder / MARKER).is_file() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigurationError(
                "E-DEMO-OCCUPIED",
                "The folder for the demonstration holds something that it did not make; nothing was touched.",
                remedy="Name a new or an empty folder with --out.",
            )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARKER).write_text(_NOTE, encoding="utf-8")
        for part in PARTS:
            _remove(folder / part)
        (folder / "in").mkdir()
    except OSError as error:
        raise unwritable(error) from error


def write(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise unwritable(error) from error


def unwritable(error: OSError) -> ConfigurationError:
    """The problem of a folder that cannot be written."""
    return ConfigurationError(
        "E-DEMO-WRITE",
        f"The folder for the demonstration cannot be written: {error.strerror}.",
        remedy="Name another folder with --out, or free space and check its permissions.",
    )


def _remove(path: Path) -> None:
    """Remove a file, a link (never what it points at) or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
