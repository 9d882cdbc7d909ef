# SPDX-License-Identifier: Apache-2.0
"""Homes are made once (keys cost seconds) and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from radiomicnet_md import home as homes
from radiomicnet_md import shelf
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Answer, Desk, segment_file
from radiomicnet_md.privacy.people import Keeper
from radiomicnet_md.review import pictures
from tests import desks, patients


@pytest.fixture
def home(made_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> homes.Home:
    desks.remember_keys(monkeypatch)
    folder = tmp_path / "home"
    shutil.copytree(made_home, folder)
    shutil.copyfile(homes.anchor_beside(made_home), homes.anchor_beside(folder))
    return homes.open_home(folder)


@pytest.fixture
def engine() -> desks.FakeEngine:
    return desks.FakeEngine()


@pytest.fixture
def desk(home: homes.Home, engine: desks.FakeEngine) -> Iterator[Desk]:
    opened = desks.make_desk(home, engine)
    yield opened
    opened.ledger.close()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def case(desk: Desk, tmp_path: Path, out: Path) -> patients.Case:
    """``case("quill", seed)`` decides an image of a person; the seed decides about the samples."""

    def decide(who: str | dict[str, str], seed: int) -> Answer:
        said = patients.PEOPLE[who] if isinstance(who, str) else who
        path = patients.write(tmp_path / "in" / f"{seed}.dcm", said, seed)
        answer = segment_file(path, desk, Target(out, f"{seed}-{desk.ledger.size}", "png"))
        assert answer.status == "accepted"
        return answer

    return decide


@pytest.fixture
def keeper(desk: Desk) -> Keeper:
    def settle() -> None:
        shelf.settle(desk.home.folder, lambda record_id, _: desk.ledger.holds(record_id))

    return Keeper(desk.home, desk.ledger, desk.vault_key, "uid:0", settle)


@pytest.fixture
def real_pictures() -> None:
    """Asked for by a test that looks at the pictures."""


@pytest.fixture(autouse=True)
def quick_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take a second each; most tests only ask whether they are there."""
    if "real_pictures" not in request.fixturenames:
        monkeypatch.setattr(pictures, "overlay", lambda *_: desks.PICTURE)
        monkeypatch.setattr(pictures, "why", lambda *_: b"why")
