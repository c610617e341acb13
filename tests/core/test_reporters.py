"""Progress, rate and results as a person or a script reads them."""

from __future__ import annotations

from pathlib import Path

from semidavil_core.commands.evaluate import score_table
from semidavil_core.commands.progress import ProgressMeter, clock_time
from semidavil_core.commands.reporters import json_line, sentence_of
from semidavil_core.events import Notice, RoundFinished, StageProgress, StageStarted, StepFinished


def test_progress_tells_rate_and_time_left() -> None:
    now = [0.0]
    meter = ProgressMeter(clock=lambda: now[0])
    meter.read(StageStarted("reading images", 20, "images"))
    now[0] = 2.0
    reading = meter.read(StageProgress(5))
    assert reading is not None
    assert (reading.fraction, reading.rate, reading.eta) == (0.25, "2.5 images/s", 6.0)


def test_progress_of_training_follows_the_budget() -> None:
    reading = ProgressMeter().read(StepFinished(step=30, seconds=10.0, fraction=0.25, loss=0.5))
    assert reading is not None
    assert (reading.fraction, reading.rate, reading.eta, reading.detail) == (
        0.25,
        "3.0 steps/s",
        30.0,
        "loss 0.500",
    )


def test_progress_survives_the_first_moment_and_unknown_totals() -> None:
    meter = ProgressMeter(clock=lambda: 0.0)
    assert meter.read(StageProgress(0)) is not None
    assert meter.read(StepFinished(step=1, seconds=0.0, fraction=0.0, loss=1.0)) is not None
    assert meter.read(Notice("x")) is None


def test_times_are_written_as_on_a_clock() -> None:
    assert [clock_time(s) for s in (0, 59.6, 61, 3700)] == ["0:00", "1:00", "1:01", "1:01:40"]


def test_a_finished_round_is_told_with_its_scores() -> None:
    event = RoundFinished(
        round=2, reason="restored", steps=10, seconds=3.0, scores={"held_out_accuracy": 0.5}
    )
    assert sentence_of(event).startswith("Round 2: 10 steps in 3.0 s, held out accuracy 0.500; it got worse")


def test_json_of_odd_values_is_strict() -> None:
    assert json_line({"a": float("inf"), "b": (1, Path("p"))}) == '{"a": null, "b": [1, "p"]}'


def test_the_score_table_lines_up_and_shows_missing_values() -> None:
    scores = {
        "iou": {"road": 0.5, "pole": None},
        "miou": 0.5,
        "tail_iou": None,
        "tail_recall": None,
        "accuracy": 1.0,
        "ece": 0.1,
    }
    table = score_table({"before": scores, "after": scores})
    assert len({len(line) for line in table.splitlines()}) == 1
    assert "-" in next(line for line in table.splitlines() if line.startswith("pole"))
