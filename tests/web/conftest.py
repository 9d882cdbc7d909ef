# SPDX-License-Identifier: Apache-2.0
"""A home with decisions and people, made once and copied for each test, and the page over it in this process."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.testclient import TestClient

from radiomicnet_md import config, opening, people, phantom
from radiomicnet_md import home as homes
from radiomicnet_md.decision import GRID, LOGIT_BITS, Decision
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Desk, segment_file
from radiomicnet_md.engine import decide, resample
from radiomicnet_md.engine.state import State
from radiomicnet_md.image import array_sha256, mask_sha256
from radiomicnet_md.privacy.people import Keeper
from radiomicnet_md.radiomics.definitions import NAMED, PAPER
from radiomicnet_md.review import pictures
from radiomicnet_md.web.app import application
from radiomicnet_md.web.books import Wanted
from radiomicnet_md.web.house import House
from radiomicnet_md_audit.ledger import Ledger
from tests import desks
from tests.web.serving import Served

HOST = "127.0.0.1:8470"
ROLES = {"anna": "admin", "rita": "reviewer", "quin": "qa", "reed": "reader"}
UNIT = 1 << LOGIT_BITS
_TERMS = {
    "area": ([400], [0, 1 << 16]),
    "intensity step": ([0], [-30000, 60000]),
    "step glcm_Contrast": ([5], [-900, 700]),
}


@dataclass
class SmallEngine(desks.FakeEngine):
    """Dark is evidence for a lesion; candidates and choice are the device's own code, over a table of three terms."""

    tables: decide.Tables = field(
        default_factory=lambda: decide.Tables(
            -1000, {name: (np.array(edges), np.array(scores)) for name, (edges, scores) in _TERMS.items()}
        )
    )

    def decide(self, levels_source: NDArray[np.uint8], spacing_mm: tuple[float, float] | None) -> Decision:
        made = super().decide(levels_source, spacing_mm)
        rows, columns = resample.fit(*levels_source.shape, GRID)
        levels = _nearest(levels_source, rows, columns)
        dark = self.level - levels[::2, ::2].astype(np.int64)
        planes = np.stack([dark * (UNIT // (64 + 8 * k)) * (-1) ** (k % 3 == 2) for k in range(len(NAMED))])
        planes[1, 10:20] += 7  # no two planes have one sum
        rho, bias = UNIT, -UNIT // 8
        rest = np.clip(dark % 7 - 3, -2, 2) * (UNIT // 4)
        logit = bias + planes.sum(axis=0) + rest
        codes = np.zeros(planes.shape, dtype=np.uint8)
        codes[0] = 40 - np.clip(dark, 0, 40)
        choice = decide.choose(logit, levels, codes, self.tables)
        small = np.zeros(levels.shape, dtype=np.bool_)
        for region in choice.chosen:
            small |= region.pixels
        mask = resample.enlarge_mask(small, *levels_source.shape)
        return Decision(
            mask=mask,
            chosen=choice.chosen,
            runner_up=choice.runner_up,
            candidates=choice.candidates,
            levels=levels,
            logit=logit,
            names=NAMED,
            contributions=planes,
            bias=bias,
            rest=rest,
            rho=rho,
            paper_values=dict.fromkeys(PAPER, float(levels.mean())),
            gamma=(0.5,),
            attention=(0.25,),
            groups=made.groups,
            stages={"levels": array_sha256(levels), "logit": array_sha256(logit), "mask": mask_sha256(mask)},
            arithmetic="integers in float32",
            lesions=made.lesions,
        )


def _nearest(levels: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    at = [np.arange(n) * of // n for n, of in zip((rows, columns), levels.shape, strict=True)]
    return np.ascontiguousarray(levels[at[0][:, None], at[1]])


@dataclass(frozen=True)
class Cases:
    """The records of the home: two of one image, one without a lesion, one refused."""

    result: str
    again: str
    none: str
    refused: str


@dataclass(frozen=True)
class Site:
    """One copy of the home, opened, with its page."""

    house: House
    desk: Desk
    cases: Cases
    client: TestClient
    anew: Callable[[], TestClient]

    @property
    def home(self) -> Path:
        """Its folder."""
        return self.house.keeper.home.folder

    def post(self, path: str, client: TestClient | None = None, /, **fields: str) -> Any:  # noqa: ANN401
        """A form of the page, with the session's secret."""
        client = client or self.client
        session = self.house.sessions.find(client.cookies.get("radiomicnet-md"))
        csrf = {"csrf": session.csrf} if session else {}
        return client.post(path, data={**csrf, **fields}, follow_redirects=False)

    def sign_in(self, user: str, passphrase: str = desks.OWN, client: TestClient | None = None) -> Any:  # noqa: ANN401
        """Sign in, in the usual browser or in another one."""
        client = client or self.client
        return client.post("/sign-in", data={"user": user, "passphrase": passphrase}, follow_redirects=False)


@pytest.fixture(scope="session")
def made_site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Cases]:
    """The home, its people and its decisions."""
    with pytest.MonkeyPatch.context() as patch:
        desks.remember_keys(patch)
        desks.quick_stretching(patch)
        patch.setattr(pictures, "why", lambda *_: b"")
        folder = tmp_path_factory.mktemp("web")
        made = homes.create(folder / "home")
        desk = desks.make_desk(made, SmallEngine())
        desks.add_person(desk, "anna", "admin")
        with people.enter(desk, "anna", desks.OWN) as anna:
            for user in ("rita", "quin", "reed"):
                desks.add_person(desk, user, ROLES[user], by=anna)
        scan, empty, small = desks.write_images(folder / "in", "scan.png", "empty.png", "small.png")
        _write_flat(empty)
        small.write_bytes(b"no image")
        paths = (scan, scan, empty, small)
        ids = [segment_file(path, desk, Target(folder / "out", str(n))).record_id for n, path in enumerate(paths)]
        desk.ledger.close()
    return made.folder, Cases(*ids)


def _write_flat(path: Path) -> None:
    from radiomicnet_md.io.masks import png

    rows, columns = np.mgrid[0:96, 0:128]
    path.write_bytes(png((150 + (rows * 7 + columns * 3) % 40).astype(np.uint8)))


@pytest.fixture
def site(made_site: tuple[Path, Cases], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A copy of the home and its page, with nobody signed in."""
    desks.remember_keys(monkeypatch)
    desks.quick_stretching(monkeypatch)
    folder = tmp_path / "home"
    shutil.copytree(made_site[0], folder)
    shutil.copyfile(homes.anchor_beside(made_site[0]), homes.anchor_beside(folder))
    desk = desks.make_desk(homes.open_home(folder), SmallEngine())
    keeper = Keeper(desk.home, desk.ledger, desk.vault_key, "uid:0", lambda: None)
    settings = config.Settings(home=folder)
    low_high = dict.fromkeys(PAPER, (10.0, 100.0))
    house = House(keeper, settings, {"manifest_sha256": desks.MAKER.release["manifest_sha256"], "values": low_high})  # type: ignore[index]
    monkeypatch.setattr(opening, "_desk", _engine_at_work)
    app = application(house, [HOST])

    def anew() -> TestClient:
        return TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False)

    with anew() as client:
        while house.books.page(Wanted()).read < desk.ledger.size:
            pass
        yield Site(house, desk, made_site[1], client, anew)
    desk.ledger.close()


def _engine_at_work(settings: config.Settings, home: homes.Home, ledger: Ledger, vault_key: bytes) -> Desk:
    """A desk as a replay opens it, for its own log, with this home's engine."""
    maker = replace(desks.MAKER, operator=settings.account)
    return Desk(home, ledger, vault_key, maker, SmallEngine(), State.UNQUALIFIED)


@pytest.fixture(scope="session")
def real_site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Cases]:
    """A home of the real engine for servers in processes of their own: phantoms with and without a lesion."""
    folder = tmp_path_factory.mktemp("served")
    homes.create(folder / "home")
    with opening.open_desk(config.Settings(home=folder / "home")) as desk:
        desks.add_person(desk, "anna", "admin")
        with people.enter(desk, "anna", desks.OWN) as anna:
            for user in ("rita", "quin", "reed"):
                desks.add_person(desk, user, ROLES[user], by=anna)
        scan, empty, none = (folder / name for name in ("scan.dcm", "empty.dcm", "none.png"))
        phantom.write_dicom(phantom.make(1), scan)
        phantom.write_dicom(phantom.make(5, lesion=False), empty)
        none.write_bytes(b"no image")
        answers = [
            segment_file(path, desk, Target(folder / "out", str(n))) for n, path in enumerate((scan, scan, empty, none))
        ]
        assert [answer.status for answer in answers] == ["accepted", "accepted", "accepted", "refused"]
    return folder / "home", Cases(*(answer.record_id for answer in answers))


@pytest.fixture(scope="session")
def served(real_site: tuple[Path, Cases]) -> Iterator[Served]:
    """A server over that home."""
    with Served(real_site[0]) as running:
        yield running


@pytest.fixture
def serve(real_site: tuple[Path, Cases]) -> Iterator[Callable[..., Served]]:
    """``serve("--port", …)`` starts another one."""
    with ExitStack() as running:
        yield lambda *arguments: running.enter_context(Served(real_site[0], *arguments))
