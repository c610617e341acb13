from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semidavil_core.adaptation.pseudo_labels import (
    confidence_weights,
    make_pseudo_labels,
    smooth_by_affinity,
    with_prior,
)
from semidavil_core.settings import ConfidenceMode

UNPAINTED = torch.full((1, 1, 3), 255, dtype=torch.uint8)


def probabilities(*first: float) -> Tensor:
    """Of two classes, (1, 2, 1, N)."""
    p = torch.tensor(first)
    return torch.stack([p, 1 - p])[None, :, None]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (ConfidenceMode.HARD, [1.0, 0.0, 1.0, 0.0]),
        (ConfidenceMode.RATIO, [0.5, 0.5, 0.5, 0.5]),
        (ConfidenceMode.AVERAGE, [0.8, 0.8, 0.8, 0.8]),
        (ConfidenceMode.SOFT, [0.81, 0.49, 1.0, 0.36]),
    ],
)
def test_confidence_becomes_weight_as_the_mode_says(mode: ConfidenceMode, expected: list[float]) -> None:
    weights = confidence_weights(torch.tensor([[[0.9, 0.7, 1.0, 0.6]]]), mode=mode, threshold=0.9)
    torch.testing.assert_close(weights, torch.tensor([[expected]]))


@pytest.mark.parametrize("mode", [ConfidenceMode.RATIO, ConfidenceMode.AVERAGE])
def test_the_weight_of_a_whole_image_is_its_own_not_its_batchs(mode: ConfidenceMode) -> None:
    confidence = torch.stack([torch.full((2, 2), 1.0), torch.full((2, 2), 0.5)])
    weights = confidence_weights(confidence, mode=mode, threshold=0.9)
    assert weights[0].unique().tolist() == [1.0]
    assert weights[1].max() <= 0.5


@pytest.mark.parametrize("mode", list(ConfidenceMode))
def test_a_persons_labels_win_with_full_weight(mode: ConfidenceMode) -> None:
    human = torch.tensor([[[255, 1, 255]]], dtype=torch.uint8)
    made = make_pseudo_labels(probabilities(0.6, 0.99, 0.2), human, mode=mode, threshold=0.95)
    assert made.labels.tolist() == [[[0, 1, 1]]]
    assert made.weights[0, 0, 1] == 1
    assert made.confidence[0, 0, 1] == 1
    assert made.weights[0, 0, 0] < 1


def test_beyond_the_image_there_is_no_label_and_no_weight() -> None:
    inside = torch.tensor([[[True, False, True]]])
    made = make_pseudo_labels(
        probabilities(0.9, 0.9, 0.9), UNPAINTED, mode=ConfidenceMode.SOFT, threshold=0.5, inside=inside
    )
    assert made.labels.tolist() == [[[0, 255, 0]]]
    assert made.weights[0, 0, 1] == 0


def test_the_prior_multiplies_in_and_the_sum_stays_one() -> None:
    product = with_prior(probabilities(0.5, 0.8), probabilities(0.9, 0.5), 1.0)
    torch.testing.assert_close(product, probabilities(0.9, 0.8))
    torch.testing.assert_close(
        with_prior(probabilities(0.5, 0.8), probabilities(0.9, 0.1), 0.0), probabilities(0.5, 0.8)
    )
    assert 0.5 < with_prior(probabilities(0.5), probabilities(0.9), 0.5)[0, 0, 0, 0] < 0.9


def test_a_prior_of_zero_forbids_nothing_for_ever() -> None:
    product = with_prior(probabilities(1.0), probabilities(0.0), 1.0)
    assert torch.isfinite(product).all()
    torch.testing.assert_close(product.sum(1), torch.ones(1, 1, 1))


def halves(size: int = 48) -> tuple[Tensor, Tensor]:
    """An image dark on its left and bright on its right, and probabilities that are surely right there."""
    bright = (torch.arange(size) >= size // 2).float().expand(size, size)
    return bright.expand(1, 3, -1, -1) * 0.8 + 0.1, torch.stack([0.9 - 0.8 * bright, 0.1 + 0.8 * bright])[
        None
    ]


def test_smoothing_pulls_an_outlier_to_its_like_coloured_neighbours() -> None:
    image, p = halves()
    p[0, :, 20:26, 4:10] = torch.tensor([0.3, 0.7])[:, None, None]
    smoothed = smooth_by_affinity(p, image)
    assert p[0, :, 22, 7].argmax() == 1
    assert smoothed[0, 0, 22, 7] > 0.5
    torch.testing.assert_close(smoothed.sum(1), torch.ones(1, 48, 48))


def test_smoothing_does_not_cross_a_strong_edge() -> None:
    image, p = halves()
    p[0, :, :, :24] = torch.tensor([0.55, 0.45])[:, None, None]  # unsure beside the sure right half
    labels = smooth_by_affinity(p, image).argmax(1)[0]
    assert (labels[:, :22] == 0).all()  # to within a cell of the grid that it runs on
    assert (labels[:, 24:] == 1).all()


@pytest.mark.parametrize("size", [(32, 32), (37, 50), (4, 4)])
def test_smoothing_gives_finite_probabilities_at_any_size(size: tuple[int, int]) -> None:
    p = torch.rand(2, 5, *size).softmax(1)
    smoothed = smooth_by_affinity(p, torch.full((2, 3, *size), 0.5))
    torch.testing.assert_close(smoothed.sum(1), torch.ones(2, *size))


def test_smoothing_keeps_certainty_finite() -> None:
    image, _ = halves()
    certain = torch.zeros(1, 2, 48, 48)
    certain[:, 0] = 1
    smoothed = smooth_by_affinity(certain, image)
    assert torch.isfinite(smoothed).all()
    assert (smoothed.argmax(1) == 0).all()


def test_padding_does_not_lower_the_mean_confidence_of_an_image() -> None:
    confidence = torch.tensor([[[0.8, 0.6], [0.1, 0.1]]])
    inside = torch.tensor([[[True, True], [False, False]]])
    weights = confidence_weights(confidence, mode=ConfidenceMode.AVERAGE, threshold=0.9, inside=inside)
    assert weights.unique().tolist() == pytest.approx([0.7])
