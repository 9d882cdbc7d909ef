# SPDX-License-Identifier: Apache-2.0
"""The mutants that no test can kill, each with the reason why it changes no verdict.

A mutant is named by module, function and the lines that it changes, as :func:`changed` writes them.
"""

from __future__ import annotations

from pathlib import Path

import yaml

FILE = Path(__file__).with_name("survivors.yaml")

Mutant = tuple[str, str, str]


def known() -> dict[Mutant, str]:
    """Return the reason by mutant."""
    return {
        (one["module"], one["function"], change): one["reason"]
        for one in yaml.safe_load(FILE.read_text("utf-8"))
        for change in one["changes"]
    }


def changed(diff: str) -> str:
    """Return the lines that a diff takes away and puts in, in one line."""
    lines = diff.splitlines()[2:]
    return " → ".join(" ".join(line[1:].strip() for line in lines if line[:1] == sign) for sign in "-+")
