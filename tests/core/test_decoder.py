from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from semidavil_core.model.decoder import ClassAgnosticDecoder


def decoder(**changes: Any) -> ClassAgnosticDecoder:
    torch.manual_seed(0)
    sizes = {
        "embed_dim": 6,
        "fine_channels": (4, 5, 7),
        "finest_stride": 2,
        "width": 16,
        "fine_width": 8,
        "query_dim": 8,
        **changes,
    }
    return ClassAgnosticDecoder(**sizes)


def maps(size: int = 32, classes: int = 3) -> tuple[Tensor, list[Tensor], Tensor, Tensor]:
    torch.manual_seed(1)
    fine = [torch.randn(2, c, size // s, size // s) for c, s in ((4, 2), (5, 4), (7, 8))]
    return (
        torch.randn(2, 6, size // 16, size // 16),
        fine,
        torch.rand(2, 3, size, size),
        torch.randn(2, classes, 6),
    )


def test_untrained_it_adds_nothing() -> None:
    assert not decoder()(*maps()).any()


@pytest.mark.parametrize("classes", [1, 2, 40])
def test_it_scores_any_number_of_classes_at_the_finest_map(classes: int) -> None:
    assert decoder()(*maps(classes=classes)).shape == (2, classes, 16, 16)


def test_a_class_scores_alike_whatever_other_classes_there_are() -> None:
    network = decoder()
    torch.nn.init.normal_(network.pixel_embedding.weight)
    guided, fine, image, language = maps()
    both, alone = network(guided, fine, image, language), network(guided, fine, image, language[:, 1:2])
    torch.testing.assert_close(alone, both[:, 1:2])


def test_every_level_and_the_image_itself_matter() -> None:
    network = decoder()
    torch.nn.init.normal_(network.pixel_embedding.weight)
    guided, fine, image, language = maps()
    before = network(guided, fine, image, language)
    for level in range(3):
        other = [torch.randn_like(m) if i == level else m for i, m in enumerate(fine)]
        assert not torch.allclose(network(guided, other, image, language), before)
    assert not torch.allclose(network(torch.randn_like(guided), fine, image, language), before)
    assert not torch.allclose(network(guided, fine, torch.rand_like(image), language), before)
    assert not torch.allclose(network(guided, fine, image, torch.randn_like(language)), before)


def test_one_finer_map_is_enough() -> None:
    guided, fine, image, language = maps()
    assert decoder(fine_channels=(4,))(guided, fine[:1], image, language).shape == (2, 3, 16, 16)


def test_the_narrowest_decoder_takes_a_single_location_of_a_single_image() -> None:
    network = decoder(width=8, fine_width=8, fine_channels=(4,))
    scores = network(
        torch.rand(1, 6, 1, 1), [torch.rand(1, 4, 1, 1)], torch.rand(1, 3, 2, 2), torch.rand(1, 3, 6)
    )
    assert scores.shape == (1, 3, 1, 1)


def test_beyond_a_coarse_tower_the_image_alone_gives_detail() -> None:
    network = decoder(fine_channels=(4, 5), finest_stride=16)
    torch.nn.init.normal_(network.pixel_embedding.weight)
    guided, image, language = torch.randn(1, 6, 4, 4), torch.full((1, 3, 64, 64), 0.5), torch.randn(1, 3, 6)
    fine = [torch.randn(1, c, 4, 4) for c in (4, 5)]
    plain = network(guided, fine, image, language)
    assert plain.shape == (1, 3, 16, 16)
    image[..., 20:24, 20:24] = 1.0  # a quarter of a patch
    changed = (network(guided, fine, image, language) - plain).abs().sum(1)[0]
    assert changed.argmax() in [16 * row + column for row in range(4, 8) for column in range(4, 8)]
