from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from semidavil_core.adaptation import stroke_forest as module
from semidavil_core.adaptation.stroke_forest import (
    StrokeForest,
    StrokePixels,
    tiles_of,
)
from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.domains import Domain, MemoryDomain, Sample
from tests.core.tiny_tower import scene, strokes, target_domain


def domain_of(count: int, change: Callable[[Sample], Sample] = lambda s: s) -> Domain:
    return MemoryDomain([change(target_domain(count, painted=count)[i]) for i in range(count)])


def pixels_of(domain: Domain) -> StrokePixels:
    pixels = StrokePixels.of(domain)
    assert pixels is not None
    return pixels


def test_it_finds_classes_by_their_look_in_images_that_it_did_not_see() -> None:
    found = pixels_of(domain_of(4)).checked()
    assert found.keys() == {0, 1, 2}
    assert min(found.values()) > 0.9


def test_labels_that_the_look_says_nothing_of_are_not_found() -> None:
    rng = np.random.default_rng(0)

    def shuffled(sample: Sample) -> Sample:
        assert sample.labels is not None
        labels = np.where(sample.labels == 255, 255, rng.permutation(3)[sample.labels % 3]).astype(np.uint8)
        return Sample(sample.name, sample.image, labels)

    found = pixels_of(domain_of(6, shuffled)).checked()
    assert np.mean(list(found.values())) < 0.7


def test_of_a_class_in_one_image_only_nothing_is_told() -> None:
    def without_sky(sample: Sample) -> Sample:
        assert sample.labels is not None
        if sample.name == "night0":
            return sample
        return Sample(
            sample.name, sample.image, np.where(sample.labels == 2, 255, sample.labels).astype(np.uint8)
        )

    assert pixels_of(domain_of(4, without_sky)).checked().keys() == {0, 1}


def test_of_one_image_strokes_are_left_out_in_turn() -> None:
    found = pixels_of(domain_of(1)).checked()
    assert found.keys() == {0, 1, 2}


def test_where_time_is_short_it_is_judged_by_what_there_was_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    two_tiles = iter([True, False])
    short = StrokePixels.of(domain_of(4), lambda: next(two_tiles))
    assert short is not None
    assert len(np.unique(short.groups)) == 2
    assert StrokePixels.of(domain_of(4), lambda: False) is None, "one image cannot be left out"
    fitted: list[int] = []
    fit = module._fitted
    monkeypatch.setattr(module, "_fitted", lambda x, y, trees: (fitted.append(len(y)), fit(x, y, trees))[1])
    found = pixels_of(domain_of(4)).checked(lambda: False)
    assert len(fitted) == 1
    assert found.keys() == {0, 1, 2}
    assert min(found.values()) > 0.9, "pixels that had no turn do not count"


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_it_is_the_same_forest_however_many_threads_grow_it(threads: Callable[[int], None]) -> None:
    domain = domain_of(3)
    pixels, labels = pixels_of(domain), []
    for count in (1, 2):
        threads(count)
        labels.append([seen for _, seen in StrokeForest(pixels).iter_labels(domain)])
    for one, other in zip(*labels, strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_class_or_one_stroke_is_too_little() -> None:
    image, labels = scene()
    one_class = np.where(strokes(labels) == 0, 0, 255).astype(np.uint8)
    assert StrokePixels.of(MemoryDomain([Sample("a", image, one_class)])) is None
    assert StrokePixels.of(MemoryDomain([Sample("a", image)])) is None


def test_it_labels_painted_images_and_others_and_leaves_out_what_it_is_unsure_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    domain = target_domain(4, painted=2)
    forest = StrokeForest(pixels_of(domain))
    labels = dict(forest.iter_labels(domain))
    assert set(labels) == set(domain.names)
    for index, name in enumerate(domain.names):
        truth = scene(10 + index, dark=True)[1]
        sure = labels[name] != IGNORE_INDEX
        assert sure.mean() > 0.5
        assert np.mean(labels[name][sure] == truth[sure]) > 0.9
    monkeypatch.setattr(module, "_SURE", 1.01)
    assert all((m == IGNORE_INDEX).all() for _, m in forest.iter_labels(domain))


def test_tiles_cover_a_large_image_once() -> None:
    seen = np.zeros((700, 330), int)
    for tile in tiles_of(0, (700, 330)):
        seen[tile.rows, tile.columns] += 1
        assert tile.rows.stop - tile.rows.start <= 320
    assert (seen == 1).all()


def test_a_tile_sees_what_is_around_it() -> None:
    image = scene(3, (400, 100))[0]
    sample = Sample("a", image)
    whole = module.Tile(0, slice(0, 400), slice(0, 100)).features(sample)
    below = tiles_of(0, (400, 100))[1]
    near_rim = below.features(sample)[:8]
    assert np.abs(near_rim - whole[below.rows][:8]).max() < 0.05


def test_of_large_images_only_some_tiles_are_labelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TILE", 16)
    monkeypatch.setattr(module, "_LABELLED_TILES", 4)
    domain = target_domain(3, painted=1)
    maps = dict(StrokeForest(pixels_of(domain)).iter_labels(domain))
    labelled = sum(int((m != IGNORE_INDEX).sum()) for m in maps.values())
    assert 0 < labelled <= 4 * 16 * 16


def test_of_one_large_image_tiles_without_strokes_are_labelled_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TILE", 16)
    image, labels = scene(10)
    corner = strokes(labels)
    corner[:, 20:] = IGNORE_INDEX
    found = dict(
        StrokeForest(pixels_of(MemoryDomain([Sample("a", image, corner)]))).iter_labels(
            MemoryDomain([Sample("a", image, corner)])
        )
    )
    assert (found["a"][:, 40:] != IGNORE_INDEX).any()


def test_images_of_one_row_are_read_too() -> None:
    labels = np.array([[0, 0, 255, 1, 1]], np.uint8)
    image = np.array([[[0] * 3, [0] * 3, [99] * 3, [250] * 3, [250] * 3]], np.uint8)
    pixels = pixels_of(MemoryDomain([Sample(name, image, labels) for name in "abcd"]))
    assert pixels.features.shape[0] == 16
