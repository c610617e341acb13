"""A session that keeps strokes aside: what a round may not see, what it is worth, and which model stands afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from semidavil_core.adaptation import judged_round as module
from semidavil_core.adaptation import stroke_looks
from semidavil_core.adaptation.held_out_check import Comparison
from semidavil_core.adaptation.round_history import LearnerState
from semidavil_core.adaptation.session import AdaptationSession
from semidavil_core.control import RunControl
from semidavil_core.data.domains import MemoryDomain
from semidavil_core.errors import InvalidInput
from semidavil_core.events import Event, FinishReason, HeldOutMeasured, Notice, RoundFinished, StepFinished
from semidavil_core.inference.evaluate import drain
from semidavil_core.model.readout import Readout
from semidavil_core.settings import AdaptSettings, Budget
from tests.core.tiny_tower import CLASSES, scene, source_domain, target_domain, tiny_bundle

TWO_STEPS = Budget(steps=2)


@pytest.fixture(autouse=True)
def _no_language_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AdaptationSession, "_prepare_guides", lambda *_: iter(()))


def session_of(target: MemoryDomain | None = None, **settings: Any) -> AdaptationSession:
    chosen = AdaptSettings(
        **{"crop": 32, "head_rate": 1e-2, "mode": "cached", "forest_lead": 0.0, **settings}
    )
    return AdaptationSession(
        tiny_bundle(), target=target or target_domain(), source=source_domain(), settings=chosen
    )


def finished(events: list[Event]) -> RoundFinished:
    last = events[-1]
    assert isinstance(last, RoundFinished)
    return last


def verdict(monkeypatch: pytest.MonkeyPatch, before: float, after: float) -> None:
    compared = Comparison(before, after, 0.1, 6, {0: after})
    monkeypatch.setattr(module, "compare", lambda *_: compared)


def same(one: LearnerState, other: LearnerState) -> bool:
    return all(torch.equal(one.teacher[n], other.teacher[n]) for n in one.teacher)


def test_a_round_trains_without_the_strokes_kept_aside_and_is_measured_on_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []
    real = module.Round
    monkeypatch.setattr(
        module, "Round", lambda *args, **kw: (seen.append(kw["target"]), real(*args, **kw))[1]
    )
    session = session_of()
    events = list(session.adapt(TWO_STEPS, hold_out=0.15))
    whole, trained = session.target[0].labels, seen[0][0].labels
    assert whole is not None
    missing = (whole != 255) & (trained == 255)
    assert 0 < missing.sum() < 0.35 * (whole != 255).sum()
    scores = finished(events).scores
    assert {"held_out_accuracy_before", "held_out_accuracy_after", "held_out_margin"} <= set(scores)
    assert scores["held_out_strokes"] >= 3
    assert {f"class/{name}" for name in CLASSES.names} == {n for n in scores if n.startswith("class/")}
    told = [e for e in events if isinstance(e, HeldOutMeasured)]
    assert [(e.step, e.accuracy) for e in (told[0], told[-1])] == [
        (0, pytest.approx(scores["held_out_accuracy_before"])),
        (2, pytest.approx(scores["held_out_accuracy_after"])),
    ]
    assert session.history[1].scores == scores


def test_the_same_strokes_stay_aside_in_the_next_round(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    real = module.Round
    monkeypatch.setattr(
        module, "Round", lambda *args, **kw: (seen.append(kw["target"]), real(*args, **kw))[1]
    )
    session = session_of()
    drain(session.adapt(TWO_STEPS, hold_out=0.15))
    more = scene(12, dark=True)[1]
    session.set_scribbles("night2", np.where(np.arange(56) % 20 < 2, more, 255).astype(np.uint8))
    drain(session.adapt(TWO_STEPS, hold_out=0.15))
    first, second = (domain[0].labels for domain in seen)
    whole = session.target[0].labels
    assert (second[(whole != 255) & (first == 255)] == 255).all()


def test_with_one_dot_per_class_nothing_is_kept_aside_and_a_person_is_told() -> None:
    image, labels = scene(10, dark=True)
    dots = np.full_like(labels, 255)
    dots[2, 2], dots[44, 4] = labels[2, 2], labels[44, 4]
    session = session_of(MemoryDomain([type(target_domain()[0])("a", image, dots)]))
    events = list(session.adapt(TWO_STEPS, hold_out=0.15))
    assert any(isinstance(e, Notice) and "too few strokes" in e.message for e in events)
    assert finished(events).scores["held_out_strokes"] == 0
    assert not any(isinstance(e, HeldOutMeasured) for e in events)


@pytest.mark.parametrize("share", [-0.1, 0.6, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(InvalidInput, match=r"0 to 0\.5"):
        drain(session_of().adapt(TWO_STEPS, hold_out=share))


def test_a_round_that_got_worse_is_kept_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_of()
    drain(session.adapt(TWO_STEPS, hold_out=0.15))
    verdict(monkeypatch, 0.8, 0.5)
    events = list(session.adapt(TWO_STEPS, hold_out=0.15))
    assert finished(events).scores["held_out_worse"] == 1
    assert finished(events).reason == FinishReason.BUDGET
    notice = events[-2]
    assert isinstance(notice, Notice)
    assert "Round 2 got worse" in notice.message
    assert "go back to round 1" in notice.message
    assert session.current == 2


def test_with_keep_better_the_model_from_before_stands_and_the_worse_one_can_still_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = session_of()
    before = LearnerState.of(session._learner)
    verdict(monkeypatch, 0.8, 0.5)
    events = list(session.adapt(TWO_STEPS, hold_out=0.15, keep_better=True))
    assert finished(events).reason == FinishReason.RESTORED
    assert (session.current, session.history[1].reason) == (0, FinishReason.RESTORED)
    assert same(LearnerState.of(session._learner), before)
    session.restore(1)
    assert not same(LearnerState.of(session._learner), before)


def test_a_class_that_a_round_has_lost_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = Comparison(0.8, 0.78, 0.1, 6, {0: 0.9, 1: 0.2}, lost=(1,))
    monkeypatch.setattr(module, "compare", lambda *_: compared)
    session = session_of()
    events = list(session.adapt(TWO_STEPS, hold_out=0.15))
    notice = events[-2]
    assert isinstance(notice, Notice)
    assert f"lost what the model knew of {session.classes[1].name} (now 20% right)" in notice.message
    assert "go back to the start" in notice.message


def test_keep_better_keeps_a_round_that_did_not_get_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_of()
    verdict(monkeypatch, 0.8, 0.75)
    assert drain(session.adapt(TWO_STEPS, hold_out=0.15, keep_better=True)).reason == FinishReason.BUDGET
    assert session.current == 1


def test_rounds_know_where_they_went_on_from() -> None:
    session = session_of()
    for _ in range(2):
        drain(session.adapt(TWO_STEPS))
    session.restore(1)
    drain(session.adapt(TWO_STEPS))
    assert [(r.round, r.parent) for r in session.history] == [(0, 0), (1, 0), (2, 1), (3, 1)]
    listed = session.history_to_json()
    assert listed["current"] == 3
    assert [row["round"] for row in listed["rounds"]] == [0, 1, 2, 3]


def test_what_a_round_did_not_change_takes_memory_once() -> None:
    session = session_of()
    drain(session.adapt(TWO_STEPS))
    start, after = (record.state.student for record in session.history)
    tower = [n for n in start if n.startswith("tower")]
    assert tower
    assert all(start[n] is after[n] for n in tower)
    assert any(start[n] is not after[n] for n in start)


# looks at the strokes, and the budget


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every look at the strokes says that it took 3 s."""
    real, seconds = stroke_looks.look_at_strokes, []

    def look(*args: Any, seconds: float = 0.0, **kw: Any) -> stroke_looks.StrokeLook:
        found = real(*args, seconds=seconds, **kw)
        limits.append(seconds)
        return stroke_looks.StrokeLook(found.agreement, found.held_out, 3.0)

    limits = seconds
    monkeypatch.setattr(module, "look_at_strokes", look)
    return limits


def test_looks_are_paid_for_from_the_budget_in_seconds(
    slow: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets: list[Budget] = []
    real = module.Round.run

    def run(self: Any, *, budget: Budget, **kw: Any) -> Any:
        budgets.append(budget)
        return real(self, budget=Budget(steps=1), **kw)

    monkeypatch.setattr(module.Round, "run", run)
    session = session_of()
    drain(session.adapt(Budget(seconds=20)))
    assert 16 < budgets[-1].seconds <= 17  # the look after the round will take 3 s again
    assert slow == [2.0, 2.0]  # a tenth of the budget each at the most
    drain(session.adapt(Budget(seconds=4)))
    assert budgets[-1].seconds == 2, "at least half is for training"


def test_steps_told_count_the_seconds_before_the_first() -> None:
    session = session_of()
    events = session.adapt(TWO_STEPS, hold_out=0.15)
    seconds = [e.seconds for e in events if isinstance(e, HeldOutMeasured | StepFinished)]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


def test_a_stop_ends_the_look_at_the_strokes_after_one_image(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    real = stroke_looks.stroke_agreement

    def agreement(model: Any, target: Any, watch: Any) -> Any:
        return real(model, target, lambda *args: (looked.append(1), watch(*args))[1])

    monkeypatch.setattr(stroke_looks, "stroke_agreement", agreement)
    session, control = session_of(target_domain(6, painted=6)), RunControl()
    control.stop()
    events = list(session.adapt(TWO_STEPS, control, hold_out=0.15))
    assert len(looked) == 1
    assert finished(events).steps == 0
    assert finished(events).reason == FinishReason.STOPPED


def test_a_look_ends_when_its_time_is_over_but_not_before_the_first_image() -> None:
    session = session_of(target_domain(6, painted=6))
    held = session._hold_out.choose(session.target, 0.15)
    assert len(held.by_image) > 2
    look = stroke_looks.look_at_strokes(session._learner.teacher.model, session.target, held, seconds=0.0)
    assert 0 < look.agreement.accuracy <= 1
    assert look.held_out.unseen
    whole = stroke_looks.look_at_strokes(session._learner.teacher.model, session.target, held)
    assert not whole.held_out.unseen


def test_held_out_strokes_calibrate_the_confidence_and_going_back_takes_that_back() -> None:
    session = session_of()
    first = session.predict(session.target.names[0]).confidence
    drain(session.adapt(TWO_STEPS, hold_out=0.15))
    assert session.bundle().segmenter.readout.temperature != 1.0
    session.restore(0)
    assert session.bundle().segmenter.readout.temperature == 1.0
    np.testing.assert_array_equal(session.predict(session.target.names[0]).confidence, first)


def test_a_round_says_how_far_an_image_speaks_for_its_classes_and_is_not_judged_by_it() -> None:
    told: dict[float, RoundFinished] = {}
    for prior in (0.0, 1.0):
        session = session_of(image_prior=prior)
        told[prior] = finished(list(session.adapt(TWO_STEPS, hold_out=0.15)))
        chosen = session.bundle().segmenter.readout.image_prior
        assert chosen == told[prior].scores["image_prior"]
        assert 0 < chosen <= 1 if prior else chosen == 0
        session.restore(0)
        assert session.bundle().segmenter.readout == Readout()
    same, other = ({**told[p].scores, "image_prior": 0} for p in (0.0, 1.0))
    assert same == other


# learning from them in the end


def test_strokes_kept_aside_are_measured_and_then_learnt_in_the_last_third(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = session_of()
    seen: list[tuple[int, Any]] = []
    real = module.Round.go_on_with
    monkeypatch.setattr(
        module.Round,
        "go_on_with",
        lambda self, target: (seen.append((len(told), target)), real(self, target))[1],
    )
    told: list[Event] = []
    told += session.adapt(Budget(steps=6), hold_out=0.15, learn_held_out=True)
    ((moment, target),) = seen
    steps = [e.step for e in told[:moment] if isinstance(e, StepFinished)]
    assert steps == [1, 2, 3, 4]
    assert isinstance(told[moment - 1], HeldOutMeasured)
    for index in range(len(target)):
        np.testing.assert_array_equal(target[index].labels, session.target[index].labels)
    assert finished(told).scores["held_out_strokes"] > 0
    assert session.bundle().segmenter.readout.temperature != 1.0


def test_the_verdict_is_on_what_was_not_learnt_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[stroke_looks.StrokeLook] = []
    real = stroke_looks.look_at_strokes
    monkeypatch.setattr(
        module, "look_at_strokes", lambda *a, **k: (looks.append(real(*a, **k)), looks[-1])[1]
    )
    events = list(session_of().adapt(Budget(steps=6), hold_out=0.15, learn_held_out=True))
    before, check, _ = looks
    assert finished(events).scores["held_out_accuracy_before"] == before.held_out.accuracy
    assert finished(events).scores["held_out_accuracy_after"] == check.held_out.accuracy


def test_what_was_learnt_in_the_end_is_never_measured_again() -> None:
    session = session_of()
    drain(session.adapt(Budget(steps=6), hold_out=0.15, learn_held_out=True))
    events = list(session.adapt(Budget(steps=6), hold_out=0.15, learn_held_out=True))
    assert any(isinstance(e, Notice) and "learnt from in an earlier round" in e.message for e in events)
    assert finished(events).scores["held_out_strokes"] == 0


def test_a_round_that_was_stopped_early_is_judged_all_the_same() -> None:
    session, control = session_of(), RunControl()
    events = []
    for event in session.adapt(Budget(steps=50), control, hold_out=0.15, learn_held_out=True):
        events.append(event)
        if isinstance(event, StepFinished) and event.step == 2:
            control.stop()
    assert finished(events).reason == FinishReason.STOPPED
    assert finished(events).scores["held_out_strokes"] > 0
    after = list(session.adapt(TWO_STEPS, hold_out=0.15))
    assert finished(after).scores["held_out_strokes"] > 0, "they were never learnt, so they still tell"
