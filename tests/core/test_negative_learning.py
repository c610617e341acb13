from __future__ import annotations

import math

import pytest
import torch

from semidavil_core.losses.negative_learning import negative_learning


def test_it_is_the_mean_of_the_improbable_classes_alone() -> None:
    probabilities = torch.tensor([[0.94, 0.04, 0.02], [0.4, 0.3, 0.3]])
    expected = -(math.log(0.96) + math.log(0.98)) / 2
    assert float(negative_learning(probabilities.log().T[None, :, None])) == pytest.approx(expected, rel=1e-4)


def test_without_an_improbable_class_it_is_zero_with_a_gradient() -> None:
    logits = torch.zeros(1, 3, 2, 2, requires_grad=True)
    loss = negative_learning(logits)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_a_step_against_it_makes_the_improbable_class_less_probable() -> None:
    logits = torch.tensor([3.0, 2.5, -0.5]).view(1, 3, 1, 1).requires_grad_()
    negative_learning(logits).backward()
    assert logits.grad is not None
    after = (logits - logits.grad).softmax(1).flatten()
    assert after[2] < logits.softmax(1).flatten()[2]


@pytest.mark.parametrize("extreme", [1e4, 1e30])
def test_extreme_logits_give_finite_losses_and_gradients(extreme: float) -> None:
    logits = torch.tensor([extreme, -extreme]).view(1, 2, 1, 1).requires_grad_()
    loss = negative_learning(logits)
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_a_single_class_teaches_nothing() -> None:
    assert negative_learning(torch.randn(1, 1, 3, 3)).item() == 0
