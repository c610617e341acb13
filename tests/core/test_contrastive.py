from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from semidavil_core.losses.contrastive import labels_on_grid, prototype_info_nce

AXES = torch.eye(3)


def test_info_nce_of_one_location_is_its_softmax_over_the_prototypes() -> None:
    features = AXES[0].view(1, 3, 1, 1)
    loss = prototype_info_nce(features, torch.tensor([[[0]]]), AXES, temperature=0.5)
    assert float(loss) == pytest.approx(-math.log(math.exp(2) / (math.exp(2) + 2)))


def test_classes_weigh_alike_however_many_locations_they_have() -> None:
    features = AXES[torch.tensor([0, 0, 0, 0])].T.view(1, 3, 1, 4)
    few = prototype_info_nce(features[..., 2:], torch.tensor([[[0, 1]]]), AXES)
    many = prototype_info_nce(features, torch.tensor([[[0, 0, 0, 1]]]), AXES)
    assert float(many) == pytest.approx(float(few))


def test_ignored_locations_and_absent_prototypes_do_not_count() -> None:
    features = functional.normalize(torch.randn(1, 3, 1, 3), dim=1)
    present = torch.tensor([True, True, False])
    loss = prototype_info_nce(features, torch.tensor([[[0, 255, 2]]]), AXES, present=present)
    alone = prototype_info_nce(features[..., :1], torch.tensor([[[0]]]), AXES[:2])
    assert float(loss) == pytest.approx(float(alone), rel=1e-5)


def test_no_gradient_reaches_the_prototypes() -> None:
    prototypes, features = AXES.clone().requires_grad_(), torch.randn(1, 3, 1, 2, requires_grad=True)
    prototype_info_nce(features, torch.tensor([[[0, 1]]]), prototypes).backward()
    assert prototypes.grad is None
    assert features.grad is not None
    assert features.grad.any()


def test_without_labels_it_is_zero_with_a_gradient() -> None:
    features = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = prototype_info_nce(features, torch.full((1, 2, 2), 255), AXES)
    loss.backward()
    assert loss.item() == 0
    assert features.grad is not None


def test_a_stroke_of_one_pixel_survives_a_coarse_grid() -> None:
    labels = torch.full((1, 64, 64), 255, dtype=torch.uint8)
    labels[0, 17, 40] = 2
    grid = labels_on_grid(labels, (4, 4), 3)
    assert grid[0, 1, 2] == 2
    assert (grid != 255).sum() == 1


def test_a_cell_takes_its_most_frequent_label_unlabelled_pixels_left_out() -> None:
    labels = torch.full((1, 4, 8), 255, dtype=torch.uint8)
    labels[0, 0, :3] = torch.tensor([1, 1, 0])
    labels[0, :, 4:] = 0
    labels[0, 0, 4] = 1
    assert labels_on_grid(labels, (1, 2), 2).tolist() == [[[1, 0]]]


def test_the_grid_of_a_padded_image_covers_the_padding_too() -> None:
    labels = torch.zeros(1, 6, 6, dtype=torch.uint8)
    grid = labels_on_grid(labels, (3, 3), 1, padded_size=(12, 12))
    assert grid[0].tolist() == [[0, 0, 255], [0, 0, 255], [255, 255, 255]]
