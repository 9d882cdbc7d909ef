# SPDX-License-Identifier: Apache-2.0
"""Calibration against closed forms and scikit-learn; images stream; nothing that is not there gets a value."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.special import expit, logit

from radiomicnet_md_validation.calibration import LIMITS, Bin, Pool, band, ece, temperature
from radiomicnet_md_validation.metrics import border
from tests.strategies import grey_levels

pytestmark = pytest.mark.verifies("SRS-MOD-007")


def drawn(n: int, seed: int = 0, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are ``scale`` times too sure, and truth drawn from what they should be."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-1, 2, n)
    return scale * z, rng.random(n) < expit(z)


def pooled(p: np.ndarray, y: np.ndarray, bins: int = 15) -> Pool:
    pool = Pool(bins)
    pool.add(p, y)
    return pool


def columns(rows: tuple[Bin, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = np.array([(row.count, row.probability, row.frequency) for row in rows])
    return table[:, 0], table[:, 1], table[:, 2]


# ------------------------------------------------------------------------------------------ reliability


def test_closed_forms() -> None:
    right = pooled(np.full(10, 0.3), np.arange(10) < 3)
    assert right.equal_width() == (Bin(4 / 15, 5 / 15, 10, pytest.approx(0.3), 0.3),)
    assert ece(right.equal_width()) == pytest.approx(0, abs=1e-12)
    assert ece(right.equal_mass()) == pytest.approx(0, abs=1e-12)
    sure = pooled(np.full(10, 0.9), np.arange(10) < 5)
    assert ece(sure.equal_width()) == ece(sure.equal_mass()) == pytest.approx(0.4)
    edges = pooled(np.array([0.25, 0.5, 0.75]), np.array([0, 1, 1]), 4)
    assert [row.high for row in edges.equal_width()] == [0.25, 0.5, 0.75], "an edge belongs to the bin below it"
    ends = pooled(np.array([0.0, 1.0, 1.0]), np.array([1, 1, 0]))
    assert [row.count for row in ends.equal_width()] == [1, 2]
    assert ece(ends.equal_width()) == pytest.approx(1 / 3 + 2 / 3 / 2)


def test_folding_hides_what_the_probability_shows() -> None:
    """Too much lesion predicted at both ends: of 0.9 eight in ten come true, of 0.1 none."""
    p = np.repeat([0.9, 0.1], 10)
    y = np.arange(20) < 8
    assert ece(pooled(p, y).equal_width()) == pytest.approx(0.1)
    assert ece(pooled(np.maximum(p, 1 - p), (p > 0.5) == y).equal_width()) == pytest.approx(0, abs=1e-12)


@given(st.lists(st.tuples(st.integers(1, 199).filter(lambda k: k % 10), st.booleans()), min_size=1, max_size=60))
def test_laws(pixels: list[tuple[int, bool]]) -> None:
    p, y = np.array([k / 200 for k, _ in pixels]), np.array([lesion for _, lesion in pixels])
    pool = pooled(p, y, 20)
    for rows in (pool.equal_width(), pool.equal_mass()):
        assert 0 <= ece(rows) <= 1
        assert sum(row.count for row in rows) == len(pixels)
        assert ece(rows) >= abs(p.mean() - y.mean()) - 1e-12
        assert all(row.low - 1e-12 <= row.probability <= row.high + 1e-12 for row in rows)
        assert all(one.high <= other.low for one, other in itertools.pairwise(rows))
    folded = ece(pooled(np.maximum(p, 1 - p), (p > 0.5) == y, 20).equal_width())
    assert folded <= ece(pool.equal_width()) + 1e-12


def test_images_stream() -> None:
    z, y = drawn(3000)
    p = expit(z).astype(np.float32).reshape(10, 15, 20)
    whole, one_by_one = Pool(), Pool()
    whole.add(p, y.reshape(p.shape))
    for image, truth in zip(p, y.reshape(p.shape), strict=True):
        one_by_one.add(image, truth.astype(np.uint8))
    for rows, streamed in (
        (whole.equal_width(), one_by_one.equal_width()),
        (whole.equal_mass(), one_by_one.equal_mass()),
    ):
        np.testing.assert_allclose(columns(rows), columns(streamed), rtol=1e-12)


def test_equal_mass_bins_hold_equal_shares() -> None:
    """One pixel a fine bin: the table is that of the sorted values, cut in equal parts."""
    p = expit(np.arange(-75, 75) / 32 - 0.01)
    y = np.random.default_rng(1).permutation(np.arange(150) < 40)
    shuffled = np.random.default_rng(2).permutation(150)
    count, probability, frequency = columns(pooled(p[shuffled], y[shuffled]).equal_mass())
    assert (count == 10).all()
    np.testing.assert_allclose(probability, p.reshape(15, 10).mean(axis=1))
    np.testing.assert_allclose(frequency, y.reshape(15, 10).mean(axis=1))
    unequal = pooled(np.repeat([0.2, 0.5, 0.8], [4, 3, 3]), np.zeros(10, dtype=bool), 2)
    assert [row.count for row in unequal.equal_mass()] == [4, 6], "a fine bin goes where its middle lies"
    middle = pooled(np.repeat([0.2, 0.5, 0.8], [2, 5, 3]), np.zeros(10, dtype=bool), 2)
    assert [row.count for row in middle.equal_mass()] == [7, 3], "four and a half of ten lie below it"


@pytest.mark.parametrize("last", [0.0, 1.0])
def test_a_probability_beyond_the_fine_bins_has_one_of_its_own(last: float) -> None:
    """0 and 1 lie beyond a logit of −16 and 16, where the fine bins of 1/32 end; the table goes from 0 to 1."""
    near = expit(np.array([-15.99, 15.99]))[round(last)]
    rows = pooled(np.repeat([near, last], 5), np.zeros(10, dtype=bool), 2).equal_mass()
    assert sorted((row.count, row.probability) for row in rows) == [(5, pytest.approx(p)) for p in sorted([near, last])]
    middle, end = (expit(-16), expit(-16 + 1 / 32)) if last == 0 else (expit(16), 1.0)
    assert rows[0].low == 0.0
    assert rows[0].high == rows[1].low == pytest.approx(middle, rel=1e-9)
    assert rows[1].high == pytest.approx(end, rel=1e-9)


def test_a_probability_that_most_pixels_share_is_not_split() -> None:
    p = np.concatenate([np.zeros(900), expit(np.linspace(-3, 3, 100))])
    rows = pooled(p, np.arange(1000) >= 950).equal_mass()
    assert rows[0].count == 900
    assert rows[0].probability == 0
    assert len(rows) < 15
    assert ece(rows) <= 1


def test_agrees_with_scikit_learn() -> None:
    judge = pytest.importorskip("sklearn.calibration", reason="absent: scikit-learn")
    z, y = drawn(20_000)
    p = expit(1.5 * z)
    frequency, probability = judge.calibration_curve(y, p, n_bins=15, strategy="uniform")
    _, ours, seen = columns(pooled(p, y).equal_width())
    np.testing.assert_allclose((ours, seen), (probability, frequency), rtol=1e-12)
    frequency, probability = judge.calibration_curve(y, p, n_bins=15, strategy="quantile")
    count, ours, seen = columns(pooled(p, y).equal_mass())
    assert np.abs(count - 20_000 / 15).max() < 250, "as equal as the fine bins allow"
    np.testing.assert_allclose(ours, probability, atol=0.01)
    np.testing.assert_allclose(seen, frequency, atol=0.03)


def test_what_is_not_there_has_no_value() -> None:
    assert Pool().equal_width() == Pool().equal_mass() == ()
    with pytest.raises(ValueError, match="no pixel"):
        ece(Pool().equal_width())
    with pytest.raises(ValueError, match="no pixel"):
        temperature([])
    for p, y, reason in (
        ([0.2, math.nan], [0, 1], "not finite"),
        ([0.2, 1.1], [0, 1], "outside"),
        ([0.2, 0.4], [0], "shape"),
        ([0.2, 0.4], [0.0, 1.0], "threshold"),
    ):
        with pytest.raises(ValueError, match=reason):
            Pool().add(np.array(p), np.array(y))


# ------------------------------------------------------------------------------------------ the band


@pytest.mark.parametrize(("n", "k"), [(20, 3), (30, 5), (9, 5)])
def test_the_band_of_a_square(n: int, k: int) -> None:
    """Inside k + 1 rings, outside k rows on each side and the lattice points of a quarter disc at each corner."""
    truth = np.zeros((60, 60), dtype=bool)
    truth[15 : 15 + n, 15 : 15 + n] = True
    corner = sum(i**2 + j**2 <= k**2 for i in range(1, k + 1) for j in range(1, k + 1))
    got = band(truth, k)
    assert np.count_nonzero(got & truth) == n**2 - max(n - 2 * (k + 1), 0) ** 2
    assert np.count_nonzero(got & ~truth) == 4 * n * k + 4 * corner


@given(grey_levels(2), st.integers(0, 3))
def test_the_band_as_defined(mask: np.ndarray, width: int) -> None:
    edge = np.argwhere(border(mask))
    got = band(mask, width)
    if not mask.any():
        assert not got.any()
    else:
        near = cdist(np.argwhere(np.ones(mask.shape)), edge).min(axis=1) <= width
        assert (got.ravel() == near).all()


def test_an_error_at_the_border_shows_in_the_band_alone() -> None:
    truth = np.zeros((192, 192), dtype=bool)
    truth[80:110, 80:110] = True
    p = np.where(truth, 0.999, 0.001)
    near = band(truth, 2)
    p[near] = 0.9
    assert ece(pooled(p, truth).equal_width()) < 0.02
    assert ece(pooled(p[near], truth[near]).equal_width()) > 0.25


# ------------------------------------------------------------------------------------------ temperature


@pytest.mark.parametrize(("a", "right"), [(4.0, 0.8), (0.5, 0.9), (2.0, 0.6), (0.083, 0.8)])
def test_temperature_closed_form(a: float, right: float) -> None:
    """All logits ±a, a share f of them right: σ(a / T) = f."""
    z, hits = np.where(np.arange(100) % 2, a, -a), np.arange(100) < round(100 * right)
    got = temperature([(z, (z > 0) == hits)])
    assert got.value == pytest.approx(a / logit(right), rel=1e-6)
    assert got.after == pytest.approx(-right * math.log(right) - (1 - right) * math.log(1 - right))
    assert got.before == pytest.approx(-right * math.log(expit(a)) - (1 - right) * math.log(expit(-a)))
    assert (got.pixels, got.at_limit) == (100, False)


def test_temperature_finds_the_scale_and_lowers_the_error() -> None:
    z, y = drawn(50_000, scale=3.0)
    image = z.reshape(50, 1000), y.reshape(50, 1000)
    got = temperature(list(zip(*image, strict=True)))
    assert got.value == pytest.approx(3, rel=0.05)
    assert got.value == pytest.approx(temperature([(z, y)]).value, rel=1e-6), "how pixels are parted does not matter"
    assert temperature([(2 * z, y)]).value == pytest.approx(2 * got.value, rel=1e-6)
    assert got.after < got.before
    before, after = (ece(pooled(expit(z / t), y).equal_width()) for t in (1.0, got.value))
    assert after < 0.01
    assert before > 0.08


def test_temperature_is_scikit_learns_slope() -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="absent: scikit-learn")
    z, y = drawn(4000, scale=0.6)
    fitted = linear.LogisticRegression(fit_intercept=False, C=np.inf, tol=1e-10, max_iter=1000).fit(z[:, None], y)
    assert temperature([(z, y)]).value == pytest.approx(1 / fitted.coef_[0, 0], rel=1e-4)


def test_a_temperature_without_a_minimum_is_a_limit_and_says_so() -> None:
    z = np.array([-3.0, -1.0, 1.0, 2.0])
    never_wrong, always_wrong = temperature([(z, z > 0)]), temperature([(z, z < 0)])
    assert (never_wrong.value, never_wrong.at_limit) == (LIMITS[0], True)
    assert (always_wrong.value, always_wrong.at_limit) == (LIMITS[1], True)
    assert always_wrong.after < always_wrong.before
    beyond = temperature([(np.where(np.arange(10) % 2, 8.6, -8.6), np.arange(10) % 2 == (np.arange(10) < 6))])
    assert (beyond.value, beyond.at_limit) == (LIMITS[1], True), "six of ten right: 8.6 / 0.405 = 21.2"
    nothing_said = temperature([(np.zeros(4), z > 0)])
    assert (nothing_said.value, nothing_said.at_limit) == (LIMITS[0], True), "the loss is the same at every temperature"
