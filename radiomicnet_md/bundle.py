# SPDX-License-Identifier: Apache-2.0
"""Who took the log out of the device, and when, is in the log that was taken.

Rules of this module:

- The record of an export comes before the export and is part of it; where it cannot be written, nothing leaves.
- What leaves are records and artefacts: the vault and the keys stay.
- What was erased does not leave: an interrupted erasure is finished first, and none begins meanwhile.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from radiomicnet_md import vault
from radiomicnet_md.desk import new_id
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.home import Home
from radiomicnet_md.privacy import erasure
from radiomicnet_md_audit import export
from radiomicnet_md_audit.statement import EXPORT, build


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
