# SPDX-License-Identifier: Apache-2.0
"""``restore``: a home from a backup, where there is none, verified against the anchor that is there."""

from __future__ import annotations

import argparse
from pathlib import Path

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode

_EXAMPLE = """\
example:
  radiomicnet-md restore /mnt/backups/2026-11-30.tar --home /srv/radiomicnet/home

An anchor that lies beside the new home already is kept and judges: where it knows more entries than the
backup, the home is there to read, the exit code is 4, and the device does not go on from it.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add from where."""
    del shared
    parser.epilog = _EXAMPLE
    parser.add_argument("file", type=Path, metavar="FILE", help="what `backup` has written")


def run(call: Call) -> int:
    """Restore, then verify what was restored."""
    from radiomicnet_md import backup
    from radiomicnet_md_audit.stored import verify_ledger

    made = backup.restore(call.given.file, call.settings().home)
    with made.home.reading_ledger() as ledger:
        report = verify_ledger(ledger, ledger.anchor_text())
    about = {"home": str(made.home.folder), "origin": made.home.origin, "files": made.files}
    findings = [f"  {found.text} [{found.code}]" for found in report.findings]
    heading = f"{made.home.folder}\n{'OK' if report.ok else 'NOT OK'}  {report.size} entries, {made.files} files"
    line = {**about, "anchor_kept": made.anchor_kept, **report.document()}
    call.console.emit(line, "\n".join([heading, *findings]))
    if made.anchor_kept:
        call.console.note("The anchor that lay there was kept, and the log was held against it.")
    if not report.ok:
        call.console.note("Decide nothing in this home before it is clear why: docs/regulatory/sop/backup_restore.md")
    return ExitCode.OK if report.ok else ExitCode.INTEGRITY
