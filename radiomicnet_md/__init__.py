# SPDX-License-Identifier: Apache-2.0
"""RadiomicNet-MD: ultrasound segmentation whose every decision is signed, explained and replayable."""

from __future__ import annotations

__version__ = "0.3.0"
