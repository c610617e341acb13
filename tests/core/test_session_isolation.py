"""What happens beside a round does not reach it, and a round that failed leaves no trace."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from semidavil_core.adaptation import session as session_module
from semidavil_core.adaptation.loop import LoopEnd
from semidavil_core.adaptation.session import AdaptationSession
from semidavil_core.adaptation.step import AdaptationStep, StepLosses
from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.data.domains import Domain
from semidavil_core.errors import AdaptationFailed, InvalidBundle, InvalidInput
from semidavil_core.events import Event, RoundFinished, StepFinished
from semidavil_core.export.bundle import Bundle
from semidavil_core.model.from_language import segmenter_from_language
from semidavil_core.settings import AdaptSettings, Budget
from semidavil_core.vlm.loading import Vlm, load_vlm
from tests.core.tiny_tower import CLASSES, source_domain, target_domain, tiny_bundle
from tests.core.tiny_vlm import write_folder

QUICK: dict[str, Any] = {
    "strokes_first": 0.0,
    "forest_lead": 0.0,
    "pseudo_labels_after": 0,
    "crop": 32,
    "source_batch": 1,
    "labelled_batch": 1,
    "unlabelled_batch": 1,
}
TWO = Budget(steps=2)
THREE = Budget(steps=3)


def session_of(
    *, source: bool = True, target: Domain | None = None, bundle: Bundle | None = None, **changes: Any
) -> AdaptationSession:
    return AdaptationSession(
        bundle or tiny_bundle(),
        target=target or target_domain(),
        source=source_domain() if source else None,
        settings=AdaptSettings(**{**QUICK, **changes}),
    )


def drained(events: Generator[Event, None, LoopEnd]) -> list[Event]:
    return list(events)


def weights(session: AdaptationSession) -> dict[str, torch.Tensor]:
    """The teacher's weights and text."""
    return {name: t.clone() for name, t in session.bundle().segmenter.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def failing_at(call: int, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Make the training step number `call` (from 1) fail, once."""
    real, calls = AdaptationStep.losses, [0]

    def losses(step: AdaptationStep, *arguments: Any, **options: Any) -> StepLosses:
        calls[0] += 1
        if calls[0] == call:
            raise error
        return real(step, *arguments, **options)

    monkeypatch.setattr(AdaptationStep, "losses", losses)


@pytest.mark.parametrize("call", [1, 2])
def test_a_step_that_runs_out_of_memory_leaves_teacher_age_and_history_alone(
    call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_of()
    drained(session.adapt(TWO))
    before = weights(session)
    failing_at(call, monkeypatch, RuntimeError("CUDA out of memory"))
    with pytest.raises(AdaptationFailed, match="smaller crop"):
        drained(session.adapt(TWO))
    assert same(weights(session), before)
    assert session._learner.teacher.updates == 2
    assert [r.round for r in session.history] == [0, 1]


@pytest.mark.parametrize("mode", ["cached", "full"])
def test_the_round_after_a_failed_one_is_as_if_it_had_not_been(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    untroubled, session = session_of(mode=mode), session_of(mode=mode)
    drained(untroubled.adapt(TWO))
    failing_at(2, monkeypatch, RuntimeError("boom"))
    with pytest.raises(AdaptationFailed, match="boom"):
        drained(session.adapt(TWO))
    drained(session.adapt(TWO))
    assert same(weights(session), weights(untroubled))


def test_the_round_after_one_that_was_closed_early_is_as_if_it_had_not_been() -> None:
    untroubled, session = session_of(), session_of()
    drained(untroubled.adapt(TWO))
    running = session.adapt(Budget(steps=100))
    next(running)
    next(running)
    running.close()
    drained(session.adapt(TWO))
    assert same(weights(session), weights(untroubled))


def test_labels_and_images_set_during_a_round_do_not_reach_it() -> None:
    calm, busy = session_of(), session_of()
    drained(calm.adapt(THREE))
    running = busy.adapt(THREE)
    next(running)
    busy.set_scribbles("night0", np.zeros((48, 56), np.uint8))
    busy.set_image("late", target_domain()[0].image)
    busy.remove_image("night1")
    drained(running)
    assert same(weights(calm), weights(busy))


def test_strokes_painted_on_in_place_do_not_reach_a_running_round() -> None:
    calm, busy = session_of(), session_of()
    canvas = np.array(target_domain()[0].labels)
    busy.set_scribbles("night0", canvas)
    drained(calm.adapt(THREE))
    running = busy.adapt(THREE)
    next(running)
    canvas[:] = 0
    drained(running)
    assert same(weights(calm), weights(busy))


def test_the_next_round_learns_from_what_was_painted_meanwhile() -> None:
    one, other = session_of(), session_of()
    labels = np.array(target_domain()[0].labels)
    other.set_scribbles("night0", np.where(labels == 0, np.uint8(1), labels))
    drained(one.adapt(TWO))
    drained(other.adapt(TWO))
    assert not same(weights(one), weights(other))


def test_predicting_and_previews_during_a_round_do_not_change_what_is_learnt() -> None:
    calm, curious = session_of(), session_of()
    drained(calm.adapt(THREE))
    running = curious.adapt(THREE, preview_every=0.0)
    next(running)
    curious.predict("night0")
    drained(running)
    assert same(weights(calm), weights(curious))


def test_restoring_before_a_round_does_not_let_it_alter_the_recorded_state() -> None:
    session = session_of()
    before = weights(session)
    for _ in range(2):
        session.restore(0)
        assert session._learner.teacher.updates == 0
        drained(session.adapt(TWO))
    session.restore(0)
    assert same(weights(session), before)
    assert [r.round for r in session.history] == [0, 1, 2]


def test_an_unknown_image_or_round_is_named_in_the_error() -> None:
    session = session_of()
    for ask in (session.predict, session.preview, session.remove_image):
        with pytest.raises(InvalidInput, match="'zebra'"):
            ask("zebra")
    with pytest.raises(InvalidInput, match="no round 7; the rounds are 0"):
        session.restore(7)


def losses_of(events: list[Event]) -> list[set[str]]:
    return [set(e.losses) for e in events if isinstance(e, StepFinished)]


def test_only_a_source_free_round_has_the_anchor_and_only_a_sourced_one_the_source() -> None:
    for parts in losses_of(drained(session_of(source=False, anchor=1.0).adapt(TWO))):
        assert "anchor" in parts
        assert "source" not in parts
    for parts in losses_of(drained(session_of(anchor=1.0).adapt(TWO))):
        assert "anchor" not in parts
        assert "source" in parts


def test_the_anchor_holds_a_source_free_model_near_its_start() -> None:
    def kept(anchor: float) -> float:
        """Share of an image that is still seen as before, after a round on strokes of wrong classes."""
        bundle = tiny_bundle()
        bundle.segmenter.logit_scale = 200.0  # sure of itself
        session = session_of(
            source=False, bundle=bundle, anchor=anchor, averaging=1.0, consistency=0.0, head_rate=1e-2
        )
        before = session.predict("night2").labels
        wrong = np.where(np.arange(56) % 2, np.uint8(0), np.uint8(1)) * np.ones((48, 1), np.uint8)
        session.set_scribbles("night0", wrong)
        session.set_scribbles("night1", (2 - wrong).astype(np.uint8))
        drained(session.adapt(Budget(steps=15)))
        agrees: np.ndarray = session.predict("night2").labels == before
        return float(agrees.mean())

    assert kept(100.0) > kept(0.0) + 0.1


@pytest.fixture(scope="module")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> Vlm:
    return load_vlm(f"local-dir:{write_folder(tmp_path_factory.mktemp('vlm') / 'tiny')}")


@pytest.fixture
def spoken(vlm: Vlm) -> AdaptationSession:
    """A session on a real, tiny vision-language model: a transformer, trained in full."""
    bundle = Bundle(segmenter_from_language(vlm, CLASSES), CLASSES, vlm.reference)
    return session_of(bundle=bundle, mode="full")


def test_a_class_added_after_a_round_leaves_what_was_learnt(spoken: AdaptationSession) -> None:
    drained(spoken.adapt(TWO))
    before = weights(spoken)
    spoken.set_classes(CLASSES.with_class("red car"))
    after = weights(spoken)
    torch.testing.assert_close(after["text"][:3], before["text"])
    assert after.pop("text").shape[0] == before.pop("text").shape[0] + 1
    assert same(after, before)
    assert spoken.predict("night0").probabilities.shape == (4, 48, 56)
    assert isinstance(drained(spoken.adapt(TWO))[-1], RoundFinished)


def test_strokes_of_a_removed_class_are_forgotten_and_the_next_round_runs_without_them(
    spoken: AdaptationSession,
) -> None:
    spoken.set_classes(ClassSet(CLASSES.classes[:2]))
    assert spoken.predict("night0").labels.max() < 2
    for name in ("night0", "night1"):
        labels = spoken.target.sample(name).labels
        assert labels is not None
        assert set(np.unique(labels)) <= {0, 1, IGNORE_INDEX}
    assert isinstance(drained(spoken.adapt(TWO))[-1], RoundFinished)


def test_zero_shot_guidance_learns_of_a_new_class(vlm: Vlm) -> None:
    bundle = Bundle(segmenter_from_language(vlm, CLASSES), CLASSES, vlm.reference)
    session = session_of(bundle=bundle, clip_guidance=0.1, clip_prior=0.5)
    assert all("guidance" in parts for parts in losses_of(drained(session.adapt(TWO))))
    session.set_classes(CLASSES.with_class("red car"))
    assert all("guidance" in parts for parts in losses_of(drained(session.adapt(TWO))))


def test_classes_that_did_not_change_need_no_language_model() -> None:
    session = session_of()  # its reference leads nowhere
    session.set_classes(ClassSet(CLASSES.classes))
    assert session.classes == CLASSES


def test_another_model_under_the_same_name_is_refused_and_changes_nothing(
    vlm: Vlm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = load_vlm(f"local-dir:{write_folder(tmp_path / 'other', seed=1)}")
    monkeypatch.setattr(session_module, "load_vlm", lambda *_, **__: other)
    session = session_of(bundle=Bundle(segmenter_from_language(vlm, CLASSES), CLASSES, vlm.reference))
    with pytest.raises(InvalidBundle, match="other weights"):
        session.set_classes(CLASSES.with_class("car"))
    assert session.classes == CLASSES
    assert session.predict("night0").probabilities.shape[0] == 3


def test_predicting_first_does_not_keep_a_transformer_from_being_trained(spoken: AdaptationSession) -> None:
    spoken.predict("night0")
    before = weights(spoken)
    drained(spoken.adapt(TWO))
    after = weights(spoken)
    assert any(n.startswith("tower.") and not torch.equal(after[n], before[n]) for n in after)
