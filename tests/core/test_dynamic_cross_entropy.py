from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from semidavil_core.losses.dynamic_cross_entropy import dynamic_cross_entropy


def pixels(probabilities: list[list[float]], labels: list[int]) -> tuple[Tensor, Tensor]:
    """Logits (1, K, 1, N) with the given softmax, and labels (1, 1, N)."""
    return torch.tensor(probabilities).log().T[None, :, None], torch.tensor(labels, dtype=torch.uint8)[
        None, None
    ]


def loss(logits: Tensor, labels: Tensor, **changes: float) -> float:
    settings = {"hard_fraction": 1.0, "balance": 0.5, "normalize": False, **changes}
    return float(dynamic_cross_entropy(logits, labels, **settings))  # type: ignore[arg-type]


HALF = math.log(2)
TENTH = math.log(10)


def test_w_one_is_the_plain_mean_over_labelled_pixels() -> None:
    logits, labels = pixels([[0.5, 0.5], [0.5, 0.5], [0.9, 0.1], [0.2, 0.8]], [0, 0, 1, 255])
    assert loss(logits, labels, balance=1) == pytest.approx((HALF + HALF + TENTH) / 3)


def test_w_zero_is_the_sum_of_the_class_means() -> None:
    logits, labels = pixels([[0.5, 0.5], [0.25, 0.75], [0.9, 0.1]], [0, 0, 1])
    assert loss(logits, labels, balance=0) == pytest.approx((HALF + math.log(4)) / 2 + TENTH)


def test_w_between_weighs_each_class_by_its_frequency_to_the_power_w_minus_one() -> None:
    logits, labels = pixels([[0.5, 0.5]] * 4 + [[0.9, 0.1]], [0, 0, 0, 0, 1])
    expected = (4 * HALF / 4**0.5 + TENTH / 1**0.5) / 5**0.5
    assert loss(logits, labels, balance=0.5) == pytest.approx(expected)


@pytest.mark.parametrize("balance", [0.0, 0.25, 0.5, 1.0])
def test_equally_frequent_classes_weigh_k_to_the_one_minus_w_and_normalising_takes_it_out(
    balance: float,
) -> None:
    classes = 4
    logits, labels = torch.zeros(1, classes, 2, classes), torch.arange(classes).repeat(2, 1)[None]
    mean = math.log(classes)
    assert loss(logits, labels, balance=balance) == pytest.approx(mean * classes ** (1 - balance), rel=1e-5)
    assert loss(logits, labels, balance=balance, normalize=True) == pytest.approx(mean, rel=1e-5)


def test_normalising_counts_only_classes_that_are_present() -> None:
    logits, labels = torch.zeros(1, 5, 2, 2), torch.tensor([[[0, 0], [3, 3]]])
    assert loss(logits, labels, balance=0, normalize=True) == pytest.approx(math.log(5), rel=1e-5)


def test_only_the_hardest_share_of_the_labelled_pixels_counts() -> None:
    logits, labels = pixels(
        [[0.5, 0.5], [0.1, 0.9], [0.99, 0.01], [0.9, 0.1], [0.001, 0.999]], [0, 0, 0, 0, 255]
    )
    hard = loss(logits, labels, balance=1, hard_fraction=0.5, min_pixels=1)
    assert hard == pytest.approx((TENTH + HALF) / 2)


def test_few_labelled_pixels_are_all_used_whatever_the_hard_share() -> None:
    logits, labels = pixels([[0.5, 0.5], [0.1, 0.9], [0.9, 0.1]], [0, 0, 0])
    assert loss(logits, labels, hard_fraction=0.3, min_pixels=4) == loss(logits, labels)
    assert loss(logits, labels, hard_fraction=0.3, min_pixels=3) != loss(logits, labels)


def test_a_hard_share_of_less_than_a_pixel_takes_one_pixel() -> None:
    logits, labels = pixels([[0.5, 0.5], [0.1, 0.9]], [0, 0])
    assert loss(logits, labels, hard_fraction=0.01, min_pixels=1) == pytest.approx(TENTH)


def test_without_a_labelled_pixel_the_loss_is_zero_and_still_has_a_gradient() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    value = dynamic_cross_entropy(logits, torch.full((2, 4, 4), 255), hard_fraction=0.2, balance=0.5)
    value.backward()
    assert value.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_a_class_of_one_pixel_weighs_no_more_than_its_own_loss() -> None:
    labels = torch.zeros(1, 100, 100, dtype=torch.uint8)
    labels[0, 0, 0] = 1
    logits = torch.zeros(1, 2, 100, 100)
    logits[:, 0] = 40  # right everywhere but at that pixel
    for balance in (0.0, 0.5, 1.0):
        assert 0 < loss(logits, labels, balance=balance) <= 40.001


def test_the_value_does_not_depend_on_the_images_size() -> None:
    logits, labels = torch.randn(1, 3, 6, 6), torch.randint(0, 3, (1, 6, 6))
    tiled = loss(logits.repeat(1, 1, 3, 3), labels.repeat(1, 3, 3), hard_fraction=0.5, min_pixels=1)
    assert tiled == pytest.approx(loss(logits, labels, hard_fraction=0.5, min_pixels=1), rel=1e-5)


def test_a_single_class_gives_a_loss_of_zero() -> None:
    assert loss(torch.randn(1, 1, 3, 3), torch.zeros(1, 3, 3, dtype=torch.uint8), normalize=True) == 0
