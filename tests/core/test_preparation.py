from __future__ import annotations

from collections.abc import Generator

import numpy as np
import pytest
import torch

from semidavil_core.adaptation.preparation import iter_prepare, iter_unlabelled
from semidavil_core.control import RunControl
from semidavil_core.data.domains import Domain, MemoryDomain, Sample
from semidavil_core.errors import InvalidLabels
from semidavil_core.events import Event, FinishReason, Notice, RoundFinished, StepFinished
from semidavil_core.inference.evaluate import drain
from semidavil_core.inference.predict import Predictor
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import Budget, PrepareSettings
from tests.core.tiny_tower import CLASSES, source_domain, tiny_segmenter

QUICK = PrepareSettings(crop=32, batch=2)


def drained(preparing: Generator[Event, None, Segmenter]) -> tuple[list[Event], Segmenter]:
    events = []
    while True:
        try:
            events.append(next(preparing))
        except StopIteration as end:
            return events, end.value


def prepare(
    segmenter: Segmenter,
    settings: PrepareSettings = QUICK,
    *,
    steps: int = 2,
    control: RunControl | None = None,
) -> tuple[list[Event], Segmenter]:
    return drained(
        iter_prepare(
            segmenter, source_domain(), settings=settings, budget=Budget(steps=steps), control=control
        )
    )


def accuracy(segmenter: Segmenter, domain: Domain) -> float:
    hits = [
        np.mean(Predictor(segmenter).predict(s.image).labels == s.labels)
        for s in map(domain.__getitem__, range(len(domain)))
    ]
    return float(np.mean(hits))


def weights(segmenter: Segmenter) -> list[torch.Tensor]:
    return [p.detach().clone() for p in segmenter.parameters()]


def test_two_steps_are_told_and_the_last_event_ends_round_zero() -> None:
    events, prepared = prepare(tiny_segmenter())
    assert [type(e) for e in events] == [StepFinished, StepFinished, RoundFinished]
    last = events[-1]
    assert isinstance(last, RoundFinished)
    assert (last.round, last.reason, last.steps) == (0, FinishReason.BUDGET, 2)
    assert not prepared.training


def test_the_segmenter_that_was_handed_over_is_not_changed() -> None:
    segmenter = tiny_segmenter()
    before = weights(segmenter)
    _, prepared = prepare(segmenter)
    assert all(torch.equal(a, b) for a, b in zip(segmenter.parameters(), before, strict=True))
    assert all(p.requires_grad for p in segmenter.parameters())
    assert not all(torch.equal(a, b) for a, b in zip(prepared.parameters(), before, strict=True))


def test_thirty_steps_teach_an_easy_domain() -> None:
    segmenter = tiny_segmenter()
    settings = PrepareSettings(crop=32, batch=4, head_rate=1e-2, tower_rate=1e-3, photometric=0.2)
    _, prepared = prepare(segmenter, settings, steps=30)
    domain = source_domain()
    assert accuracy(prepared, domain) > max(0.85, accuracy(segmenter, domain) + 0.2)


@pytest.mark.parametrize("mode", ["cached", "full"])
def test_the_tower_is_tuned_only_in_full_mode(mode: str) -> None:
    segmenter = tiny_segmenter()
    _, prepared = prepare(segmenter, PrepareSettings(crop=32, batch=2, mode=mode))
    moved = any(
        not torch.equal(a, b)
        for a, b in zip(segmenter.tower.parameters(), prepared.tower.parameters(), strict=True)
    )
    assert moved is (mode == "full")


def test_the_same_seed_prepares_the_same_model() -> None:
    one, other = prepare(tiny_segmenter())[1], prepare(tiny_segmenter())[1]
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_stop_returns_what_was_learnt_so_far() -> None:
    control = RunControl()
    preparing = iter_prepare(
        tiny_segmenter(), source_domain(), settings=QUICK, budget=Budget(steps=100), control=control
    )
    next(preparing)
    control.stop()
    events, prepared = drained(preparing)
    last = events[-1]
    assert isinstance(last, RoundFinished)
    assert (last.reason, last.steps) == (FinishReason.STOPPED, 1)
    assert not all(
        torch.equal(a, b) for a, b in zip(prepared.parameters(), tiny_segmenter().parameters(), strict=True)
    )


def test_the_contrastive_part_comes_and_goes_with_its_weight() -> None:
    def parts(weight: float) -> set[str]:
        events, _ = prepare(tiny_segmenter(), PrepareSettings(crop=32, batch=2, contrastive=weight), steps=1)
        assert isinstance(events[0], StepFinished)
        return set(events[0].losses)

    assert parts(0.1) == {"source", "contrastive"}
    assert parts(0.0) == {"source"}


def test_a_source_without_labels_is_refused_in_words() -> None:
    blank = MemoryDomain([Sample("a", np.zeros((40, 40, 3), np.uint8), None)])
    with pytest.raises(InvalidLabels, match="no labelled pixel"):
        next(iter_prepare(tiny_segmenter(), blank, settings=PrepareSettings(crop=32), budget=Budget(steps=1)))


def test_classes_that_the_source_never_shows_are_told() -> None:
    (notice,) = iter_unlabelled(source_domain(), CLASSES.with_class("fence"))
    assert isinstance(notice, Notice)
    assert "no label of fence" in notice.message
    assert drain(iter_unlabelled(source_domain(), CLASSES.with_class("fence"))) == ("fence",)
    assert list(iter_unlabelled(source_domain(), CLASSES)) == []


def test_of_a_source_without_any_label_no_single_class_is_told() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    assert list(iter_unlabelled(MemoryDomain([Sample("bare", image)]), CLASSES)) == []
