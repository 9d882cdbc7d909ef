# SPDX-License-Identifier: Apache-2.0
"""That another installation was taken into a home, forward or back: from what, to what, and why.

Rules of this module:

- It is a record of its own (``installation:1``), signed like every record with the engine's key.
- It names the new installation whole, in the parts that a qualification names it by, and the former one as far as
  the log and the home knew it.
- It qualifies nothing; whoever reads it takes no qualification from before it as one of after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.qualification import Installation, is_texts
from radiomicnet_md_audit.statement import Statement

PARTS: Final = ("code", "environment", "release", "installed")


@dataclass(frozen=True)
class Taken:
    """What an ``installation:1`` record says."""

    before: Mapping[str, Mapping[str, str]]  # by the name of the part; one that was not known is not in it
    now: Installation
    why: str

    def predicate(self) -> dict[str, object]:
        """Return what it says as plain values, as they stand in the record."""
        return {
            "from": {name: dict(part) for name, part in self.before.items()},
            **{name: dict(getattr(self.now, name)) for name in PARTS},
            "why": self.why,
        }


def parse(said: Statement) -> Taken:
    """Return what a record says; raise :class:`IntegrityError` ``E-INSTALLATION-FORM`` for another form."""
    match said.predicate:
        case {
            "record_id": str(),
            "log": dict(),
            "operator": str(),
            "stamps": list(),
            "from": dict(before),
            "code": {"version": str(), "sha256": str()} as code,
            "environment": {"sha256": str()} as environment,
            "release": {"id": str(), "version": str(), "manifest_sha256": str(manifest)} as release,
            "installed": dict() as installed,
            "why": str(why),
            **more,
        } if not more:
            parts = [part for part in (code, environment, release, installed) if is_texts(part)]
            subject = [{"name": "release", "digest": {"sha256": manifest}}]
            known = set(before) <= {*PARTS} and all(map(is_texts, before.values()))
            if len(parts) == len(PARTS) and known and why and said.document["subject"] == subject:
                taken = Taken(before, Installation(*parts), why)
                if taken.now.has_digests:
                    return taken
    return _fail()


def _fail() -> NoReturn:
    raise IntegrityError(
        "E-INSTALLATION-FORM",
        "A record of a changed installation has another form.",
        remedy="Count it as none, and compare the log with earlier exports.",
    )
