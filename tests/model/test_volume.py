# SPDX-License-Identifier: Apache-2.0
"""On a volume the head is the one of the plane: same class, same values, place by place."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomicnet_md.model.fusion import CODES, RHO, AdditiveHead
from radiomicnet_md.model.network import parameters
from radiomicnet_md.model.volume import MULTIPLE, WIDTHS, VolumeNetwork, as_plane

GRID = (MULTIPLE, 2 * MULTIPLE, MULTIPLE)
NAMES, SCALES, LABELS = 3, 2, 2


def network(seed: int = 0) -> VolumeNetwork:
    """A network with tables, gates and rest of its own size, in evaluation mode."""
    torch.manual_seed(seed)
    made = VolumeNetwork(NAMES, SCALES, LABELS)
    usual = torch.rand(NAMES * SCALES, CODES)
    made.centre(usual / usual.sum(1, keepdim=True))
    with torch.no_grad():
        for head in made.heads:
            head.knots.mul_(30)
            head.gate.weight.mul_(20)
    return made.eval()


def codes(seed: int = 0, count: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (count, NAMES * SCALES, *GRID)
    return torch.randint(0, CODES + 1, shape, dtype=torch.uint8, generator=generator)


@torch.no_grad()
@pytest.mark.verifies("SRS-MOD-010")
def test_each_slice_of_a_volume_is_what_the_same_head_says_of_it_as_an_image() -> None:
    made, image, told = network(), torch.rand(2, 1, *GRID), codes(count=2)
    evidence, rest = made(image, told)
    features = made.trunk(image)
    for label, head in enumerate(made.heads):
        assert type(head) is AdditiveHead
        for d in range(GRID[0]):
            z, r = head(features[:, :, d], told[:, :, d])
            assert torch.allclose(evidence[:, label, d], z[:, 0], atol=1e-5)
            assert torch.allclose(rest[:, label, d], r[:, 0], atol=1e-5)


@torch.no_grad()
@pytest.mark.verifies("SRS-MOD-010")
@settings(max_examples=15)
@given(st.permutations(range(12)))
def test_the_head_knows_no_neighbours_and_so_no_dimensions(order: list[int]) -> None:
    torch.manual_seed(1)
    head = AdditiveHead(4, NAMES, SCALES)
    features, told = torch.randn(1, 4, 12), torch.randint(0, CODES + 1, (1, 6, 12), dtype=torch.uint8)
    z, _ = head(features.reshape(1, 4, 3, 4), told.reshape(1, 6, 3, 4))
    shuffled, _ = head(features[..., order].reshape(1, 4, 2, 6), told[..., order].reshape(1, 6, 2, 6))
    assert torch.allclose(shuffled.reshape(12), z.reshape(12)[order], atol=1e-6)


@torch.no_grad()
@pytest.mark.verifies("SRS-MOD-010")
def test_evidence_on_a_volume_is_the_bias_the_named_terms_and_the_capped_rest() -> None:
    made, image, told = network(2), torch.rand(1, 1, *GRID), codes(2)
    evidence, rest = made(image, told)
    features = made.trunk(image)
    spoke = set()
    for label, head in enumerate(made.heads):
        tables, weight, bias = head.tables(), head.gate.weight[:, :, 0, 0], head.gate.bias
        for d, y, x in ((0, 0, 0), (3, 9, 5), (7, 15, 7), (4, 2, 1)):
            gates = 2 / (1 + torch.exp(-(weight @ features[0, :, d, y, x] + bias)))[:-1]
            terms = [
                sum(gates[m] * tables[m, told[0, m, d, y, x].long()] for m in range(k, SCALES * NAMES, NAMES))
                for k in range(NAMES)
            ]
            spoke |= {float(term) for term in terms}
            expected = head.bias + sum(terms) + RHO * torch.tanh(rest[0, label, d, y, x] / RHO)
            assert evidence[0, label, d, y, x].item() == pytest.approx(expected.item(), abs=1e-4)
    assert len(spoke) > LABELS * NAMES  # terms differ between places: the comparison was not of constants


@torch.no_grad()
@pytest.mark.verifies("SRS-MOD-010")
def test_where_no_name_speaks_the_rest_is_capped() -> None:
    made = network(3)
    silent = torch.full((1, NAMES * SCALES, *GRID), CODES, dtype=torch.uint8)
    evidence, rest = made(torch.rand(1, 1, *GRID), silent)
    assert (rest.abs() > RHO).any()
    for label, head in enumerate(made.heads):
        assert ((evidence[:, label] - head.bias).abs() <= RHO + 1e-6).all()


@torch.no_grad()
@pytest.mark.verifies("SRS-MOD-010")
def test_maps_speak_in_the_heads_only() -> None:
    made, image = network(4), torch.rand(1, 1, *GRID)
    (one, rest_of_one), (other, rest_of_other) = made(image, codes(5)), made(image, codes(6))
    assert torch.equal(rest_of_one, rest_of_other)
    assert not torch.equal(one, other)


@torch.no_grad()
@pytest.mark.verifies("SRS-MOD-010")
def test_the_trunk_sees_along_all_three_axes() -> None:
    made, image = network(5), torch.rand(1, 1, *GRID)
    before = made.trunk(image)
    for axis, at in enumerate(((0, 8, 4), (4, 0, 4), (4, 8, 0))):
        changed = image.clone()
        changed[(0, 0, *at)] += 5
        moved = (made.trunk(changed) - before).abs().amax((0, 1))  # (D, H, W)
        beyond = moved.index_select(axis, torch.arange(2, GRID[axis]))
        assert beyond.max() > 0


@torch.no_grad()
@pytest.mark.verifies("SRS-MOD-010")
def test_each_label_has_tables_of_its_own() -> None:
    made, image, told = network(6), torch.rand(1, 1, *GRID), codes(7)
    before, _ = made(image, told)
    made.heads[0].knots.add_(torch.randn_like(made.heads[0].knots))
    after, _ = made(image, told)
    assert not torch.equal(after[:, 0], before[:, 0])
    assert torch.equal(after[:, 1], before[:, 1])


@pytest.mark.verifies("SRS-MOD-010")
def test_the_plane_holds_the_voxels_in_their_order_and_the_network_is_small() -> None:
    volume = torch.arange(2 * 3 * 2 * 4 * 5).reshape(2, 3, 2, 4, 5)
    assert torch.equal(as_plane(volume)[:, :, 4:], volume[:, :, 1])
    assert parameters(VolumeNetwork(9, 2, 2)) <= 50_000
    assert VolumeNetwork(1, 1, 1).trunk(torch.rand(1, 1, *GRID)).shape == (1, WIDTHS[0], *GRID)
