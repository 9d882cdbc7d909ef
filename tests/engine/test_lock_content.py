# SPDX-License-Identifier: Apache-2.0
"""A right signature over wrong parts: bounds, known answers or the parts themselves refuse, with a named error."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from radiomicnet_md.engine.release import Release, default_folder, open_release
from radiomicnet_md.engine.segment import ANSWERS, TABLES, WEIGHTS
from radiomicnet_md.engine.starting import started
from radiomicnet_md.errors import ExitCode, Problem

Arrays = dict[str, Any]
Change = Callable[[Arrays], object]


@pytest.fixture(scope="module")
def shipped() -> Release:
    """The release in the package, with one known answer alone: the rest would repeat it."""
    release = open_release(default_folder())
    answers = json.loads(release.files[ANSWERS])
    one = {"noise": answers["noise"]}
    return replace(release, files={**release.files, ANSWERS: json.dumps(one).encode()})


def weights(release: Release, change: Change) -> Release:
    """The release with other tensors, as a manufacturer with the right key could sign it."""
    tensors = dict(load(release.files[WEIGHTS]))
    change(tensors)
    return replace(release, files={**release.files, WEIGHTS: save(tensors)})


def swap(tensors: Arrays) -> None:
    """Two multipliers of one shape change places."""
    shape = tensors["stem.scale"].shape
    other = next(
        n for n, t in sorted(tensors.items()) if n.endswith(".scale") and t.shape == shape and n != "stem.scale"
    )
    tensors["stem.scale"], tensors[other] = tensors[other], tensors["stem.scale"]


def raised(tensors: Arrays) -> None:
    tensors["stem.bias"] = tensors["stem.bias"].copy()
    tensors["stem.bias"][0] = 1 << 24


def not_a_number(tensors: Arrays) -> None:
    tensors["stem.scale"] = np.full_like(tensors["stem.scale"], np.nan)


def widened(tensors: Arrays) -> None:
    tensors["head.weight"] = np.concatenate([tensors["head.weight"]] * 2, 1)


@pytest.mark.verifies("SRS-REL-004", "SRS-ENG-003")
@pytest.mark.parametrize(
    ("change", "codes", "exit_code"),
    [
        (swap, {"E-KAT"}, ExitCode.NOT_QUALIFIED),
        (raised, {"E-BOUND"}, ExitCode.INTEGRITY),
        (not_a_number, {"E-KAT", "E-RELEASE-CONTENT"}, None),
        (lambda tensors: tensors.pop("stem.bias"), {"E-RELEASE-CONTENT"}, ExitCode.INTEGRITY),
        (widened, {"E-BOUND"}, ExitCode.INTEGRITY),
    ],
    ids=["swapped", "bound", "nan", "missing", "shape"],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_changed_tensors_never_start(
    shipped: Release, change: Change, codes: set[str], exit_code: ExitCode | None
) -> None:
    with pytest.raises(Problem) as caught:
        started(weights(shipped, change))
    assert caught.value.code in codes
    assert caught.value.exit_code in ({exit_code} if exit_code else {ExitCode.INTEGRITY, ExitCode.NOT_QUALIFIED})
    assert caught.value.remedy


@pytest.mark.verifies("SRS-REL-004")
@pytest.mark.parametrize(
    ("name", "content"),
    [(TABLES, b"{}"), (TABLES, b"[]"), (TABLES, b"no json"), (WEIGHTS, b""), (ANSWERS, b'{"absent": {}}')],
)
def test_files_that_do_not_fit_together_are_refused_by_name(shipped: Release, name: str, content: bytes) -> None:
    with pytest.raises(Problem) as caught:
        started(replace(shipped, files={**shipped.files, name: content}))
    assert (caught.value.code, caught.value.exit_code) == ("E-RELEASE-CONTENT", ExitCode.INTEGRITY)
