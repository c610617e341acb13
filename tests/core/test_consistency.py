from __future__ import annotations

import math

import pytest
import torch

from semidavil_core.losses.consistency import weighted_cross_entropy


def test_pixels_weigh_by_their_weight_and_the_average_is_over_all_labelled_ones() -> None:
    logits = torch.tensor([[0.5, 0.5], [0.9, 0.1], [0.5, 0.5], [0.5, 0.5]]).log().T[None, :, None]
    labels, weights = (
        torch.tensor([[[0, 1, 0, 255]]], dtype=torch.uint8),
        torch.tensor([[[1.0, 0.5, 0.0, 1.0]]]),
    )
    expected = (math.log(2) + 0.5 * math.log(10)) / 3
    assert float(weighted_cross_entropy(logits, labels, weights)) == pytest.approx(expected)


def test_without_labels_it_is_zero_with_a_gradient() -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = weighted_cross_entropy(logits, torch.full((1, 2, 2), 255), torch.ones(1, 2, 2))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_pixels_of_no_weight_get_no_gradient() -> None:
    logits = torch.randn(1, 3, 1, 2, requires_grad=True)
    weighted_cross_entropy(logits, torch.zeros(1, 1, 2), torch.tensor([[[0.0, 1.0]]])).backward()
    assert logits.grad is not None
    assert not logits.grad[..., 0].any()
    assert logits.grad[..., 1].any()
