# SPDX-License-Identifier: Apache-2.0
"""Who took the log out of the device, and when, is in the log that was taken.

Rules of this module:

- The record of an export comes before the export and is part of it; where it cannot be written, nothing leaves.
- The record of a report names the digest of its file, and comes before the file has its name; the same holds for it.
- What leaves are records and artefacts: the vault and the keys stay.
- What was erased does not leave: an interrupted erasure is finished first, and none begins meanwhile.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from radiomicnet_md import vault
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.home import Home
from radiomicnet_md.intent import new_id
from radiomicnet_md.privacy import erasure
from radiomicnet_md_audit import export, outside
from radiomicnet_md_audit.statement import EXPORT, REPORT, build


def export_log(home: Home, folder: Path, operator: str, audit_db: str | None = None) -> int:
    """Record the export, write it to a new folder, and return how many entries it holds.

    Raises :class:`ConfigurationError` when the folder is there or cannot be written, and
    :class:`IntegrityError` when an artefact of the home was changed.
    """
    if folder.exists():
        raise ConfigurationError(
            "E-EXPORT-EXISTS", "The export folder is already there.", remedy="Name a folder that does not exist yet."
        )
    with home.writing_ledger(home.passphrase(), audit_db) as ledger:
        erasure.finish(home, ledger)
        before = hashlib.sha256(ledger.latest_checkpoint().encode()).hexdigest()
        about = {"record_id": new_id(), "operator": operator, "stamps": list(home.stamps), "size": ledger.size}
        receipt = ledger.append(build(EXPORT, {"checkpoint": before}, about))
        with vault.sharing(home.folder):
            export.write(ledger, folder, artefacts=home.artefacts)
    return receipt.size


def report_log(home: Home, form: outside.Form, file: Path, operator: str, audit_db: str | None = None) -> int:
    """Write every record to a new file in a form of others, record that, and return how many records the file holds.

    Raises :class:`ConfigurationError` when the file is there or cannot be written, and :class:`IntegrityError` when a
    record of the log does not hold.
    """
    with home.writing_ledger(home.passphrase(), audit_db) as ledger:

        def note(count: int, digest: str) -> None:
            about = {"record_id": new_id(), "operator": operator, "stamps": list(home.stamps)}
            said = {**about, "form": str(form), "records": count, "file_sha256": digest}
            ledger.append(build(REPORT, {"report": digest}, said))

        records = (outside.logged(entry.index, entry.envelope, ledger.read(entry)) for entry in ledger.entries())
        return outside.save(form, records, file, note)
