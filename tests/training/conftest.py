# SPDX-License-Identifier: Apache-2.0
"""Shared by the tests of the training harness: phantoms in the data layout, made once, and the smallest recipes.

The table of the phantoms names a case of the test split and a quarantined one. Neither has a file, so whatever opens
them fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor, nn

from radiomicnet_md import phantom
from radiomicnet_md.engine import resample
from radiomicnet_md.engine.measure import Preprocessing
from radiomicnet_md.engine.release import default_folder, open_release
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.model.network import Answer
from radiomicnet_md_training import dataset, harness, networks, recipe
from radiomicnet_md_training.faithfulness.look import Case, Seen, look
from radiomicnet_md_training.prepare import Prepared, prepare
from tests.training.twins import answered

RECIPES = Path(__file__).resolve().parents[2] / "training" / "recipes"
CASES = 9
PART = 6  # the first cases are trained on, the others held out
HEAD = "id,split,group,class_label\n"


class Small(nn.Module):
    """About a hundred parameters, and all that a checkpoint must carry: buffers, dropout, a depthwise layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.dropout = nn.Dropout2d(0.3)
        self.last = nn.Conv2d(4, 1, 1)

    def forward(self, image: Tensor, values: Tensor, codes: Tensor) -> Answer:  # noqa: ARG002 - one call for all
        return Answer(self.last(self.dropout(self.depthwise(self.norm(self.first(image[:, :1]))).relu())), None)


def _lay_out(at: Path, rows: str, names: tuple[str, ...] = (), head: str = HEAD) -> Path:
    for kind in ("images", "masks"):
        (at / kind).mkdir(parents=True)
    (at / "splits.csv").write_text(head + rows)
    for seed, name in enumerate(names):
        made = phantom.make(seed, 96, 128, lesion=seed % 3 != 2)
        sitk.WriteImage(sitk.GetImageFromArray(made.pixels), str(at / "images" / f"{name}.png"))
        sitk.WriteImage(sitk.GetImageFromArray(made.truth), str(at / "masks" / f"{name}.png"))
    return at


@pytest.fixture(scope="session")
def lay_out() -> Callable[..., Path]:
    """``lay_out(at, rows, names)`` is a data folder with these rows in its table and a phantom for each name."""
    return _lay_out


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine cases of 96 × 128 pixels in pairs of duplicates, every third without a lesion."""
    names = tuple(f"p{seed}" for seed in range(CASES))
    rows = [f"{name},{'val' if seed == CASES - 1 else 'train'},g{seed // 2},x" for seed, name in enumerate(names)]
    rows += ["closed,test,g9,x", "doubtful,quarantine,g0,x"]
    return _lay_out(tmp_path_factory.mktemp("phantoms") / "data", "\n".join(rows) + "\n", names)


@pytest.fixture(scope="session")
def prepared(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The phantoms, measured; the first :data:`PART` are the training part."""
    data = dataset.load(phantoms, tmp_path_factory.mktemp("prepared"))
    return prepare(data, np.arange(PART), recipe.read(RECIPES / "locked.yaml")[0].measuring)


@pytest.fixture(scope="session")
def write_recipe(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``write_recipe(kind, optimiser={…}, …)`` is the file of a recipe that ends within seconds."""

    def write(kind: str, optimiser: dict[str, Any] | None = None, **changes: object) -> Path:
        values: dict[str, Any] = {
            "base": str(RECIPES / "locked.yaml"),
            "name": "short",
            "network": {"kind": kind, "start": None},
            "optimiser": {"epochs": 1, "batch": 3, "average": 0.5} | (optimiser or {}),
            "folds": {"count": 3, "seeds": [1]},
            "region": None,
        }
        file = tmp_path_factory.mktemp("recipe") / "short.yaml"
        file.write_text(yaml.safe_dump(values | changes))
        return file

    return write


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a network that trains in no time."""
    monkeypatch.setitem(networks.BASELINES, "small", Small)
    return "small"


@pytest.fixture(scope="session")
def kept() -> dict[tuple[object, ...], Prepared]:
    """What :func:`measured_once` keeps."""
    return {}


@pytest.fixture
def measured_once(kept: dict[tuple[object, ...], Prepared], monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring takes longer than the trainings of these tests: rows of the same data and part share it."""

    def once(data: dataset.Dataset, part: NDArray[np.int64], preprocessing: Preprocessing) -> Prepared:
        key = (*data.digests, part.tobytes(), preprocessing)
        if key not in kept:
            kept[key] = prepare(data, part, preprocessing)
        return kept[key]

    monkeypatch.setattr(harness, "prepare", once)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums of floats depend on how many threads share them; so does how long a small one takes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The shipped release's."""
    return Engine.load(open_release(default_folder()))


@pytest.fixture(scope="session")
def lesion(engine: Engine) -> Case:
    """A phantom with a lesion, of which the device chooses one region."""
    return answered(engine)


@pytest.fixture(scope="session")
def seen(engine: Engine, lesion: Case) -> Seen:
    """What the device sees in it."""
    return look(engine, lesion.grey)


@pytest.fixture(scope="session")
def truth(lesion: Case, seen: Seen) -> np.ndarray:
    """The lesion on the working grid."""
    return resample.shrink(lesion.truth * np.uint8(255), *seen.mask.shape) > 127
