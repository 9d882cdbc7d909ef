# SPDX-License-Identifier: Apache-2.0
"""What PostgreSQL's failures mean to whoever uses the log: wait, repair the machine, or distrust the database.

Rules of this module:

- What is busy, full, forbidden, or cannot be reached is a matter of time or configuration; anything else is a matter
  of integrity. Codes are SQLSTATE, classes and conditions (PostgreSQL documentation, appendix A).
- A failure without a code comes from the driver: the connection is gone, or was never there, or it was given a value
  that has no form on the server.
- No message repeats the server's own: it may name hosts and roles. It is the cause, for whoever reads a traceback.
"""

from __future__ import annotations

import psycopg

from radiomicnet_md_audit.errors import BusyError, ConfigurationError, IntegrityError, Problem

_BUSY = ("55P03", "40P01", "40001")  # lock not available in time, deadlock, serialization failure

# By SQLSTATE, or its first two characters where the whole class means one thing.
_TEXTS = {
    "53100": ("E-STORE-FULL", "The server's disk that holds the log is full.", "Free some space."),
    "53": ("E-STORE-OPEN", "The database server has no room for another session.", "Try again later."),
    "58": ("E-STORE-IO", "The database server's machine reports an error.", "Check its disk and the server's log."),
    "42501": (
        "E-STORE-DENIED",
        "The database does not let this role do that.",
        "Make it a member of radiomicnet_log_writer, or to read alone, of radiomicnet_log_reader.",
    ),
    "25006": ("E-STORE-READONLY", "The database can only be read.", "Connect to the primary server."),
    "54": ("E-STORE-VALUE", "The database cannot keep a value of this record.", "Use shorter ids."),
    "22": ("E-STORE-VALUE", "The database cannot keep a value of this record.", "Use ids without control characters."),
    "57014": ("E-STORE-CANCELLED", "The database server cancelled the statement.", "Ask its administrator why."),
}


def unreachable(error: BaseException | None) -> Problem:
    """Translate a failure to begin a session; the driver seldom gives a code for it."""
    found = problem(error)
    if found.code != "E-STORE-LOST":
        return found
    return ConfigurationError(
        "E-STORE-OPEN",
        "The log's database server cannot be reached, or does not let this role in.",
        remedy="Try the same host, port, role and database with psql; check that the server runs, and pg_hba.conf.",
    )


def problem(error: BaseException | None) -> Problem:
    """Translate a failure by its SQLSTATE; without one it is a broken connection, or damage where none is at fault."""
    state = getattr(error, "sqlstate", None) or ""
    if state in _BUSY:
        return BusyError(
            "E-LOG-BUSY",
            "Another process kept the log busy for 10 seconds.",
            remedy="Try again; if it stays busy, look for a process that hangs while it writes.",
        )
    found = _TEXTS.get(state) or _TEXTS.get(state[:2])
    if found is not None:
        code, message, remedy = found
        return ConfigurationError(code, message, remedy=f"{remedy} No result is given while the log cannot be written.")
    if isinstance(error, psycopg.DataError):
        return problem(psycopg.errors.DataException())
    if state[:2] in {"08", "57"} or state == "25P03" or (not state and isinstance(error, psycopg.Error)):
        return ConfigurationError(
            "E-STORE-LOST",
            "The connection to the log's database was lost; whether a record under way is in the log is not known.",
            remedy="Check that the server runs and open the log again: it holds that record as a whole or not at all.",
        )
    return IntegrityError(
        "E-STORE-CORRUPT",
        "The log's database is damaged or was changed.",
        remedy="Keep the database as it is and restore the log from a backup; verify the backup against the anchor.",
    )
