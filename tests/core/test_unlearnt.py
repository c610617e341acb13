"""A class that was typed and nothing more: the untouched model says where it is, until strokes do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from semidavil_core.adaptation.round import Round
from semidavil_core.adaptation.session import AdaptationSession
from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.errors import AdaptationFailed, WeightsUnavailable
from semidavil_core.events import Notice
from semidavil_core.export.bundle import Bundle
from semidavil_core.inference.evaluate import drain
from semidavil_core.inference.predict import Predictor
from semidavil_core.inference.unlearnt import with_unlearnt
from semidavil_core.model.segmenter import Segmenter
from tests.core.tiny_sessions import STROKES_ONLY, TWO_STEPS, session_of
from tests.core.tiny_tower import CLASSES, scene, strokes


def probabilities(*values: float) -> Tensor:
    return torch.tensor(values).view(1, -1, 1, 1)


def test_the_untouched_model_speaks_for_the_new_class_and_the_trained_one_for_the_rest() -> None:
    found = with_unlearnt(probabilities(0.6, 0.3, 0.1), probabilities(0.1, 0.5, 0.4), [2])
    torch.testing.assert_close(found, probabilities(0.4, 0.2, 0.4))


def test_where_the_trained_model_is_sure_its_word_stands() -> None:
    sure = probabilities(0.96, 0.03, 0.01)
    torch.testing.assert_close(with_unlearnt(sure, probabilities(0.0, 0.0, 1.0), [2]), sure)
    torch.testing.assert_close(
        with_unlearnt(probabilities(0.9, 0.1, 0.0), probabilities(0.0, 0.0, 1.0), [2]),
        probabilities(0.0, 0.0, 1.0),
    )


@pytest.mark.parametrize("unlearnt", [[], [1], [0, 2], [0, 1, 2]])
def test_probabilities_sum_to_one_whatever_is_new(unlearnt: list[int]) -> None:
    drawn = [torch.rand(2, 3, 4, 5).softmax(1) for _ in range(2)]
    found = with_unlearnt(*drawn, unlearnt)
    torch.testing.assert_close(found.sum(1), torch.ones(2, 4, 5))
    kept = drawn[0].argmax(1) if not unlearnt else None
    assert kept is None or torch.equal(found.argmax(1), kept)


def model_alone(session: AdaptationSession) -> Segmenter:
    return session._learner.teacher.model


@pytest.mark.usefixtures("untouched")
def test_a_typed_class_appears_before_any_stroke_and_goes_its_own_way_once_it_was_learnt(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semidavil_core.adaptation.judged_round.LEARNT", 0.0)  # two steps teach little
    session = session_of(bundle)
    session.set_classes(CLASSES.with_class("fence"))
    assert (session.predict("night0").labels == 3).all()
    assert not (
        Predictor(model_alone(session)).predict(session.target.sample("night0").image).labels == 3
    ).all()
    _, labels = scene(10, dark=True)
    labels[20:40, 8:30] = 3
    session.set_scribbles("night0", strokes(labels, every=6))
    drain(session.adapt(TWO_STEPS))
    learnt = Predictor(model_alone(session)).predict(session.target.sample("night0").image)
    np.testing.assert_array_equal(session.predict("night0").probabilities, learnt.probabilities)
    session.restore(0)
    assert (session.predict("night0").labels == 3).all(), "the model before that round knew nothing of it"


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(("least", "learnt"), [(0.0, True), (1.1, False)])
def test_a_class_whose_strokes_are_still_wrong_is_not_learnt_yet_and_its_name_speaks_on(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, least: float, *, learnt: bool
) -> None:
    monkeypatch.setattr("semidavil_core.adaptation.judged_round.LEARNT", least)
    session = session_of(bundle)
    session.set_classes(CLASSES.with_class("fence"))
    _, labels = scene(10, dark=True)
    labels[20:40, 8:30] = 3
    session.set_scribbles("night0", strokes(labels, every=6))
    for _ in range(2):
        said = " ".join(event.message for event in session.adapt(TWO_STEPS) if isinstance(event, Notice))
        assert ("strokes of fence are right" in said) is not learnt
        assert bool((session.predict("night0").labels == 3).all()) is not learnt
        assert session.bundle().unlearnt == (() if learnt else ("fence",))


@pytest.mark.usefixtures("untouched")
def test_a_class_without_strokes_is_taught_by_the_untouched_model(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semidavil_core.adaptation.name_hints.MISNAMED", 1.0)  # it says so everywhere

    def confidence(*, typed: bool) -> float:
        session = session_of(bundle, threshold=0.9, contrastive=0.0, averaging=1.0)
        classes = CLASSES.with_class("fence")
        session.set_classes(classes)
        if not typed:
            session._learnt.learn(0, 0, {"fence"})
            session._note_unlearnt()
        drain(session.adapt(TWO_STEPS))
        image = session.target.sample("night1").image
        return float(Predictor(model_alone(session)).predict(image).probabilities[3].mean())

    assert confidence(typed=True) > confidence(typed=False) + 1e-3


@pytest.mark.usefixtures("untouched")
def test_where_no_pseudo_labels_teach_no_name_is_asked_about(bundle: Bundle) -> None:
    session = session_of(bundle, **STROKES_ONLY)
    session.set_classes(CLASSES.with_class("fence"))
    said = [event.message for event in session.adapt(TWO_STEPS) if isinstance(event, Notice)]
    assert said
    assert not any("fence" in message for message in said)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(("limit", "trusted"), [(0.1, False), (1.0, True)])
def test_a_name_that_fits_other_classes_too_is_told_and_not_trusted(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, limit: float, *, trusted: bool
) -> None:
    hints: list[set[int]] = []

    class Noted(Round):
        def __init__(self, *of: Any, **more: Any) -> None:
            hints.append({int(k) for hint in more["names"].hints.values() for k in np.unique(hint)})
            super().__init__(*of, **more)

    monkeypatch.setattr("semidavil_core.adaptation.judged_round.Round", Noted)
    monkeypatch.setattr("semidavil_core.adaptation.name_hints.MISNAMED", limit)
    session = session_of(bundle)
    session.set_classes(CLASSES.with_class("fence"))
    said = " ".join(event.message for event in session.adapt(TWO_STEPS) if isinstance(event, Notice))
    assert ("fence (100%)" in said) is not trusted
    assert hints == [{3} if trusted else {IGNORE_INDEX}]


@pytest.mark.usefixtures("untouched")
def test_a_round_that_failed_has_taught_nothing(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_of(bundle)
    session.set_classes(CLASSES.with_class("fence"))
    _, labels = scene(10, dark=True)
    labels[20:40, 8:30] = 3
    session.set_scribbles("night0", strokes(labels, every=6))

    def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no step")

    monkeypatch.setattr("semidavil_core.adaptation.step.AdaptationStep.losses", fails)
    with pytest.raises(AdaptationFailed):
        drain(session.adapt(TWO_STEPS))
    assert (session.predict("night0").labels == 3).all()


@pytest.mark.usefixtures("untouched")
def test_a_class_that_was_only_typed_stays_so_through_a_bundle(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semidavil_core.adaptation.judged_round.LEARNT", 0.0)  # two steps teach little
    first = session_of(bundle)
    first.set_classes(CLASSES.with_class("fence"))
    exported = first.bundle()
    assert exported.unlearnt == ("fence",)
    again = session_of(exported)
    assert (again.predict("night0").labels == 3).all(), "the untouched model speaks for it here too"
    _, labels = scene(10, dark=True)
    labels[20:40, 8:30] = 3
    again.set_scribbles("night0", strokes(labels, every=6))
    drain(again.adapt(TWO_STEPS))
    assert again.bundle().unlearnt == ()


def test_without_the_language_model_the_trained_one_speaks_alone(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = replace(bundle, unlearnt=(CLASSES.names[0],))

    def gone(*_: Any) -> None:
        raise WeightsUnavailable("not here")

    monkeypatch.setattr(AdaptationSession, "_load_vlm", gone)
    session = session_of(typed)
    image = session.target.sample("night0").image
    alone = Predictor(typed.segmenter).predict(image).labels
    np.testing.assert_array_equal(session.predict("night0").labels, alone)
