# SPDX-License-Identifier: Apache-2.0
"""A file appears whole or not at all, and an output only with the receipt of its record.

Rules of this module:

- Bytes go to a new name in the same folder, are flushed to the disk, then renamed over the target; the
  folder is flushed too. Whatever fails, the new name is gone.
- A full disk, a read-only folder or a missing right is the site's to repair: a ConfigurationError
  with the next step, never a traceback and never half a mask.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from radiomicnet_md.errors import ConfigurationError

if TYPE_CHECKING:
    from radiomicnet_md_audit.appending import Receipt

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def write_bytes(path: Path, data: bytes, receipt: Receipt) -> None:
    """Write an output whose record is in the log; its folder is made where it is missing.

    Raises:
        ConfigurationError: E-OUTPUT-FULL, E-OUTPUT-DENIED, E-OUTPUT-FAILED.
    """
    del receipt  # asked for so that no caller can write before it holds one
    place(path, data)


def place(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` in one step; for files that are no output of a decision."""
    place_written(path, lambda file: file.write(data))


def place_written(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Put what ``write`` writes at ``path`` in one step, however long it is; what it raises leaves nothing there."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write(temporary, write)
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        _flush_folder(path.parent)
    except OSError as error:
        raise _problem(error) from None


def _write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
        write(file)
        file.flush()
        os.fsync(descriptor)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _problem(error: OSError) -> ConfigurationError:
    if error.errno in _FULL:
        return ConfigurationError(
            "E-OUTPUT-FULL",
            "The disk of the output folder is full; nothing was written.",
            remedy="Free space or name another output folder with --out, then run the case again.",
        )
    if error.errno in _DENIED:
        return ConfigurationError(
            "E-OUTPUT-DENIED",
            "The output folder may not be written by this account; nothing was written.",
            remedy="Grant write access, or name another output folder with --out.",
        )
    return ConfigurationError(
        "E-OUTPUT-FAILED",
        f"The output could not be written ({os.strerror(error.errno or 0)}).",
        remedy="Check the output folder and its disk, or name another folder with --out.",
    )
