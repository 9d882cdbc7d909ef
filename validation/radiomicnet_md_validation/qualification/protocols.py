# SPDX-License-Identifier: Apache-2.0
"""The protocols of the qualifications as pages, made from the very tables that are run.

``python -m radiomicnet_md_validation.qualification.protocols`` writes them to ``docs/regulatory/``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from radiomicnet_md_validation.qualification import iq, oq, pq
from radiomicnet_md_validation.qualification.checks import About
from radiomicnet_md_validation.qualification.reports import TITLES

FOLDER: Final = Path("docs/regulatory")
_HEAD: Final = """\
<!-- Made by `python -m radiomicnet_md_validation.qualification.protocols`; do not edit. -->
# {title}: protocol

What `radiomicnet-md qualify {kind}` checks, what is expected, and the requirements that each check is about. It passes
if no check fails or is inconclusive; what does not apply to a site is listed in its report.
[How to run and sign it](../how-to/qualify-an-installation.md). A qualification is about one installation on one
computer; it is not clinical evidence, and RadiomicNet-MD is not a cleared medical device.

| Check | Objective | Expected | Requirements |
|---|---|---|---|
"""


def pages() -> dict[str, str]:
    """Each page by the name of its file."""
    checks = {"iq": iq.protocol(), "oq": oq.protocol(), "pq": pq.protocol()}
    return {f"{kind}_protocol.md": _page(kind, each) for kind, each in checks.items()}


def _page(kind: str, checks: Sequence[About]) -> str:
    rows = (f"| {one.id} | {one.objective} | {one.expected} | {', '.join(one.requirements)} |\n" for one in checks)
    return _HEAD.format(title=TITLES[kind], kind=kind) + "".join(rows)


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
