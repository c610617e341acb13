"""The window's state machine, without a window."""

from __future__ import annotations

import pytest

from semidavil_core.events import (
    ModelChanged,
    Notice,
    Paused,
    Resumed,
    RoundFinished,
    RoundRestored,
    StageProgress,
    StageStarted,
    StepFinished,
)
from semidavil_napari._session import Session, Stage, State

STEP = StepFinished(step=212, seconds=19.0, fraction=0.3, loss=0.5, mean_confidence=0.83)


def adapting() -> Session:
    session = Session()
    session.begin()
    session.happened(StageStarted(Stage.ADAPT, 60.0, "seconds", round=1))
    session.happened(STEP)
    return session


def test_a_round_of_so_many_steps_tells_the_rest_from_their_pace() -> None:
    session = Session()
    session.begin()
    session.happened(StageStarted(Stage.ADAPT, 50, "steps", round=1))
    session.happened(StageStarted("reading the images", 24, "images"))
    status = session.happened(StepFinished(step=20, seconds=40.0, fraction=0.4, loss=0.5))
    assert status.sentence.startswith("Round 1: 60 s left, 20 steps")


def test_the_status_says_the_round_what_is_left_and_how_sure_the_teacher_is() -> None:
    status = adapting().status
    assert status.sentence == "Round 1: 41 s left, 212 steps, mean confidence 0.83"
    assert (status.state, status.fraction) == (State.ADAPTING, 0.3)
    assert status.busy
    assert status.can_pause
    assert status.can_stop


def test_a_stage_of_the_core_within_a_round_changes_the_words_and_not_the_state() -> None:
    session = adapting()
    session.happened(StageStarted("caching features", 10, "images"))
    status = session.happened(StageProgress(4))
    assert (status.state, status.sentence, status.fraction) == (
        State.ADAPTING,
        "Caching features: 4 of 10 images",
        0.4,
    )
    assert session.happened(STEP).sentence.startswith("Round 1: 41 s left")


def test_preparation_is_told_apart_from_a_round() -> None:
    session = Session()
    session.begin()
    session.happened(StageStarted(Stage.PREPARE, 30.0, "seconds"))
    assert session.happened(STEP).sentence.startswith("First, learning from the source: 11 s left")
    assert session.happened(RoundFinished(0, "budget", 5, 30.0)).state is State.PREPARING
    assert session.status.rounds == 0


def test_pause_and_resume_keep_what_was_said() -> None:
    session = adapting()
    said = session.status.sentence
    assert session.happened(Paused()).state is State.PAUSED
    assert session.happened(Resumed()).sentence == said
    assert session.status.state is State.ADAPTING


def test_stopping_stays_stopping_until_the_round_tells_its_end() -> None:
    session = adapting()
    assert session.stop_requested().state is State.STOPPING
    for event in (STEP, Paused(), Resumed(), StageStarted("caching features", 1)):
        assert session.happened(event).state is State.STOPPING
    session.happened(RoundFinished(1, "stopped", 212, 19.4))
    assert session.happened(StageStarted(Stage.PREDICT, 2, "images")).state is State.PREDICTING
    assert (
        session.ended().sentence == "Round 1 stopped after 212 steps in 19 s; the model is the last good one."
    )
    assert not session.status.busy


def test_a_paused_round_can_be_stopped() -> None:
    session = adapting()
    session.happened(Paused())
    session.stop_requested()
    assert session.happened(Resumed()).state is State.STOPPING


@pytest.mark.parametrize(
    ("reason", "words"), [("budget", "Paint where it is wrong"), ("restored", "did not help")]
)
def test_the_outcome_of_a_round_stays_when_the_predictions_are_done(reason: str, words: str) -> None:
    session = adapting()
    session.happened(RoundFinished(1, reason, 212, 60.0))
    session.happened(StageStarted(Stage.PREDICT, 2, "images"))
    session.happened(StageProgress(2))
    assert words in session.ended().sentence
    assert session.begin().rounds == 1


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"strokes_first": 0.0}, "212 steps in 60 s. Paint where it is wrong"),
        ({"strokes_first": 0.5}, "The source misled, so it began with your strokes alone"),
        ({"strokes_first": 1.0, "forest_lead": 1.0}, "your strokes and a forest on them led"),
        ({"strokes_first": 0.5, "lost/pole": 0.1, "lost/car": 0.2}, "but lost pole, car"),
        ({"held_out_worse": 1.0, "lost/pole": 0.1}, "but got worse"),
    ],
)
def test_the_outcome_tells_what_matters_most(scores: dict[str, float], words: str) -> None:
    session = adapting()
    session.happened(RoundFinished(1, "budget", 212, 60.0, scores))
    assert words in session.ended().sentence


BEFORE_AND_AFTER = {"held_out_accuracy_before": 0.72, "held_out_accuracy_after": 0.5, "held_out_strokes": 4.0}


@pytest.mark.parametrize(
    ("reason", "scores", "words"),
    [
        ("budget", {"held_out_margin": 0.3}, "72 → 50% right on 4 strokes kept aside, within chance. Paint"),
        ("stopped", {"held_out_margin": 0.3}, "72 → 50% right on 4 strokes kept aside, within chance; the model"),
        ("budget", {"held_out_margin": 0.1, "held_out_worse": 1.0}, "more than chance explains) but got worse"),
        ("restored", {"held_out_margin": 0.1, "held_out_worse": 1.0}, "72 → 50% right on 4 strokes kept aside"),
        ("budget", {"held_out_accuracy_after": 0.9, "held_out_strokes": 1.0}, "72 → 90% right on 1 stroke kept aside, more"),
        ("budget", {"lost/car": 0.1, "held_out_margin": 0.3}, "72 → 50% right on 4 strokes kept aside, within chance) but lost"),
    ],
)  # fmt: skip
def test_the_outcome_gives_the_score_and_whether_chance_explains_it(
    reason: str, scores: dict[str, float], words: str
) -> None:
    session = adapting()
    session.happened(RoundFinished(1, reason, 212, 60.0, {**BEFORE_AND_AFTER, **scores}))
    assert words in session.ended().sentence


def test_what_a_round_said_on_its_way_stands_until_the_next_round_begins() -> None:
    session = Session()
    session.begin()
    session.happened(StageStarted(Stage.PREPARE, 30.0, "seconds"))
    session.happened(Notice("The source has no puddle."))
    assert session.happened(StageStarted(Stage.ADAPT, 60.0, "seconds")).told == ("The source has no puddle.",)
    for _ in range(2):
        session.happened(Notice("The model agrees with the strokes on 43%."))
    session.happened(STEP)
    session.happened(RoundFinished(1, "budget", 212, 60.0))
    both = ("The source has no puddle.", "The model agrees with the strokes on 43%.")
    assert session.ended().told == both
    session.begin()
    session.happened(Notice("Exported to x."))
    assert session.ended().told == both, "another job is no round"
    session.begin()
    assert session.happened(StageStarted(Stage.ADAPT, 60.0, "seconds")).told == ()
    session.happened(Notice("The model agrees with the strokes on 80%."))
    assert session.happened(RoundRestored(0)).told == (), (
        "the model that it was said of does not stand any more"
    )


def test_a_failure_ends_the_job_in_its_sentence_and_the_next_job_forgets_it() -> None:
    session = adapting()
    status = session.failed("The engine ended by signal 11.")
    assert (status.state, status.failed, status.sentence) == (
        State.IDLE,
        True,
        "The engine ended by signal 11.",
    )
    assert not session.begin().failed


def test_a_notice_is_shown_and_is_the_outcome_where_no_round_was_run() -> None:
    session = Session()
    session.begin()
    session.happened(Notice("Saved the bundle to x."))
    assert session.ended().sentence == "Saved the bundle to x."


def test_stop_and_pause_do_nothing_while_nothing_runs() -> None:
    session = Session()
    assert session.stop_requested().state is State.IDLE
    assert not session.status.can_pause
    assert not session.status.can_stop


def test_another_model_tells_where_it_goes_on_and_its_rounds_have_the_numbers_that_they_are_told() -> None:
    session = adapting()
    session.happened(RoundFinished(1, "budget", 212, 60.0))
    session.ended()
    session.begin()
    session.happened(ModelChanged(1))
    session.happened(StageStarted(Stage.ADAPT, 60.0, "seconds", round=4))
    assert session.happened(STEP).sentence.startswith("Round 4: 41 s left")
    assert session.ended().sentence == "The model is the one after round 1 again."
