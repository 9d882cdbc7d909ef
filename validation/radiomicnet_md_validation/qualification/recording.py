# SPDX-License-Identifier: Apache-2.0
"""The one way a qualification of any kind ends: its report is written, and a record in the log names the report.

Rules of this module:

- The report's files are there before the record that names them, and are taken away again where the log takes none.
- A folder that holds a report is left alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiomicnet_md import qualified
from radiomicnet_md.engine.installation import LOCK
from radiomicnet_md.errors import ConfigurationError, UsageError
from radiomicnet_md.intent import new_id
from radiomicnet_md_audit.qualification import REPORT, VERDICTS, Qualification
from radiomicnet_md_audit.statement import QUALIFICATION, build
from radiomicnet_md_validation.qualification import machine, reports
from radiomicnet_md_validation.qualification.checks import PASS, Result, not_passed
from radiomicnet_md_validation.qualification.site import platform_name

if TYPE_CHECKING:
    from radiomicnet_md.engine.release import Release
    from radiomicnet_md.privacy.people import Keeper
    from radiomicnet_md_audit.appending import Receipt


@dataclass(frozen=True, slots=True)
class Done:
    """A qualification that has ended and was recorded."""

    said: Qualification
    receipt: Receipt
    files: Sequence[Path]

    def line(self) -> dict[str, Any]:
        """The JSON object for the command line."""
        said = self.said
        about = {"kind": said.kind, "verdict": said.verdict, "platform": said.platform}
        counts = {"passed": said.passed, "not_passed": dict(said.not_passed)}
        named = {"record_id": self.receipt.record_id, "log_index": self.receipt.index}
        return {**about, **counts, **named, "files": [str(path) for path in self.files]}


def check_folder(out: Path) -> None:
    """Raise :class:`UsageError` ``E-QUALIFY-OUT`` where a report is there, or nothing can be."""
    if (out / REPORT).exists() or (out.exists() and not out.is_dir()):
        raise UsageError(
            "E-QUALIFY-OUT",
            "A report of a qualification, or something that is no folder, is already there.",
            remedy="Name another folder with --out.",
        )


def record(  # noqa: PLR0913 -- what was qualified, when and how, and where the report goes
    keeper: Keeper, release: Release, kind: str, began_utc: str, protocol: str, results: Sequence[Result], out: Path
) -> Done:
    """Write the report of a qualification and put its record into the log.

    Raises :class:`ConfigurationError` ``E-QUALIFY-WRITE`` where the report cannot be written, and what the log raises.
    """
    now = qualified.present(release)
    left = not_passed(results)
    passed = sum(one.verdict == PASS for one in results)
    said = Qualification(kind, began_utc, platform_name(), protocol, now, passed, left, ())
    made = reports.files(_payload(keeper, release, said, results), keeper.ledger.writer.engine_key)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(made.items())}
    said = Qualification(kind, began_utc, said.platform, protocol, now, passed, left, tuple(digests.items()))
    about = {"record_id": new_id(), "operator": keeper.operator, "stamps": list(keeper.home.stamps)}
    paths = [out / name for name in digests]
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in paths:
            path.write_bytes(made[path.name])
        receipt = keeper.ledger.append(build(QUALIFICATION, {"report": digests[REPORT]}, {**said.predicate(), **about}))
    except BaseException as error:
        for path in paths:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ConfigurationError(
                "E-QUALIFY-WRITE",
                f"The report cannot be written: {error.strerror}.",
                remedy="Name a folder with room with --out; nothing was recorded.",
            ) from error
        raise
    return Done(said, receipt, paths)


def _payload(keeper: Keeper, release: Release, said: Qualification, results: Sequence[Result]) -> Mapping[str, Any]:
    """Everything that the report says."""
    counts = Counter(one.verdict for one in results)
    about = {name: value for name, value in said.predicate().items() if name not in ("files", "passed", "not_passed")}
    return {
        **about,
        "format": "radiomicnet-md-qualification/1",
        "counts": {verdict: counts[verdict] for verdict in VERDICTS},
        "ended_utc": keeper.ledger.writer.clock().text(),
        "operator": keeper.operator,
        "stamps": list(keeper.home.stamps),
        "home": "clinical" if keeper.home.clinical else "demonstration",
        "log": keeper.ledger.origin,
        "lock_sha256": hashlib.sha256(release.files.get(LOCK, b"")).hexdigest(),
        "machine": machine.describe(),
        "results": [one.document() for one in results],
    }
