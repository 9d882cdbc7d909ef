# SPDX-License-Identifier: Apache-2.0
"""Every point of a scenario: each call with each fault, and each size at which a write is cut short."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from radiomicnet_md_audit.keychange import Role
from tests.audit.faults import tracer
from tests.audit.faults.homes import Deciding, Initialising, Rekeying, light
from tests.audit.faults.logs import Appending, CatchingUp, Creating, Exporting, Scenario
from tests.audit.faults.outcome import Outcome, spread
from tests.audit.faults.tracer import End

LOGS: tuple[Scenario, ...] = (Appending(), Appending(cosigned=True), Creating(), CatchingUp(), Exporting())
HOMES: tuple[Scenario, ...] = (
    Initialising(),
    Deciding(),
    Deciding(earlier=True),
    Deciding(earlier=True, refused=True),
    Rekeying(),
    Rekeying(role=Role.LOG),
)

# Each is limited where the named file grows: from its size before to its size after.
_TORN: tuple[tuple[Scenario, str], ...] = (
    (Appending(), "audit.db-wal"),
    (Appending(before=30, cosigned=True), "log.anchor"),
    (Exporting(before=30, cosigned=True), "export/checkpoints.jsonl"),
)
_DURABLE = ("audit.db-wal", "audit.db", ".anchor")
_TORN_SIZES = 100  # of each, with either ending


class Stage:
    """A scenario's folder, as it was prepared, again and again."""

    def __init__(self, scenario: Scenario, place: Path) -> None:
        """Prepare it, and act once here, so that no child has anything to import."""
        self.scenario = scenario
        self.folder = place / "point"
        self._template = place / "template"
        self._template.mkdir(parents=True)
        scenario.prepare(self._template)
        scenario.act(self.fresh(), lambda *_: None)

    def fresh(self) -> Path:
        """Return the folder as it was prepared."""
        shutil.rmtree(self.folder, ignore_errors=True)
        return Path(shutil.copytree(self._template, self.folder))

    def judged(self, part: str, call: str, fault: str, where: str, end: End) -> Outcome:
        """Judge what an act left in the folder."""
        wrong = self.scenario.judge(self.folder, end)
        codes = tuple(code for code, _ in end.of("failed"))
        return Outcome(part, self.scenario.name, call, fault, where, wrong, codes, end.status)


@contextmanager
def staged(scenario: Scenario) -> Iterator[Stage]:
    """A stage in a temporary folder."""
    with light(), tempfile.TemporaryDirectory(prefix="faults-") as place:
        yield Stage(scenario, Path(place))


def calls(part: str, scenarios: Sequence[Scenario], count: int | None, chance: random.Random) -> Iterator[Outcome]:
    """Strike each call of each scenario with each fault; or some of them, spread evenly. Without strace, none."""
    if shutil.which("strace") is None:
        return
    for scenario, share in zip(scenarios, shares(count, len(scenarios)), strict=True):
        with staged(scenario) as stage:
            found = tracer.record(scenario.act, stage.fresh())
            points = [(call, fault) for call in found for fault in call.faults]
            for call, fault in spread(points, share, chance):
                end = tracer.strike(scenario.act, stage.fresh(), call, fault)
                if end.struck:
                    yield stage.judged(part, call.name, fault, f"{call.file} ({call.number})", end)


def doubled(count: int | None, chance: random.Random) -> Iterator[Outcome]:
    """A disk that fails while a commit is made durable, or while the anchor is, and then the end of the process."""
    scenarios = (Appending(), Deciding())
    if shutil.which("strace") is None:
        return
    for scenario, share in zip(scenarios, shares(count, len(scenarios)), strict=True):
        with staged(scenario) as stage:
            found = tracer.record(scenario.act, stage.fresh())
            errors = [call for call in found if call.name in {"fsync", "fdatasync"} and call.file.endswith(_DURABLE)]
            points = [
                (error, call)
                for error in errors
                for call in tracer.record(scenario.act, stage.fresh(), error)
                if tracer.KILL in call.faults and call.name != error.name
            ]
            for error, call in spread(points, share, chance):
                end = tracer.strike(scenario.act, stage.fresh(), call, tracer.KILL, error)
                if end.struck:
                    where = f"{error.file} ({error.number}), then {call.file} ({call.number})"
                    yield stage.judged("double", call.name, "EIO, then SIGKILL", where, end)


def torn(count: int | None, chance: random.Random) -> Iterator[Outcome]:
    """Cut writes short at sizes within what a file grows by; then an error, or the end of the process."""
    for (scenario, file), share in zip(_TORN, shares(count, len(_TORN)), strict=True):
        with staged(scenario) as stage:
            before, after = _size(stage.fresh() / file), _grown(stage, file)
            step = max(1, (after - before) // _TORN_SIZES)
            points = [(size, deadly) for size in range(before, after, step) for deadly in (True, False)]
            for size, deadly in spread(points, share, chance):
                end = tracer.limit(scenario.act, stage.fresh(), size, deadly=deadly)
                if end.struck:
                    fault = "short, then SIGXFSZ" if deadly else "short, then EFBIG"
                    yield stage.judged("short", "write", fault, f"{file} at {size}", end)


def _grown(stage: Stage, file: str) -> int:
    """How large a file becomes while a scenario acts; some are gone afterwards."""
    sizes = [0]

    def watch(*_: object) -> None:
        sizes.append(_size(stage.folder / file))

    stage.scenario.act(stage.fresh(), watch)
    return max(*sizes, _size(stage.folder / file))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def shares(count: int | None, parts: int) -> list[int | None]:
    """Divide a number of points among some parts; None is all for each."""
    return [None if count is None else (count + parts - 1 - n) // parts for n in range(parts)]
