# SPDX-License-Identifier: Apache-2.0
"""A home as one file, and one file as a home again: whole or not at all, and never in the place of something.

Rules of this package:

- The file is a tar archive (``form``): any tar lists and unpacks it. It ends with the digest of all that comes before.
- What is restored proves nothing by having been restored; its log is verified, against the anchor that is there.
- Private keys are in it as they are in the home: encrypted, or in a token and not in it at all.
"""

from __future__ import annotations

from radiomicnet_md.backup.restoring import Restored, restore
from radiomicnet_md.backup.taking import Taken, take

__all__ = ["Restored", "Taken", "restore", "take"]
