# SPDX-License-Identifier: Apache-2.0
"""A DICOM node: what was acknowledged is on the disk and ends in one record; what has to be sent is kept until it is.

Rules of this room:

- The other side gets a success only after the bytes it sent are on the disk, and its instance is decided exactly
  once, whenever this process is killed: the inbox names the request, and the log has one terminal record of each.
- The objects of a decision wait in the outbox until the archive has taken them.
- What others' libraries would log may quote a patient's data, and is not logged.
- The tables of classes and transfer syntaxes that the code uses are those of the conformance statement.
"""

from __future__ import annotations

import logging

for _name in ("pynetdicom", "dicomweb_client", "urllib3"):
    logging.getLogger(_name).propagate = False
    logging.getLogger(_name).addHandler(logging.NullHandler())
