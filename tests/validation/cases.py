# SPDX-License-Identifier: Apache-2.0
"""Sets of cases for tests of performance: as images in memory, and as a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.io.masks import png
from radiomicnet_md_validation.case_set import Case
from radiomicnet_md_validation.performance import Scored, Told, scored

Mask = NDArray[np.bool_]
Model = Callable[[int, Sequence[Mask]], Mask | None]
SHAPE = (40, 48)
RESULT = Told("accepted", "", "0" * 26, 1)
REFUSED = Told("refused", "E-SCREEN-UNFAMILIAR", "0" * 26, 1)


def disc(row: float, column: float, radius: float, shape: tuple[int, int] = SHAPE) -> Mask:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.asarray(np.hypot(rows - row, columns - column) < radius)


def truths(lesions: int = 117, normals: int = 24) -> list[Mask]:
    """Discs of many sizes at many places, then images without a lesion."""
    draw = np.random.default_rng(5)
    found = [disc(draw.uniform(12, 28), draw.uniform(12, 36), draw.uniform(4, 9)) for _ in range(lesions)]
    return [*found, *(np.zeros(SHAPE, dtype=np.bool_) for _ in range(normals))]


def case(number: int, *, lesion: bool) -> Case:
    """A case whose group it shares with every fifth other."""
    name, kind = f"case_{number:03d}", ("benign", "malignant")[number % 2] if lesion else "normal"
    nowhere = Path("nowhere")
    return Case(name, f"g{number - number % 5 // 4}", kind, "not stated", nowhere, nowhere, "0" * 64, "0" * 64)


def answers(model: Model, given: Sequence[Mask]) -> list[Scored]:
    """What a model's masks are worth; None is a refusal."""
    found = []
    for number, truth in enumerate(given):
        answer = model(number, given)
        told = REFUSED if answer is None else RESULT
        found.append(scored(case(number, lesion=bool(truth.any())), told, truth, answer))
    return found


def good(number: int, given: Sequence[Mask]) -> Mask:
    """The truth without its outermost pixels on one side, by a different amount in each case."""
    shifted = np.roll(given[number], 1 + number % 2, axis=1)
    return np.asarray(given[number] & shifted)


def write_folder(folder: Path, rows: Sequence[tuple[str, str, str, str]], shape: tuple[int, int] = (96, 128)) -> Path:
    """A folder of the rows id, split, group, class; its lesions are dark discs, which the engine of the tests finds."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    lines = ["id,split,group,class_label", *(",".join(row) for row in rows)]
    (folder / "splits.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name, _, _, kind in rows:
        seed = int(hashlib.sha256(name.encode()).hexdigest()[:6], 16)
        draw = np.random.default_rng(seed)
        truth = disc(draw.uniform(35, 60), draw.uniform(40, 85), draw.uniform(10, 25), shape)
        if kind == "normal":
            truth[:] = False
        picture = np.where(truth, 20, 150 + draw.integers(0, 40, shape)).astype(np.uint8)
        (folder / "images" / f"{name}.png").write_bytes(png(picture))
        (folder / "masks" / f"{name}.png").write_bytes(png(truth.astype(np.uint8) * np.uint8(255)))
    return folder
