from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from semidavil_core.errors import InvalidSettings
from semidavil_core.model.model_settings import ModelSettings
from semidavil_core.model.segmenter import Segmenter
from tests.core.tiny_tower import DIM, TinyTower, text_matrix, tiny_segmenter


def images(height: int = 32, width: int = 40, count: int = 2) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)


@torch.no_grad()
def test_untrained_it_is_the_towers_cosine_map() -> None:
    segmenter, pixels = tiny_segmenter(), images()
    aligned = functional.normalize(TinyTower()(pixels).aligned, dim=1)
    cosine = torch.einsum("bdhw,kd->bkhw", aligned, text_matrix())
    expected = 10.0 * resized(resized(cosine, (16, 20)), (32, 40))
    torch.testing.assert_close(segmenter(pixels), expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("size", [(32, 40), (33, 41), (7, 3), (1, 1), (31, 64)])
@pytest.mark.parametrize("trained", [False, True])
def test_logits_have_the_images_size_whatever_the_stride(size: tuple[int, int], trained: bool) -> None:
    logits = tiny_segmenter(trained=trained)(images(*size))
    assert logits.shape == (2, 3, *size)
    assert torch.isfinite(logits).all()


@torch.no_grad()
def test_another_class_set_needs_no_new_parameter() -> None:
    segmenter = tiny_segmenter(trained=True)
    before = {name: p.shape for name, p in segmenter.named_parameters()}
    for classes in (1, 7):
        segmenter.set_text(text_matrix(classes))
        assert segmenter.num_classes == classes
        assert segmenter(images()).shape[1] == classes
    assert {name: p.shape for name, p in segmenter.named_parameters()} == before


@torch.no_grad()
def test_a_class_added_before_training_leaves_the_other_logits_as_they_were() -> None:
    segmenter = tiny_segmenter()
    before = segmenter(images())
    segmenter.set_text(torch.cat([text_matrix(), text_matrix(1, seed=9)]))
    torch.testing.assert_close(segmenter(images())[:, :3], before)


@torch.no_grad()
def test_another_order_of_classes_only_orders_the_logits() -> None:
    segmenter = tiny_segmenter(trained=True)
    before = segmenter(images())
    segmenter.set_text(text_matrix()[[2, 0, 1]])
    torch.testing.assert_close(segmenter(images()), before[:, [2, 0, 1]], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_cells_that_see_only_padding_do_not_speak_to_the_classes() -> None:
    segmenter = tiny_segmenter(trained=True, mutual=True)
    features = segmenter.encode(images(17, 17))
    assert features.aligned.shape[-2:] == (3, 3)
    features.aligned[..., 2, :] = 0  # the third row sees pixel 16, the image's last
    _, with_last = segmenter.guide(features, (17, 17))
    _, without_last = segmenter.guide(features, (16, 17))
    features.aligned[..., 2, :] = 5 * torch.rand(2, DIM, 3)
    assert not torch.allclose(segmenter.guide(features, (17, 17))[1], with_last)
    torch.testing.assert_close(segmenter.guide(features, (16, 17))[1], without_last)


def overfitted(segmenter: Segmenter, image: Tensor, labels: Tensor, steps: int) -> Tensor:
    head = [*segmenter.guidance.parameters(), *segmenter.decoder.parameters()]
    optimizer = torch.optim.AdamW(head, lr=1e-2)
    weight = torch.tensor([1.0, 8.0])
    for _ in range(steps):
        optimizer.zero_grad()
        functional.cross_entropy(segmenter(image), labels, weight=weight).backward()
        optimizer.step()
    return segmenter(image).argmax(1)


def test_a_pole_of_two_pixels_can_be_learnt_with_a_frozen_tower() -> None:
    labels = torch.zeros(1, 48, 48, dtype=torch.long)
    labels[:, 6:40, 21:23] = 1
    torch.manual_seed(3)
    image = torch.where(labels.bool().unsqueeze(1), 0.25, 0.65) + 0.03 * torch.randn(1, 3, 48, 48)
    found = overfitted(tiny_segmenter(2), image.clamp(0, 1), labels, 60)
    intersection, union = (found & labels).sum(), (found | labels).sum()
    assert intersection / union > 0.6


@pytest.mark.parametrize(
    "sizes",
    [{"width": 8}, {"width": 20}, {"fine_width": 20}, {"key_dim": 4}, {"query_dim": 2000}, {"width": 16.0}],
)
def test_impossible_sizes_are_refused_by_name(sizes: dict[str, int]) -> None:
    with pytest.raises(InvalidSettings, match=next(iter(sizes))):
        ModelSettings(**sizes)


@torch.no_grad()
def test_sentences_about_the_images_join_the_guidance_but_are_no_class() -> None:
    segmenter = tiny_segmenter(trained=True)
    before = segmenter(images())
    segmenter.set_context(text_matrix(2, seed=5))
    guided = segmenter(images())
    assert guided.shape == before.shape
    assert not torch.allclose(guided, before)
    segmenter.set_context(None)
    torch.testing.assert_close(segmenter(images()), before)


@torch.no_grad()
def test_untrained_it_does_not_listen_to_sentences() -> None:
    segmenter = tiny_segmenter()
    before = segmenter(images())
    segmenter.set_context(text_matrix(2, seed=5))
    torch.testing.assert_close(segmenter(images()), before)
