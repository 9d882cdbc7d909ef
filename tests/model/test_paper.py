# SPDX-License-Identifier: Apache-2.0
"""The paper's network: its gate against the printed equation, its counts, its ablations, its weights from a file."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.model.network import parameters
from radiomicnet_md.model.paper.encoder import Encoder, load_encoder
from radiomicnet_md.model.paper.gate import Gate, GateKind
from radiomicnet_md.model.paper.network import RadiomicNet, parameter_groups

Floats = NDArray[np.float64]
CODES = torch.zeros(2, 32, 32, 32, dtype=torch.uint8)


def sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def attentions(gate: Gate, skip: Floats, rhat: Floats) -> tuple[Floats, Floats]:
    """α_c (B, C, 1, 1) and α_s (B, 1, H, W), evaluated with numpy from the gate's weights."""
    w = {name: value.detach().numpy() for name, value in gate.named_parameters()}
    hidden = np.maximum(rhat @ w["channel.squeeze.weight"].T + w["channel.squeeze.bias"], 0)
    channel = sigmoid(hidden @ w["channel.excite.weight"].T + w["channel.excite.bias"])
    windows = sliding_window_view(np.pad(skip, ((0, 0), (0, 0), (3, 3), (3, 3))), (7, 7), axis=(2, 3))
    spatial = sigmoid(np.einsum("bchwij,cij->bhw", windows, w["spatial.look.weight"][0]) + w["spatial.look.bias"])
    return channel[:, :, None, None], spatial[:, None]


@pytest.fixture
def gated() -> tuple[Gate, Tensor, Tensor]:
    """A full gate in double precision with features and r̂ to put through it."""
    torch.manual_seed(0)
    return Gate(GateKind.FULL, 5).double(), torch.randn(2, 5, 9, 8).double(), torch.randn(2, 32).double()


def set_gamma(gate: Gate, gamma: float) -> None:
    with torch.no_grad():
        gate.mix.copy_(torch.logit(torch.tensor(gamma).double()).clamp(-40, 40))


@pytest.mark.verifies("SRS-MOD-002")
@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0])
def test_the_gate_is_the_printed_equation(gated: tuple[Gate, Tensor, Tensor], gamma: float) -> None:
    gate, skip, rhat = gated
    set_gamma(gate, gamma)
    channel, spatial = attentions(gate, skip.numpy(), rhat.numpy())
    expected = skip.numpy() * (gamma * channel * spatial + (1 - gamma) * spatial)
    assert np.abs(gate(skip, rhat).detach().numpy() - expected).max() < 1e-6


@pytest.mark.verifies("SRS-MOD-002")
@pytest.mark.parametrize("mix", [-40.0, -1.0, 0.0, 2.0, 40.0])
def test_whatever_gamma_is_the_gate_lies_between_its_two_ends(gated: tuple[Gate, Tensor, Tensor], mix: float) -> None:
    gate, skip, rhat = gated
    channel, spatial = attentions(gate, skip.numpy(), rhat.numpy())
    with torch.no_grad():
        gate.mix.fill_(mix)
    passed = gate(skip, rhat).detach().numpy() / skip.numpy()
    assert (passed >= channel * spatial - 1e-9).all()  # γ = 1
    assert (passed <= spatial + 1e-9).all()  # γ = 0
    assert (passed > 0).all()


@pytest.mark.verifies("SRS-MOD-005")
def test_each_ablation_is_the_same_equation_with_a_part_fixed(gated: tuple[Gate, Tensor, Tensor]) -> None:
    full, skip, rhat = gated
    channel, spatial = (torch.from_numpy(a) for a in attentions(full, skip.numpy(), rhat.numpy()))
    for kind, expected in (
        (GateKind.SPATIAL, skip * spatial),
        (GateKind.CHANNEL, skip * channel),
        (GateKind.NONE, skip),
    ):
        gate = Gate(kind, 5).double()
        kept = set(gate.state_dict())
        assert kept == {name for name in full.state_dict() if name.startswith(kind.value)}
        gate.load_state_dict({name: value for name, value in full.state_dict().items() if name in kept})
        assert torch.allclose(gate(skip, rhat), expected, rtol=0, atol=1e-9)


@pytest.mark.verifies("SRS-MOD-005")
def test_the_parameters_are_the_papers_within_two_percent() -> None:
    network = RadiomicNet()
    backbone = parameters(network.encoder)
    assert backbone == 3_504_872 - 1_281_000  # published MobileNetV2 without its classifier of 1000 classes
    assert backbone == pytest.approx(2.20e6, rel=0.02)
    assert parameters(network) == pytest.approx(3.27e6, rel=0.02)


@pytest.mark.verifies("SRS-MOD-005")
def test_an_image_of_192_gives_a_logit_a_pixel_and_no_rest() -> None:
    torch.manual_seed(1)
    network = RadiomicNet().eval()
    with torch.no_grad():
        skips = network.encoder(torch.rand(1, 1, 192, 192))
        answer = network(torch.rand(1, 2, 192, 192), torch.randn(1, 13), CODES[:1])
    assert [tuple(x.shape[1:]) for x in skips] == [
        (16, 96, 96),
        (24, 48, 48),
        (32, 24, 24),
        (96, 12, 12),
        (1280, 6, 6),
    ]
    assert answer.evidence.shape == (1, 1, 192, 192)
    assert answer.evidence.dtype == torch.float32
    assert answer.rest is None


@pytest.mark.verifies("SRS-MOD-005")
@pytest.mark.parametrize("kind", GateKind)
def test_a_variant_holds_and_reads_what_its_gates_need_and_nothing_else(kind: GateKind) -> None:
    torch.manual_seed(2)
    network, full = RadiomicNet(gates=kind), RadiomicNet()
    radiomic = kind in {GateKind.FULL, GateKind.CHANNEL}

    def shared(model: RadiomicNet) -> set[str]:
        return {name for name in model.state_dict() if not name.startswith(("gates.", "stream."))}

    assert shared(network) == shared(full)
    assert any(name.startswith("stream.") for name in network.state_dict()) == radiomic
    image, values = torch.rand(2, 2, 64, 64), torch.randn(2, 13)
    network(image, values, CODES).evidence.square().mean().backward()
    unused = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not unused
    network.eval()
    with torch.no_grad():
        answer = network(image, values, CODES).evidence
        other = network(image, values + 1, CODES).evidence
        depth = torch.cat([image[:, :1], image[:, 1:] + 1], 1)
        assert torch.equal(network(depth, values, CODES + 9).evidence, answer)
    assert torch.equal(answer, other) == (not radiomic)


@pytest.mark.verifies("SRS-MOD-005")
def test_without_gates_there_is_neither_gate_nor_stream() -> None:
    network = RadiomicNet(gates=GateKind.NONE)
    assert parameters(network.gates) == 0
    assert network.stream is None
    gates = (49 * 168 + 4) + 4 * (32 * 16 + 16) + (16 * 168 + 168) + 4  # 7 × 7 over all 168 channels, W_c1, W_c2, γ
    stream = (13 * 32 + 32) + (32 * 32 + 32) + 64
    assert parameters(RadiomicNet()) - parameters(network) == gates + stream


@pytest.mark.verifies("SRS-MOD-005")
def test_every_parameter_is_in_one_of_the_two_groups() -> None:
    network = RadiomicNet()
    groups = parameter_groups(network)
    assert {id(p) for p in groups.encoder} == {id(p) for p in network.encoder.parameters()}
    assert sorted(map(id, groups.encoder + groups.rest)) == sorted(map(id, network.parameters()))


# Weights in torchvision's naming, written out here apart from the encoder's own code.
CHAIN = (32, 16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320)
STRIDES = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)


def published() -> dict[str, Tensor]:
    """A synthetic state dict as torchvision would publish it, class head included."""
    made: dict[str, Tensor] = {}
    generator = torch.Generator().manual_seed(3)

    def convolution(name: str, *shape: int) -> None:
        made[f"{name}.weight"] = torch.randn(shape, generator=generator) * (2 / np.prod(shape[1:])) ** 0.5

    def norm(name: str, width: int) -> None:
        made[f"{name}.weight"] = 0.5 + torch.rand(width, generator=generator)
        made[f"{name}.bias"] = torch.randn(width, generator=generator)
        made[f"{name}.running_mean"] = torch.randn(width, generator=generator)
        made[f"{name}.running_var"] = 0.5 + torch.rand(width, generator=generator)
        made[f"{name}.num_batches_tracked"] = torch.tensor(7)

    convolution("features.0.0", 32, 3, 3, 3)
    norm("features.0.1", 32)
    for i, (a, b) in enumerate(pairwise(CHAIN), start=1):
        wide, at = (a, 0) if i == 1 else (6 * a, 1)
        if at:
            convolution(f"features.{i}.conv.0.0", wide, a, 1, 1)
            norm(f"features.{i}.conv.0.1", wide)
        convolution(f"features.{i}.conv.{at}.0", wide, 1, 3, 3)
        norm(f"features.{i}.conv.{at}.1", wide)
        convolution(f"features.{i}.conv.{at + 1}", b, wide, 1, 1)
        norm(f"features.{i}.conv.{at + 2}", b)
    convolution("features.18.0", 1280, 320, 1, 1)
    norm("features.18.1", 1280)
    return made | {"classifier.1.weight": torch.zeros(1000, 1280), "classifier.1.bias": torch.zeros(1000)}


def by_hand(w: dict[str, Tensor], grey: Tensor) -> list[Tensor]:
    """Features 0 … 18 of MobileNetV2, straight from named weights."""

    def norm(x: Tensor, name: str) -> Tensor:
        scale = w[f"{name}.weight"] / torch.sqrt(w[f"{name}.running_var"] + 1e-5)
        return (x - w[f"{name}.running_mean"][:, None, None]) * scale[:, None, None] + w[f"{name}.bias"][:, None, None]

    usual = torch.tensor([[0.485, 0.229], [0.456, 0.224], [0.406, 0.225]]).double()  # float32 constants of the network
    colours = torch.stack([(grey[:, 0] - mean) / deviation for mean, deviation in usual], 1)
    x = functional.conv2d(colours, w["features.0.0.weight"], stride=2, padding=1)
    out = [norm(x, "features.0.1").clamp(0, 6)]
    for i, stride in enumerate(STRIDES, start=1):
        x, name, at = out[-1], f"features.{i}.conv", 0 if i == 1 else 1
        if at:
            x = norm(functional.conv2d(x, w[f"{name}.0.0.weight"]), f"{name}.0.1").clamp(0, 6)
        x = functional.conv2d(x, w[f"{name}.{at}.0.weight"], stride=stride, padding=1, groups=x.shape[1])
        x = functional.conv2d(norm(x, f"{name}.{at}.1").clamp(0, 6), w[f"{name}.{at + 1}.weight"])
        x = norm(x, f"{name}.{at + 2}")
        out.append(x + out[-1] if stride == 1 and CHAIN[i] == CHAIN[i - 1] else x)
    return [*out, norm(functional.conv2d(out[-1], w["features.18.0.weight"]), "features.18.1").clamp(0, 6)]


@pytest.mark.verifies("SRS-MOD-005")
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_published_weights_are_read_and_computed_as_mobilenet_v2(tmp_path: Path, suffix: str) -> None:
    weights = published()
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(weights, path)
    else:
        save_file(weights, path)
    encoder = load_encoder(path).double().eval()
    grey = torch.rand(1, 1, 64, 64).double()
    expected = by_hand({name: tensor.double() for name, tensor in weights.items()}, grey)
    with torch.no_grad():
        found = encoder(grey)
    for mine, index in zip(found, (1, 3, 6, 13, 18), strict=True):
        assert mine.shape == expected[index].shape
        assert torch.allclose(mine, expected[index], rtol=0, atol=1e-9)


@pytest.mark.verifies("SRS-MOD-005")
@pytest.mark.parametrize(
    ("fault", "change"),
    [
        ("MISSING", {"features.3.conv.1.0.weight": None}),
        ("EXTRA", {"features.19.0.weight": torch.zeros(1)}),
        ("SHAPE", {"features.18.0.weight": torch.zeros(1280, 160, 1, 1)}),
    ],
)
def test_a_missing_extra_or_misshapen_tensor_is_named(
    tmp_path: Path, fault: str, change: dict[str, Tensor | None]
) -> None:
    weights = {name: tensor for name, tensor in (published() | change).items() if tensor is not None}
    save_file(weights, tmp_path / "weights.safetensors")
    with pytest.raises(ConfigurationError, match=next(iter(change))) as caught:
        load_encoder(tmp_path / "weights.safetensors")
    assert caught.value.code == f"E-ENCODER-{fault}"


@pytest.mark.verifies("SRS-MOD-005")
@pytest.mark.parametrize("name", ["absent.pth", "absent.safetensors", "broken.pth", "broken.safetensors", "object.pth"])
def test_a_file_without_a_state_dict_is_refused(tmp_path: Path, name: str) -> None:
    if name.startswith("broken"):
        (tmp_path / name).write_bytes(b"no weights at all")
    if name.startswith("object"):  # a whole pickled module would run code when it is read
        torch.save(Encoder(), tmp_path / name)
    with pytest.raises(ConfigurationError) as caught:
        load_encoder(tmp_path / name)
    assert caught.value.code == "E-ENCODER-FILE"
