# SPDX-License-Identifier: Apache-2.0
"""The metrics' empty-mask policy, closed forms on squares, discs and cubes, laws, and two other libraries."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from radiomicnet_md_validation import metrics
from radiomicnet_md_validation.metrics import Scores, border, border_distances, dice, hd95, iou, nsd, score
from radiomicnet_md_validation.statistics import bca
from tests.strategies import grey_levels

EMPTY, FULL = np.zeros((4, 5), dtype=np.uint8), np.ones((4, 5), dtype=np.uint8)
ROWS, COLUMNS = np.mgrid[:200, :200]


def square(at: int, side: int, down: int = 10) -> np.ndarray:
    made = np.zeros((80, 80), dtype=bool)
    made[down : down + side, at : at + side] = True
    return made


def disc(radius: float, column: float = 100) -> np.ndarray:
    return (ROWS - 100) ** 2 + (COLUMNS - column) ** 2 <= radius**2


def pair(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two masks of one shape from levels 0 … 3."""
    return (image & 1).astype(bool), (image & 2).astype(bool)


# ------------------------------------------------------------------------------------------ misses count


@pytest.mark.verifies("SRS-MOD-004")
@pytest.mark.parametrize("name", ["dice", "iou", "precision", "recall", "nsd"])
@pytest.mark.verifies("SRS-MOD-004", rc=("RC-021",))
def test_the_empty_mask_policy(name: str) -> None:
    metric = getattr(metrics, name)
    assert metric(EMPTY, EMPTY) == 1.0
    assert metric(EMPTY, FULL) == 0.0, "a miss is the worst value"
    assert metric(FULL, EMPTY) == 0.0, "a false region is the worst value"
    assert metric(FULL, 255 * FULL) == 1.0
    with pytest.raises(ValueError, match="differ in shape"):
        metric(EMPTY, EMPTY.T)
    with pytest.raises(ValueError, match="threshold"):
        metric(EMPTY, FULL * 0.3)


@pytest.mark.verifies("SRS-MOD-004")
@pytest.mark.verifies("SRS-MOD-004", rc=("RC-021",))
def test_a_distance_that_does_not_exist_is_the_diagonal_of_the_image() -> None:
    assert hd95(EMPTY, EMPTY) == 0.0
    assert hd95(EMPTY, FULL) == hd95(FULL, EMPTY) == pytest.approx(math.hypot(4, 5))
    assert hd95(EMPTY, FULL, (0.5, 2.0)) == pytest.approx(math.hypot(2, 10))
    corners = EMPTY.copy(), EMPTY.copy()
    corners[0][0, 0] = corners[1][-1, -1] = 1
    assert hd95(*corners) < hd95(EMPTY, FULL), "no answer inside the image is as bad as none"


@pytest.mark.verifies("SRS-MOD-004")
def test_a_missed_lesion_is_never_dropped_from_a_mean() -> None:
    truth, nothing = square(10, 20), np.zeros((80, 80), dtype=bool)
    cases = [(truth, truth)] * 6 + [(nothing, truth)] * 2 + [(truth, nothing)] + [(nothing, nothing)]
    scores = [score(prediction, wanted) for prediction, wanted in cases]
    for field in dataclasses.fields(Scores):
        values = [getattr(one, field.name) for one in scores]
        assert np.isfinite(values).all()
        worst = math.hypot(80, 80) if field.name == "hd95" else 0.0
        best = 0.0 if field.name == "hd95" else 1.0
        answer = bca(values)
        assert answer.n == len(cases)
        assert answer.point == pytest.approx((7 * best + 3 * worst) / 10)
    with pytest.raises(ValueError, match="never left out"):
        bca([*values, math.nan])


@pytest.mark.verifies("SRS-MOD-004")
@given(grey_levels(4))
def test_all_scores_are_finite_and_in_range(image: np.ndarray) -> None:
    got = score(*pair(image))
    assert all(math.isfinite(value) for value in dataclasses.astuple(got))
    assert all(0 <= value <= 1 for value in dataclasses.astuple(got)[:-1])
    assert 0 <= got.hd95 <= math.hypot(*image.shape)
    assert (got.hd95 == pytest.approx(math.hypot(*image.shape))) == (pair(image)[0].any() != pair(image)[1].any())


# ------------------------------------------------------------------------------------------ closed forms


@pytest.mark.verifies("SRS-MOD-006")
def test_overlap_of_shifted_rectangles() -> None:
    left = np.zeros((4, 8), dtype=bool)
    right = left.copy()
    left[:, :4], right[:, 2:6] = True, True
    assert dice(left, right) == 0.5
    assert iou(left, right) == pytest.approx(1 / 3)
    assert metrics.precision(left, FULL[:, :4].repeat(2, axis=1)) == 1.0
    assert metrics.recall(left, FULL[:, :4].repeat(2, axis=1)) == 0.5


@pytest.mark.verifies("SRS-MOD-006")
@pytest.mark.parametrize(("n", "k"), [(20, 3), (12, 1), (31, 8)])
def test_a_square_shifted_along_one_side(n: int, k: int) -> None:
    """Of 4(n − 1) elements 2(n − k) stay on the border; n on the far side and n − 2k on the near one move by k."""
    first, second = square(10, n), square(10 + k, n)
    elements = 4 * (n - 1)
    assert dice(first, second) == pytest.approx((n - k) / n)
    assert iou(first, second) == pytest.approx((n - k) / (n + k))
    assert hd95(first, second) == k
    assert nsd(first, second, tolerance=0) == pytest.approx(2 * (n - k) / elements)
    assert nsd(first, second, tolerance=k - 0.01) == pytest.approx(1 - (2 * n - 2 * k) / elements)
    assert nsd(first, second, tolerance=k) == 1.0


@pytest.mark.verifies("SRS-MOD-006")
@pytest.mark.parametrize(("n", "k", "far"), [(40, 1, 1), (4, 1, math.sqrt(2)), (50, 5, None)])
def test_a_square_in_a_square(n: int, k: int, far: float | None) -> None:
    """The inner border is k away everywhere; of the outer one the 4n elements opposite a side, the corners farther."""
    inner, outer = square(10 + k, n, 10 + k), square(10, n + 2 * k)
    reached = (4 * (n - 1) + 4 * n) / (4 * (n - 1) + 4 * (n + 2 * k - 1))
    assert nsd(inner, outer, tolerance=k) == pytest.approx(reached)
    assert nsd(inner, outer, tolerance=k - 0.01) == 0
    assert nsd(inner, outer, tolerance=k * math.sqrt(2)) == 1
    assert np.max(border_distances(outer, inner)[0]) == pytest.approx(k * math.sqrt(2))
    if far is not None:  # less than one element in twenty is a corner, or more
        assert hd95(inner, outer) == pytest.approx(far)


@pytest.mark.verifies("SRS-MOD-006")
def test_an_element_counts_once_whatever_length_of_outline_it_stands_for() -> None:
    assert np.count_nonzero(border(square(10, 21))) == 4 * 20
    diamond = abs(ROWS - 100) + abs(COLUMNS - 100) <= 50
    assert np.count_nonzero(border(diamond)) == 4 * 50, "though its outline is √2 times as long"
    assert np.count_nonzero(border(disc(80))) == pytest.approx(4 * math.sqrt(2) * 80, rel=0.01), "not 2π · 80"
    assert np.count_nonzero(border(np.ones((7, 7, 7), dtype=bool))) == 7**3 - 5**3


@pytest.mark.verifies("SRS-MOD-006")
def test_discs() -> None:
    """Radii r and R about one centre; and radius r shifted by s, whose overlap is a lens. To a pixel of raster."""
    small, large = disc(60), disc(80)
    assert dice(small, large) == pytest.approx(2 * 60**2 / (60**2 + 80**2), abs=0.002)
    assert hd95(small, large) == pytest.approx(20, abs=0.75)
    assert nsd(small, large, tolerance=21) == 1
    assert nsd(small, large, tolerance=19) == 0
    r, s = 60, 24
    lens = 2 * r**2 * math.acos(s / (2 * r)) - s / 2 * math.sqrt(4 * r**2 - s**2)
    area = math.pi * r**2
    moved = disc(r, 100 + s)
    assert dice(small, moved) == pytest.approx(lens / area, abs=0.002)
    assert iou(small, moved) == pytest.approx(lens / (2 * area - lens), abs=0.002)
    assert nsd(small, moved, tolerance=s + 0.75) == 1
    # A point at angle φ is |√(r² + s² − 2rs cos φ) − r| from the moved circle; one in twenty is farther than this.
    away = np.abs(np.sqrt(r**2 + s**2 - 2 * r * s * np.cos(np.linspace(0, 2 * np.pi, 100_000))) - r)
    assert hd95(small, moved) == pytest.approx(np.percentile(away, 95), abs=0.75)


@pytest.mark.verifies("SRS-MOD-006")
def test_a_cube_and_steps_of_another_length() -> None:
    first, second = np.zeros((12, 20, 20), dtype=bool), np.zeros((12, 20, 20), dtype=bool)
    first[2:10, 2:10, 2:10] = True
    second[4:12, 2:10, 2:10] = True
    got = score(first, second, (1.5, 0.5, 0.5), 3.0)
    assert (got.dice, got.hd95, got.nsd) == (0.75, 3.0, 1.0)
    assert nsd(first, second, (1.5, 0.5, 0.5), 2.9) < 1
    assert nsd(square(10, 20), square(13, 20), 0.1, 0.3) == 1.0, "three steps of 0.1 are within 0.3"
    for wrong in (0.0, -1.0, math.nan, math.inf, (1.0, 1.0)):
        with pytest.raises(ValueError, match="spacing"):
            hd95(first, second, wrong)
    with pytest.raises(ValueError, match="tolerance"):
        nsd(first, second, 1.0, math.nan)


# ------------------------------------------------------------------------------------------ laws


@pytest.mark.verifies("SRS-MOD-006")
@given(grey_levels(4), st.floats(0, 12), st.floats(0, 12))
def test_laws(image: np.ndarray, near: float, far: float) -> None:
    p, t = pair(image)
    forth, back, same = score(p, t), score(t, p), score(p, p)
    assert forth == dataclasses.replace(back, precision=back.recall, recall=back.precision)
    assert same == Scores(1, 1, 1, 1, 1, 0)
    assert forth.iou <= forth.dice
    assert forth.dice == pytest.approx(2 * forth.iou / (1 + forth.iou))
    assert min(forth.precision, forth.recall) <= forth.dice <= max(forth.precision, forth.recall)
    near, far = sorted((near, far))
    assert nsd(p, t, tolerance=near) <= nsd(p, t, tolerance=far)
    assert score(p.T, t.T) == forth
    assert (nsd(p, t), hd95(p, t)) == (forth.nsd, forth.hd95)


@pytest.mark.verifies("SRS-MOD-006")
@given(grey_levels(4), st.integers(0, 3), st.integers(0, 3))
def test_padding_changes_nothing_but_the_price_of_a_miss(image: np.ndarray, before: int, after: int) -> None:
    p, t = pair(image)
    plain, padded = score(p, t), score(np.pad(p, (before, after)), np.pad(t, (before, after)))
    if p.any() == t.any():
        assert padded == plain
    else:
        assert dataclasses.replace(padded, hd95=plain.hd95) == plain
        assert padded.hd95 >= plain.hd95


@pytest.mark.verifies("SRS-MOD-006")
@given(grey_levels(4), st.sampled_from([(1.0, 1.0), (0.5, 2.0)]))
def test_border_and_distances_as_defined(image: np.ndarray, spacing: tuple[float, float]) -> None:
    """Against the definitions, pixel by pixel and pair by pair."""
    p, t = pair(image)
    places = []
    for mask in (p, t):
        padded = np.pad(mask, 1)
        expected = [
            (r, c)
            for r, c in itertools.product(*map(range, mask.shape))
            if mask[r, c] and not all((padded[r, c + 1], padded[r + 2, c + 1], padded[r + 1, c], padded[r + 1, c + 2]))
        ]
        assert np.argwhere(border(mask)).tolist() == [list(place) for place in expected]
        places.append(np.array(expected, dtype=float).reshape(-1, 2) * spacing)
    there, back = border_distances(p, t, spacing)
    if p.any() and t.any():
        apart = cdist(*places)
        np.testing.assert_allclose(there, apart.min(axis=1))
        np.testing.assert_allclose(back, apart.min(axis=0))
        worst = max(np.percentile(there, 95), np.percentile(back, 95))
        assert hd95(p, t, spacing) == pytest.approx(worst)
    else:
        assert there.size == back.size == 0


# ------------------------------------------------------------------------------------------ other libraries


def masks_of_all_kinds() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(4)
    noise = [(rng.random((30, 40)) < 0.4, rng.random((30, 40)) < 0.6) for _ in range(5)]
    volume = (rng.random((6, 12, 10)) < 0.3, rng.random((6, 12, 10)) < 0.3)
    return [(disc(60), disc(50, 120)), (square(10, 20), square(40, 9)), *noise, volume]


@pytest.mark.verifies("SRS-MOD-006")
def test_agrees_with_simpleitk() -> None:
    for p, t in masks_of_all_kinds():
        overlap = sitk.LabelOverlapMeasuresImageFilter()
        overlap.Execute(*(sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in (p, t)))  # the second is the truth
        assert dice(p, t) == pytest.approx(overlap.GetDiceCoefficient(), abs=1e-12)
        assert iou(p, t) == pytest.approx(overlap.GetJaccardCoefficient(), abs=1e-12)
        assert metrics.recall(p, t) == pytest.approx(1 - overlap.GetFalseNegativeError(), abs=1e-12)
        assert metrics.precision(p, t) == pytest.approx(1 - overlap.GetFalseDiscoveryRate(), abs=1e-12)

        spacing = (1.5, 0.5, 0.7)[: p.ndim]
        images = [sitk.GetImageFromArray(border(mask).astype(np.uint8)) for mask in (p, t)]
        for image in images:
            image.SetSpacing(spacing[::-1])
        hausdorff = sitk.HausdorffDistanceImageFilter()
        hausdorff.Execute(*images)
        there, back = border_distances(p, t, spacing)
        assert max(there.max(), back.max()) == pytest.approx(hausdorff.GetHausdorffDistance(), rel=1e-6, abs=1e-6)


@pytest.mark.verifies("SRS-MOD-006")
def test_agrees_with_scikit_learn() -> None:
    judge = pytest.importorskip("sklearn.metrics", reason="absent: scikit-learn")
    for p, t in masks_of_all_kinds():
        flat = t.ravel(), p.ravel()
        assert dice(p, t) == pytest.approx(judge.f1_score(*flat))
        assert iou(p, t) == pytest.approx(judge.jaccard_score(*flat))
        assert metrics.precision(p, t) == pytest.approx(judge.precision_score(*flat, zero_division=0))
        assert metrics.recall(p, t) == pytest.approx(judge.recall_score(*flat))
