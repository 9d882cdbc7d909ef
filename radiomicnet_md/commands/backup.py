# SPDX-License-Identifier: Apache-2.0
"""``backup``: the whole home, its anchor and a consistent copy of its log in one new file, while work goes on."""

from __future__ import annotations

import argparse
from pathlib import Path

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode

_EXAMPLE = """\
example:
  radiomicnet-md backup --to /mnt/backups/2026-11-30.tar

Asks for no passphrase: keys are in the file as they are in the home, encrypted. The file still holds images
and sealed identities of patients; keep it as private as the home, and the passphrase elsewhere.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add where to."""
    del shared
    parser.epilog = _EXAMPLE
    parser.add_argument("--to", required=True, type=Path, metavar="FILE", help="a new file, outside the home")


def run(call: Call) -> int:
    """Write the backup and say what is in it."""
    from radiomicnet_md import backup
    from radiomicnet_md.home import open_home

    settings = call.settings()
    home = open_home(settings.home)
    taken = backup.take(home, call.given.to, settings.audit_db)
    line = {
        "file": str(taken.file),
        "bytes": taken.length,
        "sha256": taken.sha256,
        "files": taken.files,
        "entries": taken.entries,
    }
    text = f"{taken.file}\n  {taken.entries} entries of the log, {taken.files} files, {taken.length} bytes"
    call.console.emit(line, text)
    if (home.folder / "keys" / "passphrase").exists():
        call.console.note("This home keeps its passphrase beside its keys, and so does the backup.")
    call.console.note("Try it, on another machine: radiomicnet-md restore FILE --home DIR")
    return ExitCode.OK
