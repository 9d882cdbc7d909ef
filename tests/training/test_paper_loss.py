# SPDX-License-Identifier: Apache-2.0
"""The paper's loss against an evaluation of its own in numpy, and what each term may and may not see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from numpy.typing import NDArray
from torch import Tensor

from radiomicnet_md_training.paper_loss import PAPER, Terms, Weights, border, paper, uncertainty
from tests.strategies import grey_levels

pytestmark = pytest.mark.verifies("SRS-MOD-005")
Floats = NDArray[np.float64]


def batch() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Two lesions, one of them cut by the image's edge, and a normal image; each smaller than the grid."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(3, 1, 20, 24, generator=generator).double()
    masks, valid = torch.zeros_like(logits), torch.zeros_like(logits)
    masks[0, :, 6:14, 5:17] = 1
    masks[1, :, 10:16, 12:21] = 1
    valid[0, :, :18, :] = 1
    valid[1, :, :16, :21] = 1
    valid[2, :, :, :22] = 1
    return logits, masks, valid, torch.tensor([0.2, 0.5, 0.9]).double()


def near(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of a (H, W) array that have a True one at most 3 rows and 3 columns away."""
    out = np.zeros_like(where)
    for row, column in np.argwhere(where):
        out[max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4] = True
    return out


def evaluate(logits: Floats, masks: Floats, valid: Floats, contrast: Floats) -> dict[str, float]:
    """The four terms from probabilities, image by image and pixel by pixel."""
    p = 1 / (1 + np.exp(-logits))
    weighted = bordered = pixels = 0.0
    dice, squares = [], []
    for i in range(len(p)):
        inside = valid[i, 0] > 0
        q, t = p[i, 0][inside], masks[i, 0][inside]
        cost = -(t * np.log(q) + (1 - t) * np.log(1 - q))
        lesion = (masks[i, 0] > 0.5) & inside
        at_border = (near(lesion) & near(inside & ~lesion))[inside]
        weighted += (cost * np.where(t == 1, 2, 1)).sum()
        bordered += (cost * np.where(at_border, 3, 1)).sum()
        pixels += inside.sum()
        if t.any():
            dice.append(1 - (2 * (q * t).sum() + 1) / (q.sum() + t.sum() + 1))
        squares.append((-(q * np.log2(q) + (1 - q) * np.log2(1 - q)).mean() - contrast[i]) ** 2)
    return {
        "entropy": weighted / pixels,
        "dice": float(np.mean(dice)),
        "boundary": bordered / pixels,
        "consistency": float(np.mean(squares)),
    }


def test_the_terms_and_their_sum_are_the_papers() -> None:
    given_ = batch()
    found, expected = paper(*given_), evaluate(*(tensor.numpy() for tensor in given_))
    for name, value in expected.items():
        assert getattr(found, name).item() == pytest.approx(value, abs=1e-9), name
    total = (
        0.5 * expected["entropy"] + 0.5 * expected["dice"] + 0.1 * expected["boundary"] + 0.05 * expected["consistency"]
    )
    assert found.total.item() == pytest.approx(total, abs=1e-9)


@pytest.mark.parametrize(("term", "weight"), [("consistency", 0.05), ("boundary", 0.1)])
def test_an_ablation_takes_out_one_term_and_changes_no_other(term: str, weight: float) -> None:
    full, less = paper(*batch()), paper(*batch(), Weights(**{term: 0.0}))
    assert less[:-1] == full[:-1]
    assert (full.total - less.total).item() == pytest.approx(weight * getattr(full, term).item(), abs=1e-12)


def test_consistency_is_zero_where_the_entropy_equals_the_contrast() -> None:
    logits, masks, valid, contrast = batch()
    assert paper(logits, masks, valid, uncertainty(logits, valid)).consistency.item() == 0
    assert paper(logits, masks, valid, contrast).consistency.item() > 0


def test_the_entropy_is_in_bits_even_in_the_logit_and_finite_at_its_ends() -> None:
    one = torch.ones(4, 1, 5, 5)
    logits = torch.tensor([0.0, 1e4, -1e4, 3.0])[:, None, None, None] * one
    half, sure, unsure, some = uncertainty(logits, one).tolist()
    assert half == pytest.approx(1, abs=1e-6)
    assert sure == unsure == 0
    assert some == pytest.approx(uncertainty(-logits, one)[3].item(), abs=0)
    assert 0 < some < 1


def test_no_term_sees_what_lies_outside_the_image() -> None:
    logits, masks, valid, contrast = batch()
    before = paper(logits.requires_grad_(), masks, valid, contrast)
    before.total.backward()
    assert logits.grad is not None
    assert not logits.grad[valid == 0].any()
    assert logits.grad[valid == 1].abs().min() > 0
    outside = 1 - valid
    after = paper(logits.detach() + 50 * outside, torch.maximum(masks, outside), valid, contrast)
    assert torch.equal(torch.stack(after), torch.stack(before))


def test_a_normal_image_has_no_dice_but_is_pushed_to_nothing_by_both_cross_entropies() -> None:
    logits, masks, valid, contrast = batch()
    lesions = paper(logits[:2], masks[:2], valid[:2], contrast[:2])
    assert paper(logits, masks, valid, contrast).dice.item() == pytest.approx(lesions.dice.item(), abs=1e-12)

    def normal(shift: float) -> Terms:
        return paper(logits[2:] + shift, masks[2:], valid[2:], contrast[2:])

    assert normal(0).dice.item() == 0
    assert normal(-1).entropy < normal(0).entropy
    assert normal(0).boundary.item() == pytest.approx(normal(0).entropy.item(), abs=1e-12)  # no border, no lesion


def test_a_sure_and_right_prediction_costs_nothing_and_a_sure_and_wrong_one_stays_finite() -> None:
    _, masks, valid, _ = batch()
    sure = 200 * (masks - 0.5)
    right = paper(sure, masks, valid, torch.zeros(3).double())
    assert right.total.item() == pytest.approx(0, abs=1e-9)
    wrong = -100 * sure.float()
    terms = paper(wrong.requires_grad_(), masks.float(), valid.float(), torch.zeros(3))
    terms.total.backward()
    assert torch.isfinite(torch.stack(terms)).all()
    assert wrong.grad is not None
    assert torch.isfinite(wrong.grad).all()
    assert terms.dice.item() == pytest.approx(1, abs=0.02)


@given(grey_levels(count=2, least=1, most=12))
def test_the_border_is_where_lesion_and_background_are_both_near(mask: Any) -> None:  # noqa: ANN401
    lesion = torch.from_numpy(mask).float()[None, None]
    found = border(lesion, torch.ones_like(lesion))[0, 0].numpy()
    assert np.array_equal(found > 0, near(mask == 1) & near(mask == 0))
    assert set(np.unique(found)) <= {0, 1}


def test_the_images_edge_is_no_border() -> None:
    valid = torch.zeros(1, 1, 20, 20)
    valid[..., :12, :15] = 1
    assert not border(valid, valid).any()  # a lesion that fills the image


def test_the_papers_factors() -> None:
    assert Weights(0.5, 0.5, 0.1, 0.05) == PAPER
