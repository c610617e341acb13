from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from semidavil_core.adaptation.ema_teacher import EmaTeacher
from semidavil_core.adaptation.features import FeatureCache
from semidavil_core.adaptation.loop import LoopEnd
from semidavil_core.adaptation.round import Learner, Round, preview
from semidavil_core.adaptation.round_plan import PhasePlan, strokes_alone
from semidavil_core.adaptation.step import Guides
from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.control import RunControl
from semidavil_core.data.domains import Domain, MemoryDomain, Sample
from semidavil_core.events import Event, FinishReason, PreviewReady, StepFinished
from semidavil_core.inference.predict import Predictor
from semidavil_core.model.readout import Readout
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import AdaptSettings, Budget, PredictSettings
from tests.core.tiny_tower import source_domain, target_domain, tiny_segmenter


def learner_of(guides: Guides | None = None) -> Learner:
    student = tiny_segmenter(trained=True)
    return Learner(student, EmaTeacher(student), guides or Guides())


def round_of(learner: Learner, *, source: Domain | None = None, index: int = 0, **changes: Any) -> Round:
    settings = AdaptSettings(crop=32, source_batch=1, labelled_batch=1, unlabelled_batch=1, **changes)
    return Round(learner, target=target_domain(), source=source, settings=settings, index=index)


def drained(events: Generator[Event, None, LoopEnd]) -> tuple[list[Event], LoopEnd]:
    seen = []
    while True:
        try:
            seen.append(next(events))
        except StopIteration as end:
            return seen, end.value


def run(
    training: Round, *, steps: int = 2, preview_every: float | None = None
) -> tuple[list[Event], LoopEnd]:
    return drained(
        training.run(budget=Budget(steps=steps), control=RunControl(), preview_every=preview_every)
    )


def weights(model: Segmenter) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def moved(model: Segmenter, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}


@pytest.mark.parametrize("mode", ["cached", "full"])
@pytest.mark.parametrize("source", [False, True])
def test_two_steps_move_student_and_teacher(mode: str, *, source: bool) -> None:
    learner = learner_of()
    before = weights(learner.student)
    events, end = run(round_of(learner, source=source_domain() if source else None, mode=mode))
    assert [type(e) for e in events] == [StepFinished] * 2
    assert (end.reason, end.steps) == (FinishReason.BUDGET, 2)
    assert learner.teacher.updates == 2
    for model in (learner.student, learner.teacher.model):
        changed = moved(model, before)
        assert changed
        assert any(name.startswith("tower.") for name in changed) is (mode == "full")
    assert not learner.teacher.model.training


def test_the_teacher_lags_behind_the_student() -> None:
    learner = learner_of()
    start = learner.student.decoder.query.weight.detach().clone()
    run(round_of(learner), steps=4)
    student, teacher = learner.student.decoder.query.weight, learner.teacher.model.decoder.query.weight
    assert 0 < (teacher - start).norm() < (student - start).norm()


def test_guides_are_never_trained() -> None:
    source, zero_shot = tiny_segmenter(trained=True).eval(), tiny_segmenter().eval()
    guides = Guides(zero_shot=zero_shot.requires_grad_(False), source=source.requires_grad_(False))
    before = weights(source), weights(zero_shot)
    events, _ = run(round_of(learner_of(guides), clip_guidance=1.0, clip_prior=0.5, anchor=1.0))
    assert isinstance(events[0], StepFinished)
    assert {"guidance", "anchor"} <= set(events[0].losses)
    assert moved(source, before[0]) == moved(zero_shot, before[1]) == set()


def test_guides_have_no_say_after_three_rounds() -> None:
    guides = Guides(source=tiny_segmenter(trained=True).eval().requires_grad_(False))
    events, _ = run(round_of(learner_of(guides), anchor=1.0, index=3))
    assert isinstance(events[0], StepFinished)
    assert "anchor" not in events[0].losses


@pytest.mark.parametrize("mode", ["cached", "full"])
def test_the_same_seed_gives_the_same_weights_bit_for_bit(mode: str) -> None:
    ends = []
    for _ in range(2):
        learner = learner_of()
        run(round_of(learner, source=source_domain(), mode=mode))
        ends.append(weights(learner.teacher.model))
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_another_seed_gives_other_weights() -> None:
    one, other = learner_of(), learner_of()
    run(round_of(one, seed=0))
    run(round_of(other, seed=1))
    assert moved(one.teacher.model, weights(other.teacher.model))


def test_previews_show_images_with_strokes_first_and_then_all_over_again() -> None:
    learner = learner_of()
    base = target_domain(painted=0)
    painted = target_domain()
    target = MemoryDomain([base[2], painted[0], painted[1]])
    training = Round(learner, target=target, source=None, settings=AdaptSettings(crop=32), index=0)
    events, _ = run(training, steps=4, preview_every=0.0)
    assert [type(e) for e in events] == [StepFinished, PreviewReady] * 4
    assert [e.image for e in events if isinstance(e, PreviewReady)] == [
        "night0",
        "night1",
        "night2",
        "night0",
    ]


def test_without_a_rhythm_there_are_no_previews() -> None:
    events, _ = run(round_of(learner_of()))
    assert not any(isinstance(e, PreviewReady) for e in events)


def test_previews_do_not_change_what_is_learnt() -> None:
    shown, unseen = learner_of(), learner_of()
    run(round_of(shown), preview_every=0.0)
    run(round_of(unseen))
    assert moved(shown.teacher.model, weights(unseen.teacher.model)) == set()


def test_a_preview_is_the_models_prediction_with_the_pseudo_labels_it_would_teach() -> None:
    learner, target = learner_of(), target_domain()
    shown = preview(learner, target, 2, threshold=0.6)
    expected = Predictor(learner.teacher.model, PredictSettings(flip=False)).predict(target[2].image)
    np.testing.assert_array_equal(shown.prediction, expected.labels)
    np.testing.assert_array_equal(shown.confidence, expected.confidence)
    assert shown.pseudo_labels is not None
    sure = shown.confidence >= 0.6
    np.testing.assert_array_equal(shown.pseudo_labels[sure], shown.prediction[sure])
    assert (shown.pseudo_labels[~sure] == IGNORE_INDEX).all()


def test_strokes_that_disagree_with_the_prediction_win_in_the_pseudo_labels() -> None:
    learner, image = learner_of(), target_domain()[0].image
    predicted = preview(learner, MemoryDomain([Sample("a", image)]), 0, threshold=0.0).prediction
    strokes = np.full(image.shape[:2], IGNORE_INDEX, np.uint8)
    strokes[10:20, 10:20] = (predicted[10:20, 10:20] + 1) % 3
    shown = preview(learner, MemoryDomain([Sample("a", image, strokes)]), 0, threshold=0.0)
    assert shown.pseudo_labels is not None
    painted = strokes != IGNORE_INDEX
    np.testing.assert_array_equal(shown.pseudo_labels[painted], strokes[painted])
    np.testing.assert_array_equal(shown.pseudo_labels[~painted], predicted[~painted])
    np.testing.assert_array_equal(shown.prediction, predicted)


def test_pseudo_labels_are_shown_as_they_are_taught_however_the_prediction_is_read_out() -> None:
    learner, target = learner_of(), target_domain()
    plain = preview(learner, target, 2, threshold=0.6)
    learner.teacher.model.readout = Readout(temperature=3.0, image_prior=0.5)
    warm = preview(learner, target, 2, threshold=0.6)
    assert warm.confidence.mean() < plain.confidence.mean()
    np.testing.assert_array_equal(warm.pseudo_labels, plain.pseudo_labels)


def test_phases_begin_with_their_share_of_the_budget_and_after_their_steps() -> None:
    settings = AdaptSettings(crop=32, source_batch=1, labelled_batch=1, unlabelled_batch=1)
    phases = (
        PhasePlan(0.0, strokes_alone(settings)),
        PhasePlan(0.25, replace(settings, consistency=0.0)),
        PhasePlan(0.25, settings, after=5),
    )
    training = Round(
        learner_of(),
        target=target_domain(),
        source=source_domain(),
        settings=settings,
        index=0,
        phases=phases,
    )
    events, _ = run(training, steps=8)
    parts = [set(e.losses) for e in events if isinstance(e, StepFinished)]
    assert ["source" in p for p in parts] == [False] * 2 + [True] * 6
    assert ["consistency" in p for p in parts] == [False] * 5 + [True] * 3


def test_kept_features_are_those_of_the_crop_they_are_used_for_when_labels_join(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[Any, torch.Tensor] = {}
    real = FeatureCache.encode

    def encode(self: FeatureCache, images: torch.Tensor, keys: Any) -> Any:
        for image, key in zip(images, keys, strict=True):
            torch.testing.assert_close(image, seen.setdefault((self, key), image))
        return real(self, images, keys)

    monkeypatch.setattr(FeatureCache, "encode", encode)
    target = target_domain()
    sparse = MemoryDomain([_with_one_stroke_pixel(target[i]) for i in range(len(target))])
    settings = AdaptSettings(crop=32, source_batch=0, labelled_batch=4, consistency=0.0, mode="cached")
    training = Round(learner_of(), target=sparse, source=None, settings=settings, index=0)
    run(training, steps=12)
    training.go_on_with(target)
    run(training, steps=12)
    assert len({cache for cache, _ in seen}) == 2


def _with_one_stroke_pixel(sample: Sample) -> Sample:
    if sample.labels is None:
        return sample
    labels = np.full_like(sample.labels, IGNORE_INDEX)
    first = np.flatnonzero(sample.labels.ravel() != IGNORE_INDEX)[0]
    labels.flat[first] = sample.labels.flat[first]
    return Sample(sample.name, sample.image, labels)


def test_labels_of_a_forest_teach_in_the_phases_that_ask_for_them() -> None:
    bare = target_domain(painted=0)
    forest = {name: np.ones(bare[0].image.shape[:2], np.uint8) for name in bare.names}
    alone = strokes_alone(AdaptSettings(crop=32, labelled_batch=1))

    def losses(*, asked: bool) -> list[float]:
        phases = (PhasePlan(0.0, alone, forest=asked), PhasePlan(0.5, alone))
        training = Round(
            learner_of(), target=bare, source=None, settings=alone, index=0, phases=phases, forest=forest
        )
        steps = [e for e in run(training, steps=4)[0] if isinstance(e, StepFinished)]
        return [step.losses["strokes"] for step in steps]

    assert losses(asked=False) == [0, 0, 0, 0]
    asked = losses(asked=True)
    assert min(asked[:2]) > 0
    assert asked[2:] == [0, 0]
