# SPDX-License-Identifier: Apache-2.0
"""The command line with an engine that only thresholds and, where asked for, with a fault in every part that is tested.

``python standin.py broken VERB …``: see ``FAULTS`` for what each of them must make fail.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from radiomicnet_md import cli, compiling, desk, io, opening
from radiomicnet_md.commands import audit
from radiomicnet_md.engine import acceptance, record
from radiomicnet_md.engine.release import Release
from radiomicnet_md.engine.state import State
from radiomicnet_md.review import pictures
from radiomicnet_md_audit import persons
from tests import desks

# The test that has to fail, and words of what it saw: so that it did not fail for another reason.
FAULTS = {
    "OQ-001": "numpy",  # help imports what it does not need
    "OQ-002": "exit code 0",  # a changed release decides
    "OQ-004": "exit code 0",  # a clinical home decides
    "OQ-006": "connections: True",  # somebody is told
    "OQ-010": "accepted, mask",  # another mask is delivered than was recorded
    "OQ-011": "sums",  # the score is another than its terms come to
    "OQ-012": "files ['early.png']",  # something is delivered before the record
    "OQ-020": "accepted",  # any modality is let in
    "OQ-030": "exit code 0",  # verification says yes
    "OQ-041": "then the right one: 0",  # nobody is ever locked
}


def put(module: Any, name: str, value: object) -> None:  # noqa: ANN401
    setattr(module, name, value)


def stand_in() -> None:
    """No release, no compiled code, no pictures that take a second."""
    manifest = {"id": "fake", "version": "1.2.3", "created": "2026-01-01", "files": {}}
    release = Release(Path("fake"), manifest, "0" * 64, "0" * 64, {})
    put(opening, "verified_release", lambda *_: release)
    put(opening, "_started", lambda *_: (desks.FakeEngine(), State.UNQUALIFIED))
    for module in (opening, compiling):
        put(module, "use_private_cache", lambda: None)
    put(pictures, "why", lambda *_: b"why")


def break_all() -> None:
    """Every fault at once; each is about another test."""
    decided, describe, masked = desk.decided, record.describe, io.write_mask_png

    def early(item: Any, place: Any, target: Any, *rest: Any) -> Any:  # noqa: ANN401
        folder = target.out
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "early.png").write_bytes(b"")
        with contextlib.suppress(OSError), socket.socket() as told:
            told.connect(("127.0.0.1", 9))
        return decided(item, place, target, *rest)

    def other(case: Any, maker: Any) -> dict[str, Any]:  # noqa: ANN401
        said = describe(case, maker)
        for region in (said["decision"] or {}).get("chosen", []):
            region["score"] += 1
        return said

    def verify(call: Any) -> int:  # noqa: ANN401
        call.console.emit({"ok": True, "size": 1, "root": "", "claims": [], "findings": []}, "")
        return 0

    def admitted(image: Any, limits: Any) -> acceptance.Admitted:  # noqa: ANN401
        found = admit(image, limits)
        levels = image.pixels[0, :, :, 0]
        return found if isinstance(found, acceptance.Admitted) else acceptance.Admitted(levels, found.checks)

    admit: Callable[..., Any] = acceptance.admit
    put(desk, "decided", early)
    put(record, "describe", other)
    put(audit, "_verify", verify)
    put(acceptance, "admit", admitted)
    put(io, "write_mask_png", lambda path, mask, receipt: masked(path, 1 - mask, receipt))
    put(persons, "MOST_FAILURES", 99)


def main(arguments: list[str]) -> int:
    """Run one command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("how", choices=["whole", "broken"])
    how, rest = parser.parse_known_args(arguments[:1])[0].how, arguments[1:]
    stand_in()
    if how == "broken":
        break_all()
    return cli.main(rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
