# SPDX-License-Identifier: Apache-2.0
"""A desk with a real home, log and keys, and an engine that only thresholds, for tests of what is around it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from radiomicnet_md import home as homes
from radiomicnet_md import people
from radiomicnet_md.decision import LOGIT_BITS, SCORE_BITS, Decision, Region
from radiomicnet_md.desk import Desk
from radiomicnet_md.engine.acceptance import Limits
from radiomicnet_md.engine.record import Maker
from radiomicnet_md.engine.state import State
from radiomicnet_md.engine.zones import zones
from radiomicnet_md.errors import NotQualifiedError
from radiomicnet_md.image import array_sha256, mask_sha256
from radiomicnet_md.io.masks import png
from radiomicnet_md.radiomics.region_definitions import VALUE_NAMES
from radiomicnet_md_audit import seal, sign

PICTURE = png(np.zeros((2, 3), dtype=np.uint8))  # stands for one that takes a second to draw
NAMES = ("glcm_Contrast", "firstorder_Mean")
MAKER = Maker(
    stamps=("unqualified demonstration", "untrusted-key"),
    operator="uid:0",
    release={"id": "fake", "version": "1.2.3", "manifest_sha256": "0" * 64},
    code={"version": "0.1.0", "sha256": "1" * 64},
    environment={"sha256": "2" * 64, "python": "3", "torch": "2", "numpy": "2", "platform": "p", "machine": "m"},
    configuration_sha256="3" * 64,
)


@dataclass
class FakeEngine:
    """Dark is lesion: the pixels below a level are the one region. It counts what it was asked."""

    level: int = 60
    limits: Limits = field(default_factory=Limits)
    asked: int = 0
    tested: int = 0
    fails_test_after: int | None = None

    def known_answer_test(self) -> None:
        self.tested += 1
        if self.fails_test_after is not None and self.tested > self.fails_test_after:
            raise NotQualifiedError("E-KAT", "The known answers did not come out.", remedy="Run: radiomicnet-md doctor")

    def decide(self, levels_source: NDArray[np.uint8], spacing_mm: tuple[float, float] | None) -> Decision:
        del spacing_mm
        self.asked += 1
        return decision(levels_source, self.level)


def decision(levels: NDArray[np.uint8], level: int) -> Decision:
    """A decision whose sums are whole: logit = bias + contributions + rest."""
    small = np.ascontiguousarray(levels[::2, ::2])
    pixels = small < level
    unit = 1 << LOGIT_BITS
    rough = level - small[::2, ::2].astype(np.int64)
    contributions = np.stack([rough * (unit // 64), np.abs(rough) * (unit // 512)])
    rest = (rough % 7 - 3) * (unit // 64)
    bias = -unit // 8
    logit = bias + contributions.sum(axis=0) + rest
    mask = (levels < level).astype(np.uint8)
    values, shares = dict.fromkeys(VALUE_NAMES, 7), dict.fromkeys(VALUE_NAMES, 0)
    terms = {**shares, VALUE_NAMES[0]: 3 << SCORE_BITS, VALUE_NAMES[1]: -(1 << SCORE_BITS)}
    region = Region(0, int(pixels.sum()), (0, 0, *pixels.shape), values, terms, 5, (2 << SCORE_BITS) + 5, pixels)
    other = replace(region, threshold=1, intercept=0, terms={**shares, VALUE_NAMES[0]: -8}, score=-8)
    stages = {"levels": array_sha256(small), "logit": array_sha256(logit), "mask": mask_sha256(mask)}
    chosen = (region,) if pixels.any() else ()
    sums = {name: int(logit[zone].sum()) for name, zone in zones(chosen, *logit.shape).items()}
    return Decision(
        mask=mask,
        chosen=chosen,
        runner_up=other,
        candidates=2,
        levels=small,
        logit=logit,
        names=NAMES,
        contributions=contributions,
        bias=bias,
        rest=rest,
        rho=3 * (unit // 64),
        paper_values={"glcm_Contrast": float(small.mean())},
        gamma=(0.5,),
        attention=(0.25,),
        groups={name: {"usual": 6 * total, "GLCM": 0, "LBP": 7, "intensity": -7} for name, total in sums.items()},
        stages=stages,
        arithmetic="integers in float32",
        lesions=({"pixels": int(mask.sum()), "levels_sha256": "4" * 64, "values": {"firstorder_Mean": 1.5}},)[
            : len(chosen)
        ],
    )


_KEYS: dict[tuple[str, bytes, bytes], Any] = {}


def remember_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decrypt the same key file with the same passphrase once: that is slow on purpose, and homes are copies."""

    def once(load: Callable[[Any, bytes], Any]) -> Callable[[Any, bytes], Any]:
        def loaded(source: Path | bytes, passphrase: bytes) -> object:
            what = (load.__name__, source if isinstance(source, bytes) else source.read_bytes(), passphrase)
            if what not in _KEYS:
                _KEYS[what] = load(source, passphrase)
            return _KEYS[what]

        return loaded

    for module, name in ((sign, "load_private"), (sign, "load_cosigner"), (seal, "unwrap")):
        monkeypatch.setattr(module, name, once(getattr(module, name)))


def make_desk(home: homes.Home, engine: FakeEngine) -> Desk:
    """The desk of a home that has a passphrase of its own."""
    passphrase = home.passphrase(environ={})
    return Desk(home, home.writing_ledger(passphrase), home.vault_key(passphrase), MAKER, engine, State.UNQUALIFIED)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def write_images(folder: Path, *names: str) -> list[Path]:
    """Grey pictures with a dark disc, each with its own noise."""
    paths = []
    for number, name in enumerate(names):
        rows, columns = np.mgrid[0:96, 0:128]
        noise = np.random.default_rng(number).integers(0, 40, (96, 128))
        picture = np.where(np.hypot(rows - 48, columns - 60) < 20, 20, 150 + noise).astype(np.uint8)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(picture))
        paths.append(path)
    return paths


def environment(home: Path, **more: str) -> dict[str, str]:
    """An environment in which nothing of this machine's user is read."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    return {**kept, "HOME": str(home), "OMP_NUM_THREADS": "1", **more}


class Stretching:
    """Stretches passphrases at once, and counts how often; what it takes in earnest is tested by itself."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, passphrase: bytes, salt: bytes) -> bytes:
        self.count += 1
        return hashlib.sha256(salt + passphrase).digest()


def quick_stretching(monkeypatch: pytest.MonkeyPatch) -> Stretching:
    """Let people's passphrases open their keys without the wait that is meant for who guesses."""
    made = Stretching()
    monkeypatch.setattr(seal, "stretched", made)
    return made


FIRST, OWN, OTHER = "for the first day only", "own words of somebody", "other words than those"


def add_person(place: people.Place, user: str, *roles: str, by: people.Identity | None = None) -> None:
    """Add a person, who sets the passphrase ``OWN``."""
    people.add(place, by, user, f"{user.title()} Example", roles or ("reviewer",), FIRST)
    with people.enter(place, user, FIRST) as identity:
        people.set_passphrase(place, identity, user, OWN)
