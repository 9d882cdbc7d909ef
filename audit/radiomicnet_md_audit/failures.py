# SPDX-License-Identifier: Apache-2.0
"""What SQLite's failures mean to whoever uses the log: wait, repair the machine, or distrust the file.

Rules of this module:

- A file that is busy, full or read-only, or cannot be locked, is a matter of time or configuration; anything else is a
  matter of integrity.
- Codes are SQLite's primary result codes, whose numbers never change (sqlite.org/rescode.html).
"""

from __future__ import annotations

from radiomicnet_md_audit.errors import BusyError, ConfigurationError, IntegrityError, Problem

_PERM, _BUSY, _LOCKED, _READONLY, _IOERR, _FULL, _CANTOPEN, _PROTOCOL = 3, 5, 6, 8, 10, 13, 14, 15


def busy() -> BusyError:
    """Return the failure of who did not get a turn."""
    return BusyError(
        "E-LOG-BUSY",
        "Another process kept the log busy for 10 seconds.",
        remedy="Try again; if it stays busy, look for a process that hangs while it writes.",
    )


# A writer that was killed leaves the end of the log beside its file, and reading it there needs to write.
_CLOSE = "Check the permissions; to read a log whose writer was killed, copy its folder to where it can be written."


def problem(error: BaseException | None) -> Problem:
    """Translate a failure by SQLite's primary result code (sqlite.org/rescode.html); without one it is damage."""
    extended = getattr(error, "sqlite_errorcode", None)
    code = None if extended is None else extended & 0xFF
    if code in (_BUSY, _LOCKED):
        return busy()
    texts = {
        _FULL: ("E-STORE-FULL", "The disk that holds the log is full.", "Free some space."),
        _READONLY: ("E-STORE-READONLY", "The log cannot be written.", _CLOSE),
        _PERM: ("E-STORE-READONLY", "The log cannot be written.", _CLOSE),
        _IOERR: ("E-STORE-IO", "The disk that holds the log reports an error.", "Check the disk and its space."),
        _PROTOCOL: ("E-STORE-LOCK", "The log's locks do not work.", "Try again, and keep the log on a local disk."),
        _CANTOPEN: ("E-STORE-OPEN", "The log's file cannot be opened.", _CLOSE),
    }
    if code in texts:
        name, message, remedy = texts[code]
        return ConfigurationError(name, message, remedy=f"{remedy} No result is given while the log cannot be written.")
    return IntegrityError(
        "E-STORE-CORRUPT",
        "The log's database file is damaged or was changed.",
        remedy="Keep the file as it is and restore the log from a backup; verify the backup against the anchor.",
    )
