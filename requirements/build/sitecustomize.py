# SPDX-License-Identifier: Apache-2.0
"""Gives Python 3.12 and later the class that the build of pyradiomics 3.0.1 asks for, during that build only."""

from __future__ import annotations

import configparser
from collections.abc import Iterable


class _SafeConfigParser(configparser.ConfigParser):
    """The class Python dropped in 3.12, with the one method that is used of it."""

    def readfp(self, lines: Iterable[str]) -> None:
        """Read from an open file, as ``read_file`` does."""
        self.read_file(lines)


if not hasattr(configparser, "SafeConfigParser"):
    configparser.SafeConfigParser = _SafeConfigParser  # type: ignore[attr-defined]
