from __future__ import annotations

from dataclasses import replace

import pytest

from semidavil_core.adaptation import forest_lead as module
from semidavil_core.adaptation import stroke_agreement, stroke_forest
from semidavil_core.adaptation.forest_lead import forest_lead
from semidavil_core.adaptation.round_plan import plan_round
from semidavil_core.adaptation.round_words import GROWING, plan_in_words
from semidavil_core.adaptation.session import AdaptationSession
from semidavil_core.adaptation.stroke_agreement import StrokeAgreement
from semidavil_core.control import RunControl
from semidavil_core.data.domains import MemoryDomain
from semidavil_core.events import FinishReason, Notice, RoundFinished
from semidavil_core.export.bundle import Bundle
from semidavil_core.export.forest_led import ForestLed
from semidavil_core.settings import AdaptSettings
from tests.core.tiny_sessions import TWO_STEPS, session_of
from tests.core.tiny_tower import target_domain


def agreeing(*shares: float) -> StrokeAgreement:
    return StrokeAgreement(sum(shares) / len(shares), dict(enumerate(shares)))


def test_it_leads_where_the_model_guesses_and_the_forest_reads_the_strokes() -> None:
    lead = forest_lead(target_domain(4, painted=4), agreeing(0.1, 0.1, 0.1))
    assert lead is not None
    assert lead.share == 1
    assert lead.accuracy > 0.9


def test_it_leads_less_where_the_model_is_less_wrong() -> None:
    domain = target_domain(4, painted=4)
    between = forest_lead(domain, agreeing(0.45, 0.45, 0.45))
    assert between is not None
    assert 0 < between.share < 1
    unsure_places = forest_lead(domain, replace(agreeing(0.1, 0.1, 0.1), sureness=0.7))
    assert unsure_places is not None
    assert unsure_places.share == pytest.approx(0.5)


def test_a_model_that_reads_the_strokes_is_not_even_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.StrokePixels, "of", lambda *_: pytest.fail("no forest is needed"))
    assert forest_lead(target_domain(), agreeing(0.8, 0.8, 0.8)) is None


def test_a_forest_that_is_hardly_better_does_not_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.StrokePixels, "checked", lambda *_: {0: 0.2, 1: 0.2, 2: 0.2})
    assert forest_lead(target_domain(), agreeing(0.15, 0.15, 0.15)) is None


def test_it_goes_on_leading_as_long_as_it_is_good_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = agreeing(1.0, 1.0, 1.0)  # the model has seen these strokes
    domain = target_domain(4, painted=4)
    again = forest_lead(domain, learnt, led_before=1.0)
    assert again is not None
    assert again.share == 1
    monkeypatch.setattr(module.StrokePixels, "checked", lambda *_: {0: 0.4, 1: 0.4, 2: 0.4})
    assert forest_lead(domain, learnt, led_before=1.0) is None


def test_too_few_strokes_make_no_forest() -> None:
    assert forest_lead(target_domain(2, painted=0), agreeing(0.0, 0.0)) is None


def test_a_round_is_led_as_far_as_the_forest_is_trusted_and_the_settings_allow() -> None:
    wrong = agreeing(0.1, 0.1, 0.1)
    whole = plan_round(AdaptSettings(), wrong, lead=1.0)
    assert [(p.begins, p.forest, p.settings.source_batch, p.settings.consistency) for p in whole.phases] == [
        (0.0, True, 0, 0.0)
    ]
    assert (whole.forest, whole.strokes_first, whole.share, whole.keeps) == (1.0, 1.0, 1.0, False)
    part = plan_round(AdaptSettings(strokes_first=0.0), agreeing(0.9, 0.9), lead=0.4)
    assert [(p.begins, p.forest, p.settings.dyce_balance) for p in part.phases] == [
        (0.0, True, 0.5),
        (0.4, False, 0.75),
        (0.4, False, 0.75),
    ]
    assert part.share == pytest.approx(0.7)
    assert plan_round(AdaptSettings(forest_lead=0.5), wrong, lead=1.0).forest == 0.5
    assert plan_round(AdaptSettings(labelled_batch=0), wrong, lead=1.0).forest == 0.0


def test_a_person_is_told_that_a_forest_leads_and_how_good_it_is() -> None:
    lead = forest_lead(target_domain(4, painted=4), agreeing(0.1, 0.1, 0.1))
    assert lead is not None
    wrong, names = agreeing(0.1, 0.1, 0.1), ("ground", "tree", "sky")
    words = plan_in_words(wrong, plan_round(AdaptSettings(), wrong, lead=1.0), (), names, lead)
    assert f"forest on the strokes alone reads {lead.accuracy:.0%}" in words
    assert "this round learns from the strokes" in words
    part = plan_in_words(wrong, plan_round(AdaptSettings(), wrong, lead=0.4), (), names, lead)
    assert "the first 40% of this round learn" in part


def a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a model reads, it is a guess."""
    monkeypatch.setattr(stroke_agreement, "WORTH_ASKING", (1.0, 1.1))


def worth_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model is worth asking."""
    monkeypatch.setattr(stroke_agreement, "WORTH_ASKING", (-2.0, -1.0))


def led(session: AdaptationSession) -> tuple[float, list[str]]:
    """How far a forest leads the next round, and what a person is told."""
    events = list(session.adapt(TWO_STEPS))
    end = events[-1]
    assert isinstance(end, RoundFinished)
    return end.scores["forest_lead"], [e.message for e in events if isinstance(e, Notice)]


def test_rounds_are_led_until_a_person_goes_back(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    a_guess(monkeypatch)
    session = session_of(bundle, target=target_domain(4, painted=4), forest_lead=1.0)
    share, told = led(session)
    assert share > 0
    assert any("random forest" in words for words in told)
    worth_asking(monkeypatch)
    assert led(session)[0] > 0
    session.restore(0)
    assert led(session)[0] == 0


def test_a_person_hears_of_the_forest_before_it_is_grown_and_can_stop_it(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_guess(monkeypatch)
    monkeypatch.setattr(stroke_forest, "_fitted", lambda *_: pytest.fail("it was stopped"))
    session = session_of(bundle, target=target_domain(4, painted=4), forest_lead=1.0)
    control = RunControl()
    for event in session.adapt(TWO_STEPS, control):
        if isinstance(event, Notice) and event.message == GROWING:
            control.stop()
    assert control.stop_requested, "the forest was announced"
    assert isinstance(event, RoundFinished)
    assert (event.reason, event.steps) == (FinishReason.STOPPED, 0)


def test_who_goes_on_with_the_same_images_another_day_is_led_on(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_guess(monkeypatch)
    first = session_of(bundle, target=target_domain(4, painted=4), forest_lead=1.0)
    led(first)
    worth_asking(monkeypatch)
    again = session_of(first.bundle(), target=target_domain(4, painted=3), forest_lead=1.0)
    assert led(again)[0] > 0
    others = MemoryDomain(
        replace(target_domain(8, painted=8)[i], name=f"night{i - 4}") for i in range(4, 8)
    )  # of the same names
    assert led(session_of(first.bundle(), target=others, forest_lead=1.0))[0] == 0


def test_a_model_that_nothing_led_says_so(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    worth_asking(monkeypatch)
    session = session_of(bundle, target=target_domain(4, painted=4), forest_lead=1.0)
    led(session)
    assert session.bundle().forest_led == ForestLed()
