from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from semidavil_core.adaptation.features import FeatureCache, join_features, mix_features, select_features
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.vlm.clip_towers import DenseFeatures
from tests.core.tiny_tower import tiny_segmenter


@pytest.fixture(scope="module")
def model() -> Segmenter:
    return tiny_segmenter().requires_grad_(False)


def images(count: int, seed: int = 0, size: int = 32) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def assert_equal(mine: DenseFeatures, other: DenseFeatures, **tolerances: Any) -> None:
    assert mine.padded_size == other.padded_size
    for a, b in zip((mine.aligned, *mine.fine), (other.aligned, *other.fine), strict=True):
        torch.testing.assert_close(a, b, **tolerances)


class Counting:
    """Counts the images that reach the encoder."""

    def __init__(self, model: Segmenter) -> None:
        self._model = model
        self.encoded = 0

    def encode(self, batch: Tensor) -> DenseFeatures:
        self.encoded += len(batch)
        return self._model.encode(batch)


def bytes_of_one(model: Segmenter) -> int:
    """What one cached view of 32 x 32 pixels takes in half precision."""
    features = model.encode(images(1))
    return 2 * sum(t.numel() for t in (features.aligned, *features.fine))


def test_cached_features_are_the_encoders_to_half_precision(model: Segmenter) -> None:
    cache, batch = FeatureCache(model), images(3)
    direct = model.encode(batch)
    for _ in range(2):  # fresh, then recalled
        assert_equal(cache.encode(batch, "abc"), direct, atol=2e-3, rtol=2e-3)


def test_recalled_features_equal_fresh_ones_bit_for_bit(model: Segmenter) -> None:
    cache, batch = FeatureCache(model), images(2)
    assert_equal(cache.encode(batch, "ab"), cache.encode(batch, "ab"), atol=0, rtol=0)


def test_each_view_goes_through_the_encoder_once(model: Segmenter) -> None:
    counting = Counting(model)
    cache, batch = FeatureCache(counting), images(3)  # type: ignore[arg-type]
    cache.encode(batch[:2], "ab")
    cache.encode(batch, "abc")
    cache.encode(batch[[2, 0]], "ca")
    assert counting.encoded == 3
    assert len(cache) == 3


def test_rows_come_in_the_order_asked_for(model: Segmenter) -> None:
    cache, batch = FeatureCache(model), images(3)
    cache.encode(batch[1:2], "b")
    mixed = cache.encode(batch[[2, 1, 0]], "cba")
    assert_equal(mixed, model.encode(batch[[2, 1, 0]]), atol=2e-3, rtol=2e-3)


def test_a_key_twice_in_one_batch_gives_the_view_twice_and_keeps_it_once(model: Segmenter) -> None:
    cache, batch = FeatureCache(model), images(2)
    features = cache.encode(batch[[0, 1, 0]], "aba")
    assert_equal(features, model.encode(batch[[0, 1, 0]]), atol=2e-3, rtol=2e-3)
    assert len(cache) == 2


def test_beyond_the_memory_limit_the_view_used_longest_ago_is_dropped(model: Segmenter) -> None:
    counting = Counting(model)
    cache, batch = FeatureCache(counting, limit=2 * bytes_of_one(model)), images(3)  # type: ignore[arg-type]
    cache.encode(batch[:2], "ab")
    cache.encode(batch[:1], "a")  # now b is the oldest
    cache.encode(batch[2:], "c")
    assert len(cache) == 2
    assert counting.encoded == 3
    cache.encode(batch[:1], "a")
    assert counting.encoded == 3
    cache.encode(batch[1:2], "b")
    assert counting.encoded == 4


def test_a_batch_beyond_the_limit_is_answered_all_the_same(model: Segmenter) -> None:
    cache, batch = FeatureCache(model, limit=1), images(4)
    direct = model.encode(batch)
    for _ in range(2):
        assert_equal(cache.encode(batch, "abcd"), direct, atol=2e-3, rtol=2e-3)
        assert len(cache) == 1


def test_cached_features_carry_no_graph() -> None:
    model = tiny_segmenter()
    features = FeatureCache(model).encode(images(1), "a")
    assert not any(t.requires_grad for t in (features.aligned, *features.fine))


def mask_of(rows: int, size: int = 32) -> Tensor:
    """The upper `rows` rows of one image."""
    mask = torch.zeros(1, size, size, dtype=torch.bool)
    mask[:, :rows] = True
    return mask


def test_mixing_takes_the_others_features_where_the_mask_is_set(model: Segmenter) -> None:
    base, other = model.encode(images(1, 1)), model.encode(images(1, 2))
    mixed = mix_features(base, other, mask_of(16))  # aligned map 4 x 4, fine map 16 x 16
    torch.testing.assert_close(mixed.aligned[..., :2, :], other.aligned[..., :2, :])
    torch.testing.assert_close(mixed.aligned[..., 2:, :], base.aligned[..., 2:, :])
    torch.testing.assert_close(mixed.fine[0][..., :8, :], other.fine[0][..., :8, :])
    torch.testing.assert_close(mixed.fine[0][..., 8:, :], base.fine[0][..., 8:, :])


def test_a_cell_that_the_mask_half_covers_is_mixed_half_and_half(model: Segmenter) -> None:
    base, other = model.encode(images(1, 1)), model.encode(images(1, 2))
    mixed = mix_features(base, other, mask_of(4))
    torch.testing.assert_close(mixed.aligned[..., 0, :], (base.aligned + other.aligned)[..., 0, :] / 2)


def test_an_empty_and_a_full_mask_give_the_one_and_the_other(model: Segmenter) -> None:
    base, other = model.encode(images(1, 1, 20)), model.encode(images(1, 2, 20))  # padded to 24
    assert_equal(mix_features(base, other, mask_of(0, 20)), base)
    assert_equal(mix_features(base, other, mask_of(20, 20)), other)


def test_selecting_and_joining_are_rows_of_the_batch(model: Segmenter) -> None:
    batch = images(3)
    features = model.encode(batch)
    assert_equal(select_features(features, torch.tensor([2, 0])), model.encode(batch[[2, 0]]))
    joined = join_features(
        select_features(features, torch.tensor([0])), select_features(features, torch.tensor([1, 2]))
    )
    assert_equal(joined, features)
