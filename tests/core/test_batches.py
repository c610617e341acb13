from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from semidavil_core.data.batches import Crop, CropGeometry, CropStream, crop_side
from semidavil_core.data.domains import MemoryDomain, Sample
from tests.core.tiny_tower import source_domain, target_domain

ANY_ZOOM = CropGeometry(32, 0.5, 1.5)
AS_IS = CropGeometry(32, 1.0, 1.0)


def stream(
    domain: MemoryDomain | None = None, geometry: CropGeometry = ANY_ZOOM, **changes: Any
) -> CropStream:
    return CropStream(domain or source_domain(), geometry, **{"num_classes": 3, "seed": 5, **changes})


def same(one: Crop, other: Crop) -> bool:
    return torch.equal(one.image, other.image) and torch.equal(one.labels, other.labels)


def coded(height: int, width: int, labels: NDArray[np.uint8] | None = None) -> MemoryDomain:
    """One image whose red channel is its labels."""
    if labels is None:
        labels = np.random.default_rng(0).integers(0, 3, (height // 8 + 1, width // 8 + 1)).astype(np.uint8)
        labels = labels.repeat(8, 0).repeat(8, 1)[:height, :width]
    return MemoryDomain([Sample("coded", np.stack([labels] * 3, -1), labels)])


def test_crops_have_the_shapes_types_and_ranges_they_promise() -> None:
    for crop in stream().on_classes(4):
        assert crop.image.shape == (3, 32, 32)
        assert crop.image.dtype == torch.float32
        assert 0 <= crop.image.min() <= crop.image.max() <= 1
        assert (crop.labels.shape, crop.labels.dtype) == ((32, 32), torch.uint8)
        assert (crop.inside.shape, crop.inside.dtype) == ((32, 32), torch.bool)


def test_the_seed_decides_the_crops() -> None:
    first, again, other = stream(), stream(), stream(seed=6)
    a, b, c = (s.on_classes(3) + s.anywhere(3) for s in (first, again, other))
    assert all(same(x, y) for x, y in zip(a, b, strict=True))
    assert not all(same(x, y) for x, y in zip(a, c, strict=True))


def test_image_and_labels_share_zoom_place_and_flip() -> None:
    for crop in stream(coded(64, 80), AS_IS).anywhere(20):
        assert torch.equal((crop.image[0] * 255).round().to(torch.uint8), crop.labels)


def test_hints_share_zoom_place_and_flip_and_are_nothing_where_there_are_none() -> None:
    sample = coded(64, 80)[0]
    hinted = MemoryDomain([Sample(sample.name, sample.image, None, sample.labels)])
    for crop in stream(hinted, AS_IS).anywhere(20):
        inside = crop.inside
        assert torch.equal((crop.image[0] * 255).round().to(torch.uint8)[inside], crop.hints[inside])
        assert (crop.hints[~inside] == 255).all()
        assert (crop.labels == 255).all()
    assert all((crop.hints == 255).all() for crop in stream(coded(64, 80), AS_IS).anywhere(4))


def test_zoomed_image_and_labels_still_lie_on_each_other() -> None:
    for crop in stream(coded(96, 96), CropGeometry(32, 0.6, 1.4)).anywhere(10):
        agree = (crop.image[0] * 255).round() == crop.labels
        assert agree.float().mean() > 0.7  # all but the borders of the blocks


def test_crops_are_flipped_about_half_of_the_time() -> None:
    labels = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    crops = stream(coded(64, 64, labels), CropGeometry(64, 1.0, 1.0), num_classes=64).anywhere(40)
    flipped = sum(bool(c.labels[0, 0] > c.labels[0, -1]) for c in crops)
    assert 8 < flipped < 32


@pytest.mark.parametrize("size", [(5, 7), (1, 1), (20, 200), (33, 31)])
def test_of_an_image_smaller_than_the_crop_the_outside_is_marked_and_unlabelled(
    size: tuple[int, int],
) -> None:
    for crop in stream(coded(*size), AS_IS).on_classes(4):
        assert crop.inside.any()
        assert (crop.labels[~crop.inside] == 255).all()
        assert (crop.labels[crop.inside] != 255).all()
        assert int(crop.inside.sum()) == min(size[0], 32) * min(size[1], 32)


def test_beyond_its_border_an_image_repeats_its_edge() -> None:
    image = np.full((8, 8, 3), 200, np.uint8)
    domain = MemoryDomain([Sample("bright", image)])
    crop = stream(domain, AS_IS).anywhere(1)[0]
    torch.testing.assert_close(crop.image, torch.full_like(crop.image, 200 / 255))


def rare_domain() -> MemoryDomain:
    labels = np.zeros((64, 64), np.uint8)
    labels[40:43, 40:43] = 1
    common = np.zeros((64, 64), np.uint8)
    grey = np.zeros((64, 64, 3), np.uint8)
    return MemoryDomain(
        [Sample(f"common{i}", grey, common) for i in range(4)] + [Sample("rare", grey, labels)]
    )


def test_rare_classes_are_drawn_much_more_often_than_they_occur() -> None:
    crops = stream(rare_domain(), AS_IS, num_classes=2).on_classes(60)
    assert sum(bool((c.labels == 1).any()) for c in crops) > 30
    at_random = stream(rare_domain(), AS_IS, num_classes=2).anywhere(60)
    assert sum(bool((c.labels == 1).any()) for c in at_random) < 20


@pytest.mark.parametrize("temperature", [0.001, 0.01, 100.0])
def test_any_allowed_temperature_gives_crops(temperature: float) -> None:
    crops = stream(rare_domain(), AS_IS, num_classes=2, rare_temperature=temperature).on_classes(20)
    rare = sum(bool((c.labels == 1).any()) for c in crops)
    assert rare == 20 if temperature < 0.1 else 2 < rare < 18


def test_every_crop_for_strokes_holds_a_stroke_even_if_it_is_a_pixel_wide_and_zoomed_out() -> None:
    labels = np.full((100, 100), 255, np.uint8)
    labels[:, 50] = 1
    domain = MemoryDomain([Sample("thin", np.zeros((100, 100, 3), np.uint8), labels)])
    for crop in stream(domain, CropGeometry(32, 0.4, 0.6)).on_classes(20):
        assert (crop.labels == 1).sum() >= 10
        assert (crop.labels[crop.labels != 255] == 1).all()


def test_without_any_label_crops_come_from_anywhere() -> None:
    domain = MemoryDomain([Sample("bare", np.zeros((40, 40, 3), np.uint8))])
    assert (stream(domain).on_classes(2)[0].labels == 255).all()


def test_kept_views_are_few_and_equal_keys_are_equal_crops() -> None:
    kept = stream(target_domain(), views=3)
    by_key: dict[tuple[str, int], Crop] = {}
    for _ in range(12):
        for crop in kept.on_classes(3) + kept.anywhere(3):
            assert same(crop, by_key.setdefault(crop.key, crop))
    assert len(by_key) <= 2 * 3 * 3  # around strokes and anywhere, of three images


def test_kept_views_are_the_same_in_the_next_round() -> None:
    first, second = ({c.key: c for c in stream(target_domain(), views=2).anywhere(20)} for _ in range(2))
    assert first.keys() == second.keys()
    assert all(same(first[key], second[key]) for key in first)


def test_kept_views_for_strokes_hold_strokes() -> None:
    crops = stream(target_domain(), AS_IS, views=4).on_classes(12)
    assert all((c.labels != 255).any() for c in crops)


@pytest.mark.parametrize(("side", "expected"), [(20, 32), (208, 192), (360, 256), (3000, 256)])
def test_small_images_are_cut_into_smaller_crops(side: int, expected: int) -> None:
    domain = MemoryDomain([Sample("a", np.zeros((2 * side, side, 3), np.uint8), None)])
    assert crop_side(256, domain) == expected


@pytest.mark.parametrize(("side", "low", "high"), [(48, 0.5333, 1.3333), (16, 1.0, 2.0), (640, 0.4, 1.0)])
def test_zooms_fit_the_images_and_always_hold_their_own_resolution(
    side: int, low: float, high: float
) -> None:
    domain = MemoryDomain([Sample("a", np.zeros((side, 2 * side, 3), np.uint8), None)])
    fitted = CropGeometry.fitted(32, domain, 0.8, 2.0)
    assert (fitted.scale_low, fitted.scale_high) == pytest.approx((low, high), abs=1e-3)
    assert fitted.scale_low <= 1 <= fitted.scale_high
