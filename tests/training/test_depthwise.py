# SPDX-License-Identifier: Apache-2.0
"""The quick backward pass of depthwise convolutions gives torch's own gradients, and touches no other layer."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from radiomicnet_md.model.network import PlainNetwork
from radiomicnet_md_training.depthwise import quicken

pytestmark = pytest.mark.verifies("SRS-MOD-003")


def gradients(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """The output, and the gradients of input and parameters under a fixed weighting of the outputs."""
    x = x.clone().requires_grad_()
    out = layer(x)
    weighting = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).reshape(out.shape)
    (out * weighting).sum().backward()
    return [out.detach(), x.grad, *(p.grad for p in layer.parameters())]


def deviation(found: Tensor, right: Tensor) -> float:
    """The largest difference as a share of the largest value."""
    return float((found.double() - right).abs().max() / right.abs().max().clamp(min=1e-30))


def pair(kernel: int, stride: int, channels: int, *, bias: bool) -> tuple[nn.Sequential, nn.Sequential]:
    """A quick layer, and torch's own of the same weights in double precision."""
    own = nn.Sequential(nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=bias))
    quick = copy.deepcopy(own)
    quicken(quick)
    assert type(quick[0]) is not nn.Conv2d
    return quick, own.double()


@settings(max_examples=60)
@given(
    st.sampled_from([3, 5, 7]),
    st.sampled_from([1, 2]),
    st.tuples(st.integers(1, 3), st.integers(2, 9), st.integers(1, 12), st.integers(1, 12)),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_gradients_are_torchs_own(
    kernel: int,
    stride: int,
    shape: tuple[int, ...],
    bias: bool,  # noqa: FBT001 - drawn by hypothesis
    seed: int,
) -> None:
    torch.manual_seed(seed)
    quick, own = pair(kernel, stride, shape[1], bias=bias)
    x = torch.randn(shape)
    for found, right in zip(gradients(quick, x), gradients(own, x.double()), strict=True):
        assert found.shape == right.shape
        assert deviation(found, right) < 1e-5


@pytest.mark.parametrize("stride", [1, 2])
def test_in_half_precision_only_rounding_differs(stride: int) -> None:
    torch.manual_seed(1)
    quick, own = pair(5, stride, 8, bias=True)
    x = torch.randn(2, 8, 24, 20).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        assert quick(x).dtype == torch.bfloat16
        found = gradients(quick, x)
    for mine, right in zip(found, gradients(own, x.double()), strict=True):
        assert deviation(mine, right) < 0.02


def test_the_first_layer_asks_for_no_gradient_of_the_image() -> None:
    quick, own = pair(3, 2, 4, bias=False)
    x = torch.randn(2, 4, 9, 9)
    quick(x).sum().backward()
    own(x.double()).sum().backward()
    assert deviation(quick[0].weight.grad, own[0].weight.grad) < 1e-5


def test_the_same_step_gives_the_same_bits() -> None:
    quick, _ = pair(7, 1, 6, bias=True)
    x = torch.randn(2, 6, 17, 13)
    first = gradients(quick, x)
    quick.zero_grad()
    assert all(torch.equal(a, b) for a, b in zip(first, gradients(quick, x), strict=True))


def test_a_network_keeps_its_names_its_weights_and_its_answers() -> None:
    torch.manual_seed(2)
    network = PlainNetwork(13).eval()
    image, values, codes = torch.rand(1, 2, 64, 64), torch.randn(1, 13), torch.zeros(1, 32, 32, 32, dtype=torch.uint8)
    before, state = network(image, values, codes).evidence, network.state_dict()
    kinds = {name: type(module) for name, module in network.named_modules()}
    quicken(network)
    after = network.state_dict()
    assert list(after) == list(state)
    assert all(after[name].data_ptr() == state[name].data_ptr() for name in state)
    torch.testing.assert_close(network(image, values, codes).evidence, before, rtol=1e-5, atol=1e-6)
    replaced = [name for name, module in network.named_modules() if type(module) is not kinds[name]]
    assert replaced
    assert all(network.get_submodule(name).groups > 1 for name in replaced)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3, padding=1, groups=2),
        nn.Conv2d(4, 8, 3, padding=1, groups=4),
        nn.Conv2d(1, 1, 3, padding=1),
        nn.Conv2d(4, 4, 3, groups=4),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=4),
        nn.Conv2d(4, 4, 3, padding=1, stride=3, groups=4),
        nn.Conv2d(4, 4, 3, padding=1, stride=(1, 2), groups=4),
        nn.Conv2d(4, 4, (3, 5), padding=(1, 2), groups=4),
        nn.Conv2d(4, 4, 4, padding=2, groups=4),
        nn.Conv2d(4, 4, 3, padding=1, groups=4, padding_mode="reflect"),
        nn.ConvTranspose2d(4, 4, 3, padding=1, groups=4),
        nn.Linear(4, 4),
    ],
    ids=str,
)
def test_any_other_layer_stays_as_it_is(layer: nn.Module) -> None:
    network = nn.Sequential(layer)
    quicken(network)
    assert network[0] is layer
