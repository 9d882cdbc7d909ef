# SPDX-License-Identifier: Apache-2.0
"""The mutants that no test can kill, each with the reason why it changes no verdict.

A mutant is named by module, function and the lines that it changes, as :mod:`operators` writes them. Each group has its
own file.
"""

from __future__ import annotations

from pathlib import Path

import yaml

FOLDER = Path(__file__).with_name("survivors")

Mutant = tuple[str, str, str]


def known(group: str) -> dict[Mutant, str]:
    """Return the reason by mutant."""
    return {
        (one["module"], one["function"], change): one["reason"]
        for one in yaml.safe_load((FOLDER / f"{group}.yaml").read_text("utf-8"))
        for change in one["changes"]
    }
