# SPDX-License-Identifier: Apache-2.0
"""The gate path of drawn releases is the reference's, integer by integer, and closed forms at its ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md.engine.gating import Gating
from radiomicnet_md.engine.reference import gating as reference

pytestmark = pytest.mark.verifies("SRS-ENG-002")
ONE = 1 << 10  # γ, and the logistic, of 1.0


def drawn(seed: int, gates: int = 2) -> tuple[Gating, dict[str, Any]]:
    """A stream of 13, 16 and 8 units and gates of 6 channels, with weights of about 1.0; and its tables as stored."""
    rng = np.random.default_rng(seed)

    def layer(name: str, rows: int, columns: int) -> dict[str, np.ndarray]:
        return {
            f"{name}.weight": rng.integers(-6000, 6000, (rows, columns)).astype(np.int16),
            f"{name}.bias": rng.integers(-(1 << 22), 1 << 22, rows).astype(np.int32),
        }

    tensors = layer("stream.first", 16, 13) | layer("stream.second", 8, 16)
    tensors |= {f"stream.norm.{part}": rng.integers(-6000, 6000, 8).astype(np.int32) for part in ("weight", "bias")}
    for gate in range(gates):
        tensors |= layer(f"gate{gate}.squeeze", 4, 8) | layer(f"gate{gate}.excite", 6, 4)
        tensors[f"gate{gate}.gamma"] = np.array([rng.integers(0, ONE + 1)], dtype=np.int32)
    mean, deviation = rng.normal(size=13), rng.uniform(0.5, 2, 13)
    logistic = np.sort(rng.integers(0, ONE + 1, 2047))
    usual = {"mean": [one.hex() for one in mean.tolist()], "deviation": [one.hex() for one in deviation.tolist()]}
    made = Gating(mean, deviation, tensors, logistic.astype(np.int64), gates)
    return made, {"values": usual, "channel": logistic.tolist()}


@given(st.integers(0, 2**32 - 1), st.lists(st.floats(-6, 6), min_size=13, max_size=13))
def test_the_factors_are_the_references(seed: int, deviations: list[float]) -> None:
    made, tables = drawn(seed)
    values = made.mean + np.array(deviations) * made.deviation
    found = made.factors(made.vector(values))
    expected = reference.factors(values.tolist(), tables, made.tensors, made.gates)
    assert [one.tolist() for one in found] == [one.tolist() for one in expected]
    assert len(found) == 2


def test_a_value_beyond_four_deviations_counts_as_four() -> None:
    made, _ = drawn(3)
    at, beyond, within = (made.vector(made.mean + many * made.deviation) for many in (4.0, 9.0, 3.9))
    assert np.array_equal(at, beyond)
    assert not np.array_equal(at, within)
    below = made.vector(made.mean - 4.0 * made.deviation)
    assert np.array_equal(below, made.vector(made.mean - 9.0 * made.deviation))


def test_a_vector_of_equal_units_is_the_bias_of_the_normalisation() -> None:
    """Nothing is left of units that do not differ: (x − mean) is 0, and 0 / √(0 + ε) is 0."""
    made, _ = drawn(5)
    for name in ("stream.second.weight", "stream.second.bias"):
        made.tensors[name][:] = 0  # type: ignore[index]
    bias = made.tensors["stream.norm.bias"] / (1 << 12)
    assert made.vector(made.mean).tolist() == np.rint(bias * (1 << 10)).astype(int).tolist()


def test_a_unit_below_zero_is_zero_to_the_normalisation() -> None:
    """One unit at 3 (2⁻¹² of 1.0), the others far below: from zero it differs by 3, not by 2."""
    made, _ = drawn(11)
    for name in ("stream.second.weight", "stream.norm.bias"):
        made.tensors[name][:] = 0  # type: ignore[index]
    made.tensors["stream.norm.weight"][:] = 1 << 12  # type: ignore[index]
    made.tensors["stream.second.bias"][:] = -1 << 20  # type: ignore[index]
    made.tensors["stream.second.bias"][0] = 3 << 12  # type: ignore[index]
    x = np.array([3.0] + [0.0] * 7) / (1 << 12)
    expected = np.rint((x - x.mean()) / np.sqrt(x.var() + 1e-5) * ONE).astype(int)
    assert made.vector(made.mean).tolist() == expected.tolist()


@pytest.mark.parametrize(("bias", "alpha"), [(1 << 30, 2046), (-(1 << 30), 0)])
def test_a_code_beyond_the_table_takes_its_end(bias: int, alpha: int) -> None:
    made, _ = drawn(13)
    made.logistic[:] = np.arange(2047) // 2
    for gate in range(made.gates):
        made.tensors[f"gate{gate}.excite.bias"][:] = bias  # type: ignore[index]
        made.tensors[f"gate{gate}.gamma"][:] = ONE  # type: ignore[index]
    found = np.concatenate(made.factors(made.vector(made.mean)))
    assert (found == alpha // 2 * (1 << 12) // ONE).all()


@pytest.mark.parametrize(("gamma", "factor"), [(0, 1.0), (ONE, 0.25), (ONE // 2, 0.625)])
def test_gamma_mixes_the_attention_with_one(gamma: int, factor: float) -> None:
    """γ α + 1 − γ with α = 1/4 everywhere."""
    made, _ = drawn(7)
    made.logistic[:] = ONE // 4
    for gate in range(made.gates):
        made.tensors[f"gate{gate}.gamma"][:] = gamma  # type: ignore[index]
    found = np.concatenate(made.factors(made.vector(made.mean)))
    neutral = np.concatenate(
        Gating(made.mean, made.deviation, made.tensors, np.full(2047, ONE), 2).factors(made.vector(made.mean))
    )
    assert (found == factor * neutral).all()
    assert made.gamma() == (gamma / ONE, gamma / ONE)
