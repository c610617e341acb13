from __future__ import annotations

from dataclasses import replace

import pytest

from semidavil_core.adaptation import forest_lead as module
from semidavil_core.adaptation import stroke_agreement
from semidavil_core.adaptation.forest_lead import forest_lead
from semidavil_core.adaptation.round_plan import plan_round
from semidavil_core.adaptation.round_words import plan_in_words
from semidavil_core.adaptation.stroke_agreement import StrokeAgreement
from semidavil_core.events import Notice, RoundFinished
from semidavil_core.export.bundle import Bundle
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
    monkeypatch.setattr(module.StrokePixels, "of", lambda _: pytest.fail("no forest is needed"))
    assert forest_lead(target_domain(), agreeing(0.8, 0.8, 0.8)) is None


def test_a_forest_that_is_hardly_better_does_not_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.StrokePixels, "checked", lambda _: {0: 0.2, 1: 0.2, 2: 0.2})
    assert forest_lead(target_domain(), agreeing(0.15, 0.15, 0.15)) is None


def test_it_goes_on_leading_as_long_as_it_is_good_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = agreeing(1.0, 1.0, 1.0)  # the model has seen these strokes
    domain = target_domain(4, painted=4)
    again = forest_lead(domain, learnt, led_before=1.0)
    assert again is not None
    assert again.share == 1
    monkeypatch.setattr(module.StrokePixels, "checked", lambda _: {0: 0.4, 1: 0.4, 2: 0.4})
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


def test_rounds_are_led_until_a_person_goes_back(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stroke_agreement, "WORTH_ASKING", (1.0, 1.1))  # whatever it reads, it is a guess
    session = session_of(bundle, target=target_domain(4, painted=4), forest_lead=1.0)

    def led() -> tuple[float, list[str]]:
        events = list(session.adapt(TWO_STEPS))
        end = events[-1]
        assert isinstance(end, RoundFinished)
        return end.scores["forest_lead"], [e.message for e in events if isinstance(e, Notice)]

    share, told = led()
    assert share > 0
    assert any("random forest" in words for words in told)
    monkeypatch.setattr(stroke_agreement, "WORTH_ASKING", (-2.0, -1.0))  # it is worth asking
    assert led()[0] > 0
    session.restore(0)
    assert led()[0] == 0
