# SPDX-License-Identifier: Apache-2.0
"""The baselines are the published networks, see grey alone, and are trained and costed by what serves the presets."""

from __future__ import annotations

import math
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import networks_cost
from benchmarks.networks import BASELINES, unet
from benchmarks.networks.u_kan import EdgeFunctions, splines
from radiomicnet_md.model.network import Answer, parameters
from radiomicnet_md_training import networks as harness

pytestmark = pytest.mark.verifies("SRS-MOD-009")
SIDE = 64


@pytest.fixture(scope="module", params=BASELINES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return BASELINES[name].build()


@pytest.fixture
def inputs() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(2, 2, SIDE, SIDE, generator=generator)
    values = torch.randn(2, 13, generator=generator)
    return [image, values, torch.randint(0, 64, (2, 32, SIDE // 2, SIDE // 2), generator=generator, dtype=torch.uint8)]


def test_a_baseline_has_the_published_number_of_parameters(name: str, network: nn.Module) -> None:
    assert parameters(network) / 1e6 == pytest.approx(BASELINES[name].published, rel=0.005)


def test_a_baseline_answers_each_pixel_and_all_of_it_learns(network: nn.Module, inputs: list[Tensor]) -> None:
    answer = network.train()(*inputs)
    assert isinstance(answer, Answer)
    assert answer.evidence.shape == (2, 1, SIDE, SIDE)
    assert answer.rest is None
    functional.binary_cross_entropy_with_logits(answer.evidence, (inputs[0][:, :1] > 0.5).float()).backward()
    unreached = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached
    assert all(p.grad.isfinite().all() for p in network.parameters())
    network.zero_grad()


def test_a_baseline_sees_grey_alone(network: nn.Module, inputs: list[Tensor]) -> None:
    image, values, codes = inputs
    network.eval()
    with torch.inference_mode():
        before = network(image, values, codes).evidence
        deeper = torch.cat([image[:, :1], 1 - image[:, 1:]], 1)
        assert torch.equal(before, network(deeper, values + 1, 63 - codes).evidence)
        assert not torch.equal(before, network(torch.cat([1 - image[:, :1], image[:, 1:]], 1), values, codes).evidence)


def test_the_training_program_knows_every_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "BASELINES", {})
    monkeypatch.setattr(sys, "argv", ["networks", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("benchmarks.networks", run_name="__main__")
    assert ended.value.code == 0
    assert set(harness.BASELINES) == set(BASELINES)
    assert isinstance(harness.BASELINES["unet"](), unet.UNet)


def test_splines_are_those_of_the_cubic_basis_on_evenly_spaced_knots() -> None:
    x = np.linspace(-3, 3, 601)
    knots = -1 + 0.4 * np.arange(-3, 9)
    expected = [BSpline.basis_element(knots[g : g + 5], extrapolate=False)(x) for g in range(8)]
    found = splines(torch.from_numpy(x)).numpy()
    assert np.allclose(found, np.nan_to_num(np.stack(expected, -1)), atol=1e-12)
    assert np.allclose(found[np.abs(x) <= 1].sum(-1), 1)


def test_a_layer_of_edge_functions_is_the_sum_over_its_edges() -> None:
    torch.manual_seed(2)
    layer = EdgeFunctions(3, 2)
    x = torch.randn(5, 3)
    layer.requires_grad_(requires_grad=False).coefficients.normal_()
    found, bases = layer(x), splines(x)
    for n in range(5):
        for o in range(2):
            total = 0.0
            for i in range(3):
                curve = sum(float(layer.coefficients[o, i, g] * bases[n, i, g]) for g in range(8))
                smooth = float(x[n, i]) / (1 + math.exp(-float(x[n, i])))
                total += float(layer.base[o, i]) * smooth + float(layer.scale[o, i]) * curve
            assert float(found[n, o]) == pytest.approx(total, abs=1e-5)


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (nn.Conv2d(6, 8, 3, padding=1), (2, 6, 10, 12), 2 * 10 * 12 * 8 * 6 * 9),
        (nn.Conv2d(6, 8, 5, stride=2, padding=2), (1, 6, 10, 12), 5 * 6 * 8 * 6 * 25),
        (nn.Conv2d(6, 6, 7, padding=3, groups=6), (1, 6, 10, 12), 10 * 12 * 6 * 49),
        (nn.ConvTranspose2d(6, 3, 2, stride=2), (1, 6, 10, 12), 20 * 24 * 6 * 3),
        (nn.Linear(7, 3), (5, 7), 5 * 7 * 3),
        (nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()), (1, 4, 6, 6), 0),
    ],
)
def test_multiplications_are_those_of_the_closed_form(layer: nn.Module, shape: tuple[int, ...], expected: int) -> None:
    x = torch.randn(shape)
    assert networks_cost.multiplications(lambda: layer.eval()(x)) == expected


def test_products_of_matrices_are_counted_wherever_they_are_written() -> None:
    left, right = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 5, 6)
    assert networks_cost.multiplications(lambda: left @ right) == 2 * 3 * 4 * 5 * 6
    assert networks_cost.multiplications(lambda: EdgeFunctions(7, 3)(torch.randn(11, 7))) == 11 * 7 * 9 * 3


def test_the_table_puts_each_network_beside_the_shipped_one() -> None:
    costs = {
        networks_cost.SHIPPED: networks_cost.Cost(300_000, 10**8, 4 * 10**8, [0.012, 0.010, 0.011]),
        "unet": networks_cost.Cost(31_000_000, 27 * 10**9, 10**9, [0.44, 0.55, 0.33]),
    }
    cells = [cell.strip() for cell in networks_cost.table(costs)[-1].split("|")]
    assert cells[3:5] == ["31,000,000", "31.04"]
    assert cells[5:11] == ["27", "440", "330", "40", "1000", f"{440 * networks_cost.WATTS:.0f}"]


def test_energy_is_counted_only_where_a_counter_can_be_read(tmp_path: Path) -> None:
    assert networks_cost.microjoules(tmp_path / "absent") is None
    for package, count in (("intel-rapl:0", 5), ("intel-rapl:1", 7), ("intel-rapl:0:0", 100)):
        (tmp_path / package).mkdir()
        (tmp_path / package / "energy_uj").write_text(f"{count}\n")
    assert networks_cost.microjoules(tmp_path) == 12
    (tmp_path / "intel-rapl:2").mkdir()
    assert networks_cost.microjoules(tmp_path) is None
