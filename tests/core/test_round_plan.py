from __future__ import annotations

from dataclasses import replace

import pytest

from semidavil_core.adaptation.round_plan import RoundPlan, plan_round, strokes_alone
from semidavil_core.adaptation.round_words import plan_in_words
from semidavil_core.adaptation.stroke_agreement import StrokeAgreement
from semidavil_core.settings import AdaptSettings

NAMES = ("sky", "road", "tree", "car", "pole")


def agreeing(*shares: float) -> StrokeAgreement:
    return StrokeAgreement(sum(shares) / len(shares), dict(enumerate(shares)))


def test_a_model_that_is_mostly_wrong_is_changed_more() -> None:
    shares = [
        plan_round(AdaptSettings(), agreeing(*[accuracy] * 5)).share
        for accuracy in (0.0, 0.55, 0.6, 0.65, 1.0)
    ]
    assert shares == pytest.approx([1.0, 1.0, 0.75, 0.5, 0.5])
    assert plan_round(AdaptSettings(averaging=1.0), agreeing(*[0.9] * 5)).share == 1.0


def test_strokes_come_first_where_the_model_guesses_and_a_model_worth_asking_is_asked_from_the_start() -> (
    None
):
    def first(accuracy: float, classes: int) -> float:
        return plan_round(AdaptSettings(), agreeing(*[accuracy] * classes)).strokes_first

    assert first(0.1, 5) == first(0.2, 5) == first(0.5, 2) == 0.5
    assert 0 < first(0.34, 5) < 0.5
    assert first(0.45, 5) == first(0.65, 2) == 0.0


@pytest.mark.parametrize("changed", [{"strokes_first": 0.0}, {"labelled_batch": 0}])
def test_strokes_do_not_come_first_where_settings_forbid_it(changed: dict[str, float]) -> None:
    assert plan_round(AdaptSettings(**changed), agreeing(0.0, 0.0)).strokes_first == 0.0


def test_strokes_alone_are_settings_that_can_be_trained_with_and_lean_on_nothing_else() -> None:
    alone = strokes_alone(AdaptSettings(clip_guidance=0.1, negative=0.1))
    assert alone.labelled_batch == AdaptSettings().labelled_batch
    leant_on = (alone.source_batch, alone.consistency, alone.anchor, alone.clip_guidance, alone.negative)
    assert not any(leant_on)


def test_a_person_is_told_what_is_misread_and_what_the_round_does_about_it() -> None:
    misled = plan_in_words(agreeing(0.9, 0.0, 0.1, 0.0, 0.05), RoundPlan((), 1.0, 0.5), (), NAMES)
    assert "least on car 0%, road 0%, pole 5%, tree 10%" in misled
    assert "the first 50% of this round learn from the strokes alone" in misled
    good = plan_in_words(agreeing(0.9, 0.8), RoundPlan((), 0.5), (), NAMES)
    assert "85% of their pixels" in good
    assert "50% of the way" in good
    assert "least on" not in good
    new = plan_in_words(agreeing(0.9, 0.0), RoundPlan((), 1.0), ("road",), NAMES)
    assert "new to it: road" in new
    assert "road 0%" not in new, "it cannot be blamed for a class that it has never seen"


def parts(settings: AdaptSettings, *shares: float) -> list[tuple[float, int, bool, bool]]:
    """When each phase begins, and whether it learns from the source and from pseudo-labels."""
    phases = plan_round(settings, agreeing(*shares)).phases
    return [(p.begins, p.after, p.settings.source_batch > 0, p.settings.consistency > 0) for p in phases]


def test_pseudo_labels_wait_until_the_teacher_has_seen_the_strokes() -> None:
    assert parts(AdaptSettings(), 0.9, 0.9) == [(0.0, 0, True, False), (0.0, 40, True, True)]
    assert parts(AdaptSettings(pseudo_labels_after=0), 0.9, 0.9) == [(0.0, 0, True, True)]


def test_after_strokes_alone_everything_joins() -> None:
    misled = AdaptSettings(strokes_first=0.4)
    assert parts(misled, 0.0, 0.0) == [(0.0, 0, False, False), (0.4, 0, True, False), (0.4, 40, True, True)]
    both = replace(misled, pseudo_labels_after=0)
    assert parts(both, 0.0, 0.0) == [(0.0, 0, False, False), (0.4, 0, True, True)]


def test_without_crops_of_strokes_there_is_nothing_to_wait_for() -> None:
    assert parts(AdaptSettings(labelled_batch=0), 0.9, 0.9) == [(0.0, 0, True, True)]


def test_beside_a_new_class_a_round_goes_three_quarters_of_the_way_at_least_and_is_else_as_any() -> None:
    for shares, known_way, new_way in (((0.9, 0.9), 0.5, 0.75), ((0.2, 0.2), 1.0, 1.0)):
        known, new = (
            plan_round(AdaptSettings(), agreeing(*shares), new_classes=new) for new in (False, True)
        )
        assert (known.share, new.share) == (known_way, new_way)
        assert new == replace(known, share=new_way)


def test_names_teach_before_pseudo_labels_do_but_not_beside_strokes_alone() -> None:
    def names(settings: AdaptSettings, *shares: float) -> list[bool]:
        return [phase.names for phase in plan_round(settings, agreeing(*shares)).phases]

    assert names(AdaptSettings(), 0.9, 0.9) == [True, True]
    assert names(AdaptSettings(strokes_first=0.4), 0.0, 0.0) == [False, True, True]
    assert names(AdaptSettings(labelled_batch=0), 0.9, 0.9) == [True]
    assert names(AdaptSettings(consistency=0.0), 0.9, 0.9) == [False, False]


def test_strokes_where_the_model_is_unsure_say_little_of_the_rest_so_it_is_kept() -> None:
    wrong = agreeing(*[0.1] * 5)
    everywhere = plan_round(AdaptSettings(), wrong)
    assert not everywhere.keeps
    right = agreeing(*[0.8] * 5)
    for unfair in (replace(wrong, sureness=0.4), replace(right, covered=0.5)):
        plan = plan_round(AdaptSettings(), unfair)
        assert plan.keeps
        assert (plan.representative, plan.strokes_first, plan.share) == (0.0, 0.0, 0.5)
        assert "what it is sure of is kept" in plan_in_words(unfair, plan, (), NAMES)
    surely_wrong = plan_round(AdaptSettings(), replace(wrong, covered=0.5))
    assert not surely_wrong.keeps
    assert (surely_wrong.strokes_first, surely_wrong.share) == (0.0, 0.5)
    between = plan_round(AdaptSettings(), replace(wrong, sureness=0.75))
    assert 0 < between.strokes_first < everywhere.strokes_first
    assert not between.keeps
