from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from semidavil_core.adaptation.step_batch import BatchMaker, StepBatch, Views
from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.augmentation import channel_statistics
from semidavil_core.data.batches import CropGeometry, CropStream
from semidavil_core.data.domains import Domain, MemoryDomain, Sample
from semidavil_core.settings import AdaptSettings
from tests.core.tiny_tower import source_domain, target_domain

CPU = torch.device("cpu")


def stream(domain: Domain, *, seed: int = 0, views: int | None = None) -> CropStream:
    return CropStream(domain, CropGeometry(32, 0.8, 1.2), num_classes=3, seed=seed, views=views)


def maker(
    *,
    source: bool | Domain = True,
    target: Domain | None = None,
    seed: int = 0,
    views: int | None = None,
    **changes: Any,
) -> BatchMaker:
    domain = source_domain() if source is True else source
    return BatchMaker(
        source=stream(domain, seed=seed + 1, views=views) if domain else None,
        target=stream(target or target_domain(), seed=seed + 2, views=views),
        settings=AdaptSettings(crop=32, seed=seed, **changes),
        device=CPU,
    )


def tensors(batch: StepBatch) -> list[Tensor]:
    views = [batch.target] if batch.source is None else [batch.source, batch.target]
    return [t for v in views for t in (v.weak, v.strong, v.labels, v.inside)]


def test_a_batch_holds_as_many_crops_of_each_kind_as_asked() -> None:
    batch = maker(source_batch=3, labelled_batch=2, unlabelled_batch=4).draw()
    assert batch.source is not None
    assert len(batch.source) == 3
    assert len(batch.target) == 6


def test_views_have_the_documented_shapes_types_and_ranges() -> None:
    batch = maker().draw()
    assert batch.source is not None
    for views in (batch.source, batch.target):
        count = len(views)
        assert views.weak.shape == views.strong.shape == (count, 3, 32, 32)
        assert views.labels.shape == views.inside.shape == (count, 32, 32)
        assert views.labels.dtype == torch.uint8
        assert views.inside.dtype == torch.bool
        assert len(views.keys) == count
        for image in (views.weak, views.strong):
            assert image.dtype == torch.float32
            assert image.min() >= 0
            assert image.max() <= 1


def test_the_same_seed_draws_the_same_batches() -> None:
    one, other = maker(seed=3), maker(seed=3)
    for _ in range(3):
        for mine, theirs in zip(tensors(one.draw()), tensors(other.draw()), strict=True):
            assert torch.equal(mine, theirs)


def test_another_seed_draws_another_batch() -> None:
    assert not torch.equal(maker(seed=3).draw().target.weak, maker(seed=4).draw().target.weak)


def test_the_first_target_crops_hold_strokes() -> None:
    batches = maker(labelled_batch=2, unlabelled_batch=1)
    for _ in range(5):
        labels = batches.draw().target.labels
        assert (labels[:2] != IGNORE_INDEX).flatten(1).any(1).all()


def test_equal_keys_are_equal_views_when_views_are_kept() -> None:
    batches = maker(views=1, unlabelled_batch=4)
    seen: dict[Any, tuple[Tensor, ...]] = {}
    repeated = 0
    for _ in range(6):
        batch = batches.draw()
        assert batch.source is not None
        for views in (batch.source, batch.target):
            for row, key in enumerate(views.keys):
                now = (views.weak[row], views.strong[row], views.labels[row], views.inside[row])
                repeated += key in seen
                for mine, earlier in zip(now, seen.setdefault(key, now), strict=True):
                    assert torch.equal(mine, earlier)
    assert repeated


def test_images_of_one_name_in_both_domains_have_different_keys() -> None:
    target = target_domain()
    source = MemoryDomain([Sample("night0", source_domain()[0].image, source_domain()[0].labels)])
    batch = maker(source=source, target=MemoryDomain([target[0]]), views=1).draw()
    assert batch.source is not None
    assert not set(batch.source.keys) & set(batch.target.keys)


def test_source_free_batches_have_no_source() -> None:
    assert maker(source=False).draw().source is None


def test_a_source_that_no_loss_wants_is_not_drawn() -> None:
    assert maker(source_weight=0.0).draw().source is None
    assert maker(source_batch=0).draw().source is None


def test_without_consistency_only_crops_with_strokes_are_drawn() -> None:
    batch = maker(consistency=0.0, labelled_batch=2, unlabelled_batch=5).draw()
    assert len(batch.target) == 2


def gaps(views: Views, domain: Domain) -> tuple[float, float]:
    """How far the mean colours of weak and of strong views are from the nearest image of `domain`."""
    wanted = torch.stack(
        [
            channel_statistics(torch.from_numpy(np.array(s.image)).movedim(-1, 0) / 255)[0]
            for s in map(domain.__getitem__, range(len(domain)))
        ]
    )  # (N, 3)
    means = [image.mean((2, 3)) for image in (views.weak, views.strong)]
    weak, strong = (torch.cdist(mean, wanted).amin(1).mean() for mean in means)
    return float(weak), float(strong)


def test_restyled_source_crops_move_towards_the_targets_colours() -> None:
    target = target_domain()
    batch = maker(target=target, style=1.0, source_batch=16).draw()
    assert batch.source is not None
    weak, strong = gaps(batch.source, target)
    assert strong < 0.7 * weak


def test_without_restyling_source_crops_keep_their_brightness_on_average() -> None:
    target = target_domain()
    batch = maker(target=target, style=0.0, source_batch=16).draw()
    assert batch.source is not None
    weak, strong = gaps(batch.source, target)
    assert strong > 0.7 * weak


def test_beyond_an_images_border_nothing_is_labelled() -> None:
    image, labels = target_domain()[0].image, target_domain()[0].labels
    assert labels is not None
    small = MemoryDomain([Sample("small", image[:20, :20], labels[:20, :20])])
    unzoomed = CropStream(small, CropGeometry(32, 1.0, 1.0), num_classes=3, seed=0)
    views = (
        BatchMaker(source=None, target=unzoomed, settings=AdaptSettings(crop=32), device=CPU).draw().target
    )
    assert not views.inside.all()
    assert (views.labels != IGNORE_INDEX).any()
    assert views.labels[~views.inside].eq(IGNORE_INDEX).all()


def test_strong_views_of_target_crops_differ_from_the_weak_ones() -> None:
    views = maker(labelled_batch=8).draw().target
    assert not torch.equal(views.weak, views.strong)
