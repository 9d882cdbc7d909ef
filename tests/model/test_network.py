# SPDX-License-Identifier: Apache-2.0
"""The network's parts against their equations."""

from __future__ import annotations

import pytest
import torch

from radiomicnet_md.model.fusion import CODES, RHO, AdditiveHead
from radiomicnet_md.model.gate import RadiomicsAttentionGate
from radiomicnet_md.model.network import PixelNetwork, parameters
from radiomicnet_md.model.stream import RadiomicStream
from radiomicnet_md.radiomics.definitions import NAMED, PAPER


@pytest.mark.verifies("SRS-MOD-002")
@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0])
def test_the_gate_computes_the_papers_equation(gamma: float) -> None:
    torch.manual_seed(0)
    gate = RadiomicsAttentionGate(5).double()
    with torch.no_grad():
        gate.mix.copy_(torch.logit(torch.tensor(gamma)).clamp(-40, 40))
    skip, rhat = torch.randn(2, 5, 9, 8).double(), torch.randn(2, 32).double()
    hidden = torch.clamp(rhat @ gate.squeeze.weight.T + gate.squeeze.bias, min=0)
    channel = 1 / (1 + torch.exp(-(hidden @ gate.excite.weight.T + gate.excite.bias)))
    one = torch.einsum("bchw,c->bhw", skip, gate.reduce.weight[0, :, 0, 0])
    patches = torch.nn.functional.unfold(one[:, None], 7, padding=3).reshape(2, 49, 9, 8)
    spatial = torch.einsum("bkhw,k->bhw", patches, gate.spatial.weight.reshape(49)) + gate.spatial.bias
    spatial = 1 / (1 + torch.exp(-spatial))
    for b in range(2):
        for c in range(5):
            expected = skip[b, c] * (gamma * channel[b, c] * spatial[b] + (1 - gamma) * spatial[b])
            assert torch.allclose(gate(skip, rhat)[b, c], expected, rtol=0, atol=1e-6)


@pytest.mark.verifies("SRS-MOD-002")
def test_the_stream_is_normalised_after_two_layers() -> None:
    torch.manual_seed(1)
    stream = RadiomicStream(13).double()
    x = torch.randn(4, 13).double()
    inner = torch.relu(
        torch.relu(x @ stream.first.weight.T + stream.first.bias) @ stream.second.weight.T + stream.second.bias
    )
    expected = (inner - inner.mean(1, keepdim=True)) / torch.sqrt(inner.var(1, unbiased=False, keepdim=True) + 1e-5)
    assert torch.allclose(stream(x), expected, atol=1e-9)


@pytest.mark.verifies("SRS-MOD-001")
def test_the_network_keeps_its_budget() -> None:
    assert parameters(PixelNetwork(len(PAPER), len(NAMED), 2)) <= 310_000


@pytest.mark.verifies("SRS-ENG-004")
def test_tables_are_centred_whatever_the_knots_are_and_silent_outside() -> None:
    head = AdditiveHead(4, 3, 2)
    with torch.no_grad():
        head.knots.copy_(torch.randn(6, 13) + 5)
        usual = torch.rand(6, CODES)
        head.usual.copy_(usual / usual.sum(1, keepdim=True))
    tables = head.tables()
    assert torch.allclose((tables[:, :-1] * head.usual).sum(1), torch.zeros(6), atol=1e-5)
    assert (tables[:, -1] == 0).all()


@pytest.mark.verifies("SRS-ENG-004")
def test_the_rest_is_bounded_and_gates_are_positive_and_below_two() -> None:
    torch.manual_seed(2)
    head = AdditiveHead(4, 3, 1)
    features = torch.randn(1, 4, 6, 6) * 50
    outside = torch.full((1, 3, 6, 6), CODES, dtype=torch.uint8)
    z, rest = head(features, outside)
    assert (rest.abs() > RHO).any()
    assert ((z - head.bias).abs() <= RHO).all()


@pytest.mark.verifies("SRS-MOD-003")
def test_the_counted_backward_pass_is_the_gradient() -> None:
    torch.manual_seed(3)
    head = AdditiveHead(2, 2, 2)
    codes = torch.randint(0, CODES + 1, (2, 4, 3, 3), dtype=torch.uint8)
    features = torch.randn(2, 2, 3, 3)
    head(features, codes)[0].sum().backward()
    analytic = head.knots.grad
    assert analytic is not None
    with torch.no_grad():
        for k, j in ((0, 0), (1, 6), (3, 12)):
            before = head.knots[k, j].item()
            sums = []
            for step in (0.5, -0.5):
                head.knots[k, j] = before + step
                sums.append(head(features, codes)[0].sum().item())
            head.knots[k, j] = before
            assert sums[0] - sums[1] == pytest.approx(analytic[k, j].item(), abs=1e-3)
