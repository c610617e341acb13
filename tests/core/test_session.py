from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from semidavil_core.adaptation import judged_round
from semidavil_core.adaptation.loop import LoopEnd
from semidavil_core.adaptation.optimisation import Optimisation
from semidavil_core.adaptation.round_plan import PhasePlan, RoundPlan
from semidavil_core.adaptation.session import AdaptationSession
from semidavil_core.classes import ClassSet
from semidavil_core.control import RunControl
from semidavil_core.data.domains import MemoryDomain, Sample
from semidavil_core.errors import AdaptationFailed, InvalidInput, InvalidLabels
from semidavil_core.events import (
    FinishReason,
    Notice,
    Paused,
    PreviewReady,
    Resumed,
    RoundFinished,
    StepFinished,
)
from semidavil_core.export.bundle import Bundle, load_bundle, save_bundle
from semidavil_core.inference.evaluate import drain
from semidavil_core.settings import AdaptSettings, Budget
from semidavil_core.vlm.loading import Vlm
from tests.core.tiny_sessions import STROKES_ONLY, TWO_STEPS, alike, kinds, session_of, state_of, told
from tests.core.tiny_tower import scene, strokes, target_domain


@pytest.mark.parametrize("source", [True, False])
@pytest.mark.parametrize("mode", ["cached", "full"])
def test_a_round_changes_the_teacher_and_tells_of_each_step(bundle: Bundle, mode: str, source: bool) -> None:
    session = session_of(bundle, mode=mode, source=source)
    before = session.predict("night0").probabilities
    events = list(told(session.adapt(TWO_STEPS)))
    assert kinds(events) == [StepFinished, StepFinished, RoundFinished]
    assert [e.step for e in events[:2] if isinstance(e, StepFinished)] == [1, 2]
    last = events[-1]
    assert isinstance(last, RoundFinished)
    assert (last.round, last.reason, last.steps) == (1, FinishReason.BUDGET, 2)
    assert not np.allclose(session.predict("night0").probabilities, before, atol=1e-4)


def test_a_cached_round_leaves_the_tower_alone_and_a_full_one_tunes_it(bundle: Bundle) -> None:
    for mode, tuned in (("cached", False), ("full", True)):
        session = session_of(bundle, mode=mode, tower_rate=1e-2)
        before = state_of(session)
        drain(session.adapt(TWO_STEPS))
        moved = {n for n, t in state_of(session).items() if not torch.equal(t, before[n])}
        assert any(n.startswith("teacher.tower") for n in moved) is tuned
        assert any(n.startswith("teacher.decoder") for n in moved)
        assert not any(n.endswith(".text") for n in moved)


def test_the_bundle_it_started_from_is_never_changed(bundle: Bundle) -> None:
    before = {n: t.clone() for n, t in bundle.segmenter.state_dict().items()}
    drain(session_of(bundle, mode="full").adapt(TWO_STEPS))
    assert alike(dict(bundle.segmenter.state_dict()), before)
    assert all(p.grad is None for p in bundle.segmenter.parameters())


def test_the_weights_move_the_chosen_share_of_the_way_that_a_round_has_gone(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        judged_round,
        "plan_round",
        lambda settings, *_, **__: RoundPlan((PhasePlan(0.0, settings),), settings.averaging),
    )
    begun, ends = state_of(session_of(bundle)), []
    for share in (0.0, 0.5, 1.0):
        session = session_of(bundle, mode="full", averaging=share)
        drain(session.adapt(TWO_STEPS))
        ends.append(state_of(session))
    assert alike(ends[0], begun)
    assert not alike(ends[2], begun)
    for name, start in begun.items():
        torch.testing.assert_close(ends[1][name], (start + ends[2][name]) / 2)


def test_strokes_are_learnt(bundle: Bundle) -> None:
    session = session_of(bundle, mode="cached", seed=1, **STROKES_ONLY)
    drain(session.adapt(Budget(steps=150)))
    _, labels = scene(10, dark=True)
    assert (session.predict("night0").labels == labels).mean() > 0.85


@pytest.mark.parametrize("mode", ["cached", "full"])
def test_the_same_seed_and_steps_give_the_same_weights(bundle: Bundle, mode: str) -> None:
    def adapted(seed: int) -> dict[str, Tensor]:
        session = session_of(bundle, mode=mode, seed=seed)
        for _ in range(2):
            drain(session.adapt(TWO_STEPS))
        return state_of(session)

    first = adapted(3)
    torch.rand(5)  # whoever else draws numbers
    assert alike(adapted(3), first)
    assert not alike(adapted(4), first)


def test_a_second_round_goes_on_from_the_first(bundle: Bundle) -> None:
    session = session_of(bundle)
    ends = [drain(session.adapt(TWO_STEPS)) for _ in range(2)]
    assert [end.steps for end in ends] == [2, 2]
    assert [(r.round, r.steps) for r in session.history] == [(0, 0), (1, 2), (2, 2)]
    assert session._learner.teacher.updates == 4


# stop and pause


def test_a_stop_is_honoured_at_the_next_step_boundary_and_keeps_what_was_learnt(bundle: Bundle) -> None:
    session, control = session_of(bundle), RunControl()
    before, seen = state_of(session), []
    for event in told(session.adapt(Budget(steps=50), control)):
        seen.append(event)
        control.stop()
    assert kinds(seen) == [StepFinished, RoundFinished]
    assert seen[-1].reason == FinishReason.STOPPED
    assert session.history[-1].reason == FinishReason.STOPPED
    assert not alike(state_of(session), before)


def test_a_stop_before_the_first_step_changes_nothing(bundle: Bundle) -> None:
    session, control = session_of(bundle), RunControl()
    before = state_of(session)
    control.stop()
    assert kinds(session.adapt(TWO_STEPS, control)) == [RoundFinished]
    assert alike(state_of(session), before)


def test_a_pause_is_told_and_held_until_it_is_resumed(bundle: Bundle) -> None:
    session, control = session_of(bundle), RunControl()
    control.pause()
    seen = []
    for event in told(session.adapt(TWO_STEPS, control)):
        seen.append(type(event))
        if isinstance(event, Paused):
            control.resume()
    assert seen == [Paused, Resumed, StepFinished, StepFinished, RoundFinished]


def test_a_stop_ends_a_pause(bundle: Bundle) -> None:
    session, control = session_of(bundle), RunControl()
    control.pause()
    seen = []
    for event in told(session.adapt(TWO_STEPS, control)):
        seen.append(type(event))
        control.stop()
    assert seen == [Paused, Resumed, RoundFinished]


# failures


def failing_at(monkeypatch: pytest.MonkeyPatch, step: int, error: Callable[[], BaseException]) -> None:
    apply, count = Optimisation.apply, itertools.count(1)

    def sometimes(self: Optimisation, loss: Tensor, factor: float) -> None:
        if next(count) == step:
            raise error()
        apply(self, loss, factor)

    monkeypatch.setattr(Optimisation, "apply", sometimes)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (lambda: RuntimeError("shapes do not fit\nmore"), "shapes do not fit"),
        (lambda: RuntimeError("CUDA out of memory."), "memory"),
        (MemoryError, "memory"),
    ],
)
def test_a_failing_step_restores_the_state_from_before_the_round(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, error: Callable[[], BaseException], message: str
) -> None:
    session = session_of(bundle)
    drain(session.adapt(TWO_STEPS))
    before = state_of(session)
    failing_at(monkeypatch, 3, error)
    events = told(session.adapt(Budget(steps=9)))
    assert [type(next(events)) for _ in range(2)] == [StepFinished] * 2
    assert not alike(state_of(session), before)
    with pytest.raises(AdaptationFailed, match=message):
        next(events)
    assert alike(state_of(session), before)
    assert len(session.history) == 2
    assert session._learner.teacher.updates == 2


def test_a_loss_that_is_no_number_ends_the_round_at_the_state_from_before(bundle: Bundle) -> None:
    session = session_of(bundle)
    before = state_of(session)
    with torch.no_grad():
        broken = session._learner.student.decoder.query.bias
        broken.fill_(float("nan"))
    with pytest.raises(AdaptationFailed, match="not a number"):
        drain(session.adapt(TWO_STEPS))
    with torch.no_grad():
        broken.copy_(before["student.decoder.query.bias"])
    assert alike(state_of(session), before)


def test_a_round_that_nobody_listens_to_any_more_is_undone(bundle: Bundle) -> None:
    session = session_of(bundle)
    before = state_of(session)
    events = session.adapt(Budget(steps=9))
    next(told(events))
    next(events)
    assert not alike(state_of(session), before)
    events.close()
    assert alike(state_of(session), before)
    assert len(session.history) == 1
    assert isinstance(drain(session.adapt(TWO_STEPS)), LoopEnd)


def test_a_round_goes_back_to_any_round_before(bundle: Bundle) -> None:
    session, states = session_of(bundle), []
    states.append(state_of(session))
    for _ in range(2):
        drain(session.adapt(TWO_STEPS))
        states.append(state_of(session))
    for number in (1, 0, 2):
        session.restore(number)
        assert alike(state_of(session), states[number])
    assert [r.round for r in session.history] == [0, 1, 2]
    with pytest.raises(InvalidInput, match="no round 7; the rounds are 0, 1, 2"):
        session.restore(7)


# what cannot be learnt from


def single_class() -> MemoryDomain:
    image, labels = scene()
    return MemoryDomain([Sample("only", image, np.where(labels == 1, labels, 255).astype(np.uint8))])


def test_strokes_of_one_class_only_are_refused_before_any_step(bundle: Bundle) -> None:
    session = session_of(bundle, target=single_class())
    with pytest.raises(InvalidLabels, match="tree only"):
        next(session.adapt(TWO_STEPS))


def test_no_strokes_at_all_are_refused(bundle: Bundle) -> None:
    with pytest.raises(InvalidLabels, match="no scribbles"):
        next(session_of(bundle, target=target_domain(painted=0)).adapt(TWO_STEPS))


def test_strokes_of_a_class_that_there_is_not_are_refused(bundle: Bundle) -> None:
    session = session_of(bundle)
    session.set_scribbles("night0", np.full((48, 56), 3, np.uint8))
    with pytest.raises(InvalidLabels, match="allowed are 0 to 2"):
        next(session.adapt(TWO_STEPS))


# images and strokes


def test_a_session_may_start_without_images_and_be_filled(bundle: Bundle) -> None:
    session = AdaptationSession(bundle, settings=AdaptSettings(crop=32))
    image, labels = scene(3, dark=True)
    session.set_image("a", image)
    session.set_scribbles("a", strokes(labels))
    assert drain(session.adapt(TWO_STEPS)).steps == 2
    assert session.predict("a").labels.shape == labels.shape
    session.remove_image("a")
    with pytest.raises(InvalidInput, match="'a'"):
        session.predict("a")


def test_strokes_painted_during_a_round_count_from_the_next(bundle: Bundle) -> None:
    plain, painted = session_of(bundle), session_of(bundle)
    drain(plain.adapt(TWO_STEPS))
    events = painted.adapt(TWO_STEPS)
    next(events)
    painted.set_scribbles("night2", scene(12, dark=True)[1])
    painted.remove_image("night0")
    drain(events)
    assert alike(state_of(painted), state_of(plain))


def test_images_smaller_than_a_crop_and_of_different_sizes_can_be_adapted_to(bundle: Bundle) -> None:
    samples = [Sample("day", *scene(0, (48, 48)))]
    for index, size in enumerate([(20, 90), (70, 15), (9, 9)]):
        image, labels = scene(index, size)
        samples.append(Sample(f"odd{index}", image, strokes(labels, every=4)))
    session = session_of(bundle, target=MemoryDomain(samples), mode="cached")
    drain(session.adapt(TWO_STEPS))
    assert session.predict("odd2").labels.shape == (9, 9)


def test_previews_show_painted_images_first_and_a_persons_strokes_among_the_pseudo_labels(
    bundle: Bundle,
) -> None:
    events = list(session_of(bundle, threshold=1.0).adapt(Budget(steps=3), preview_every=0.0))
    shown = [e for e in events if isinstance(e, PreviewReady)]
    assert [e.image for e in shown] == ["night0", "night1", "night2"]
    labels = target_domain()[0].labels
    assert labels is not None
    assert shown[0].pseudo_labels is not None
    np.testing.assert_array_equal(shown[0].pseudo_labels[labels != 255], labels[labels != 255])
    assert (shown[2].pseudo_labels == 255).mean() > 0.5


def test_a_preview_is_the_teachers_prediction(bundle: Bundle) -> None:
    session = session_of(bundle)
    shown = session.preview("night1")
    assert shown.prediction.shape == (48, 56)
    assert shown.confidence.max() <= 1


# classes


def test_zero_shot_guidance_takes_part_when_it_is_asked_for(bundle: Bundle) -> None:
    session = session_of(bundle, clip_guidance=0.1, clip_prior=0.5, confidence="avg")
    plain = session_of(bundle, confidence="avg")
    for one in (session, plain):
        drain(one.adapt(TWO_STEPS))
    assert not alike(state_of(session), state_of(plain))


def test_without_the_vision_language_model_a_round_runs_and_says_so(
    vlm: Vlm, bundle: Bundle, tmp_path: Any
) -> None:
    gone = replace(bundle, vlm=replace(vlm.reference, spec="ViT-B-16:laion2b_s34b_b88k"))
    events = list(session_of(gone, clip_guidance=0.1).adapt(TWO_STEPS))
    assert any("without zero-shot guidance" in e.message for e in events if isinstance(e, Notice))
    assert kinds(events) == [StepFinished, StepFinished, RoundFinished]


def test_source_free_adaptation_keeps_to_the_source_model_unless_the_classes_changed(bundle: Bundle) -> None:
    session = session_of(bundle, source=False)
    drain(session.adapt(TWO_STEPS))
    assert session._learner.guides.source is not None
    session.set_classes(ClassSet.from_names(["sky", "tree", "ground"]))
    drain(session.adapt(TWO_STEPS))
    assert session._learner.guides.source is None


def test_the_adapted_bundle_is_the_teacher_and_survives_saving(bundle: Bundle, tmp_path: Path) -> None:
    session = session_of(bundle)
    drain(session.adapt(TWO_STEPS))
    made = session.bundle()
    assert made.settings["adapt"]["crop"] == 32
    save_bundle(made, tmp_path / "adapted")
    kept = {n: t.clone() for n, t in made.segmenter.state_dict().items()}
    drain(session.adapt(TWO_STEPS))
    assert alike(dict(made.segmenter.state_dict()), kept)  # later rounds do not reach it
    again = AdaptationSession(load_bundle(tmp_path / "adapted"), target=target_domain())
    session.restore(1)
    np.testing.assert_allclose(
        again.predict("night0").probabilities, session.predict("night0").probabilities, atol=1e-6
    )


def test_a_round_counts_its_seconds_by_the_clock_that_it_was_given(bundle: Bundle) -> None:
    now = [0.0]
    settings = AdaptSettings(crop=32)
    session = AdaptationSession(bundle, target=target_domain(), settings=settings, now=lambda: now[0])
    steps = 0
    for event in session.adapt(Budget(seconds=20)):
        if isinstance(event, StepFinished):
            steps += 1
            now[0] += 6  # each step takes the time that the clock says
    assert steps == 4
