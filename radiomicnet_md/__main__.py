# SPDX-License-Identifier: Apache-2.0
"""``python -m radiomicnet_md`` is the command ``radiomicnet-md``."""

from __future__ import annotations

import sys

from radiomicnet_md.cli import main

sys.exit(main())
