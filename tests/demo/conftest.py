# SPDX-License-Identifier: Apache-2.0
"""A desk whose engine already knows the phantom, so that the story around it can be judged in a second."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from radiomicnet_md import opening, phantom
from radiomicnet_md.decision import Decision
from radiomicnet_md.demo import cases, ground, run, story
from radiomicnet_md.engine.acceptance import Limits
from radiomicnet_md.engine.release import Release
from radiomicnet_md.engine.state import State
from radiomicnet_md.errors import ExitCode
from tests.review.conftest import Maker

_T = TypeVar("_T")


@dataclass
class Heard:
    """A voice that remembers what was said."""

    data: list[tuple[Mapping[str, Any], str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def emit(self, line: Mapping[str, Any], text: str) -> None:
        self.data.append((line, text))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, items: Iterable[_T], what: str, total: int) -> Iterator[_T]:
        assert what
        assert total
        yield from items


@dataclass
class KnowingEngine:
    """Outlines the demonstration's phantom where it is, moved down by ``shift`` pixels; finds nothing elsewhere."""

    shift: int = 0
    limits: Limits = field(default_factory=Limits)

    def decide(self, source: NDArray[np.uint8], spacing_mm: tuple[float, float] | None) -> Decision:
        del spacing_mm
        made = phantom.make(cases.PHANTOM_SEED)
        levels = np.ascontiguousarray(source[::3, ::3])
        if not np.array_equal(source, made.pixels):
            return _whole(Maker().decision(levels, (), None, candidates=0), np.zeros_like(source))
        mask = np.roll(made.truth, self.shift, axis=0)
        region = Maker().region(mask[::3, ::3].astype(np.bool_), 1.5, seed=1)
        return _whole(Maker().decision(levels, (region,), None, candidates=1), mask)

    def known_answer_test(self) -> None:
        pass


def _whole(decision: Decision, mask: NDArray[np.uint8]) -> Decision:
    lesion = {"pixels": int(mask.sum()), "levels_sha256": "4" * 64, "values": {"firstorder_Mean": 1.5}}
    return replace(decision, mask=mask, lesions=(lesion,) * len(decision.chosen))


@pytest.fixture
def heard() -> Heard:
    """Somebody who listens."""
    return Heard()


def install(patch: pytest.MonkeyPatch) -> KnowingEngine:
    """Put the engine where the demonstration will look for a release and its engine."""
    made = KnowingEngine()
    manifest = {"id": "stub", "version": "0.0.1", "created": "2026-11-23T00:00:00Z", "files": {}}
    release = Release(Path("stub"), manifest, "0" * 64, "1" * 64, {})
    patch.setattr(story, "default_folder", lambda: release.folder)
    patch.setattr(story, "open_release", lambda _folder: release)
    patch.setattr(opening, "verified_release", lambda _settings, _ledger: release)
    patch.setattr(opening, "_started", lambda *_: (made, State.UNQUALIFIED))
    patch.delenv(cases.DATA, raising=False)
    return made


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> KnowingEngine:
    """The engine that the demonstration will open, in the place of a release's."""
    return install(monkeypatch)


@dataclass(frozen=True)
class Ended:
    """A demonstration that came to its end: its folder, and what was said."""

    out: Path
    heard: Heard

    @property
    def page(self) -> str:
        """The report."""
        return (self.out / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """One run for all tests that only look at what it left; its folder holds remains of an earlier one."""
    out = tmp_path_factory.mktemp("demo")
    ground.prepare(out)
    for stale in ("report.html", "home/home.yaml", "out/phantom/mask.png", "export/old"):
        (out / stale).parent.mkdir(parents=True, exist_ok=True)
        (out / stale).write_text("of an earlier run")
    heard = Heard()
    with pytest.MonkeyPatch.context() as patch:
        install(patch)
        assert run(out, heard) == ExitCode.OK
    return Ended(out, heard)
