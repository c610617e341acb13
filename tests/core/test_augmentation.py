from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from semidavil_core.data.augmentation import (
    channel_statistics,
    class_mix_mask,
    other_light,
    restyle,
    strong_view,
)

View = Callable[[Tensor, np.random.Generator], Tensor]
VIEWS = pytest.mark.parametrize("view", [strong_view, other_light])


def picture(seed: int = 0, low: float = 0.0, high: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(3, 16, 20, generator=generator)


@VIEWS
def test_a_view_keeps_shape_type_and_range_and_leaves_the_image_alone(view: View) -> None:
    image = picture()
    before = image.clone()
    for seed in range(20):
        changed = view(image, np.random.default_rng(seed))
        assert changed.shape == image.shape
        assert changed.dtype == torch.float32
        assert changed.min() >= 0
        assert changed.max() <= 1
    assert torch.equal(image, before)


@VIEWS
def test_the_generator_decides_everything(view: View) -> None:
    torch.manual_seed(0)
    first = view(picture(), np.random.default_rng(7))
    torch.manual_seed(1)
    assert torch.equal(view(picture(), np.random.default_rng(7)), first)
    assert not torch.equal(view(picture(), np.random.default_rng(8)), first)


@VIEWS
def test_a_view_moves_no_pixel(view: View) -> None:
    image = torch.zeros(3, 32, 32)
    image[:, 8:24, 8:24] = 0.8
    for seed in range(10):
        grey = view(image, np.random.default_rng(seed)).mean(0)
        assert grey[12:20, 12:20].mean() > grey[:4].mean() + 0.1


def test_restyling_wholly_takes_the_other_images_statistics_over() -> None:
    other = channel_statistics(picture(1, 0.4, 0.6))
    styled = restyle(picture(2), other, 1.0)
    torch.testing.assert_close(channel_statistics(styled), other, atol=1e-3, rtol=1e-3)


def test_restyling_by_nothing_keeps_the_image() -> None:
    torch.testing.assert_close(restyle(picture(), channel_statistics(picture(1)), 0.0), picture())


@pytest.mark.parametrize("image", [torch.full((3, 8, 8), 0.3), torch.full((3, 1, 1), 0.3)])
def test_an_image_without_contrast_gives_finite_statistics_and_styles(image: Tensor) -> None:
    assert torch.isfinite(restyle(image, channel_statistics(picture()), 1.0)).all()
    assert torch.isfinite(restyle(picture(), channel_statistics(image), 1.0)).all()


def mask(labels: list[list[int]], seed: int = 0, classes: int = 4) -> Tensor:
    return class_mix_mask(
        torch.tensor(labels, dtype=torch.uint8), np.random.default_rng(seed), num_classes=classes
    )


@pytest.mark.parametrize("seed", range(6))
def test_class_mix_takes_whole_classes_half_of_those_present(seed: int) -> None:
    labels = torch.tensor([[0, 0, 1, 1], [2, 2, 3, 3], [255, 255, 0, 1]])
    chosen = mask(labels.tolist(), seed)
    pasted = set(labels[chosen].tolist())
    assert len(pasted) == 2
    assert not pasted & set(labels[~chosen].tolist())


def test_class_mix_never_pastes_unlabelled_pixels_nor_indices_beyond_the_classes() -> None:
    for seed in range(6):
        assert not mask([[255, 255], [255, 3]], seed, classes=3).any()


def test_class_mix_of_a_single_class_takes_it() -> None:
    assert mask([[0, 0], [255, 0]]).tolist() == [[True, True], [False, True]]


def test_class_mix_varies_with_the_generator() -> None:
    assert len({tuple(mask([[0, 1, 2, 3]], seed)[0].tolist()) for seed in range(20)}) > 2
