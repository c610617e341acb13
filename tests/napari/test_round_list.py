"""The list of rounds: what stands, what can be gone back to, what got worse."""

from __future__ import annotations

from pathlib import Path

import pytest

from semidavil_core.events import RoundFinished
from semidavil_napari._round_list import RoundList, Verdict


def finished(number: int, before: float = 0.5, after: float = 0.8, reason: str = "budget") -> RoundFinished:
    scores = {"held_out_accuracy_before": before, "held_out_accuracy_after": after, "held_out_margin": 0.1}
    return RoundFinished(number, reason, 20, 10.0, scores)


def rounds(*events: RoundFinished) -> RoundList:
    found = RoundList()
    found.model_changed()
    for event in events:
        found.finished(event)
    return found


def standing(found: RoundList) -> int | None:
    return None if found.current is None else found.current.number


def key(found: RoundList, number: int) -> int:
    return next(e.key for e in found.entries if e.number == number and e.available)


def test_rounds_stand_below_the_start_and_the_last_one_stands() -> None:
    found = rounds(finished(1), finished(2))
    assert [e.name for e in found.entries] == ["Start", "Round 1", "Round 2"]
    assert standing(found) == 2
    assert found.parent(found.entries[2]) is found.entries[1]


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (0.5, 0.8, Verdict.BETTER),
        (0.8, 0.5, Verdict.WORSE),
        (0.5, 0.55, Verdict.ALIKE),
        (0.55, 0.5, Verdict.ALIKE),
    ],
)
def test_the_verdict_needs_more_than_chance(before: float, after: float, verdict: Verdict) -> None:
    assert rounds(finished(1, before, after)).entries[-1].verdict is verdict


def test_a_round_without_strokes_kept_aside_has_no_verdict() -> None:
    found = rounds(RoundFinished(1, "budget", 3, 1.0, {"held_out_strokes": 0.0}))
    assert found.entries[-1].verdict is Verdict.UNKNOWN
    assert found.worse is None


def test_going_back_can_be_undone_and_the_undo_again() -> None:
    found = rounds(finished(1), finished(2), finished(3))
    found.restored(1)
    assert standing(found) == 1
    assert found.undo is not None
    assert found.undo.number == 3
    found.restored(0)
    assert found.undo is not None
    assert found.undo.number == 1
    found.restored(1)
    found.restored(3)
    assert (standing(found), found.undo) == (3, None)


def test_a_round_after_going_back_goes_on_from_there_and_keeps_the_later_ones() -> None:
    found = rounds(finished(1), finished(2))
    found.restored(1)
    found.finished(finished(3))
    assert [e.number for e in found.entries] == [0, 1, 2, 3]
    assert found.entries[-1].parent == 1
    assert found.undo is None


def test_a_round_that_was_taken_back_by_itself_does_not_stand() -> None:
    found = rounds(finished(1), finished(2, 0.8, 0.5, "restored"))
    assert standing(found) == 1
    assert found.worse is None


def test_the_standing_round_that_got_worse_is_told() -> None:
    found = rounds(finished(1), finished(2, 0.8, 0.5))
    assert found.worse is found.current
    found.restored(1)
    assert found.worse is None


def test_without_the_engine_no_round_can_be_gone_back_to_and_the_next_model_stands_alone() -> None:
    found = rounds(finished(1), finished(2))
    found.lost()
    assert [(e.number, e.available) for e in found.entries] == [(1, False), (2, False)]
    assert found.current is None
    found.model_changed()
    found.finished(finished(3))
    assert [e.available for e in found.entries] == [False, False, True, True]
    assert standing(found) == 3
    found.restored(2)
    assert standing(found) == 3, "round 2 was another model's"


def test_a_first_round_that_nobody_announced_still_has_a_start() -> None:
    found = RoundList()
    found.finished(finished(1))
    assert [e.number for e in found.entries] == [0, 1]
    assert found.parent(found.entries[1]) is found.entries[0]


def test_rounds_can_be_renamed_and_an_empty_name_gives_their_own_back() -> None:
    found = rounds(finished(1))
    found.rename(key(found, 1), " with poles ")
    assert found.names() == {0: "Start", 1: "with poles"}
    found.rename(key(found, 1), " ")
    assert found.names()[1] == "Round 1"


def kept(found: RoundList, folder: Path, *numbers: int) -> None:
    """Let the models of these rounds lie on the disk."""
    for number in numbers:
        (bundle := folder / str(number)).mkdir()
        (bundle / "config.json").write_text('{"format": "semidavil-bundle"}')
        found.keep(number, bundle)


def test_a_round_of_an_earlier_model_that_is_taken_again_stands_in_its_own_row(tmp_path: Path) -> None:
    found = rounds(finished(1), finished(2))
    kept(found, tmp_path, 1, 2)
    found.model_changed(1)
    assert [(e.name, e.available) for e in found.entries] == [("Round 1", True), ("Round 2", False)]
    assert (standing(found), found.current.after) == (1, 0.8)
    assert found.undo is not None
    assert found.undo.number == 2
    found.model_changed(2)
    assert (standing(found), found.undo) == (2, None)
    found.finished(finished(3))
    assert found.parent(found.entries[-1]).number == 2


def test_an_engine_that_goes_on_from_what_stood_has_gone_back_nowhere(tmp_path: Path) -> None:
    found = rounds(finished(1), finished(2))
    kept(found, tmp_path, 1, 2)
    found.lost()
    assert found.current is None
    found.model_changed(2)
    assert (standing(found), found.undo) == (2, None)


def test_going_back_in_a_reopened_project_can_be_undone(tmp_path: Path) -> None:
    found, told = RoundList(), {"reason": "budget", "steps": 5, "seconds": 2.0, "scores": {}, "parent": 0}
    found.recall({"rounds": [{"round": n, **told} for n in (1, 2)]}, {}, stood=2)
    kept(found, tmp_path, 1, 2)
    assert (found.current, found.undo) == (None, None)
    found.model_changed(1)
    assert (standing(found), found.undo.number) == (1, 2)


def test_there_is_no_undo_to_a_start_that_is_gone(tmp_path: Path) -> None:
    found = rounds(finished(1))
    kept(found, tmp_path, 1)
    found.restored(0)
    found.model_changed(1)
    assert (standing(found), found.undo) == (1, None)


def test_rounds_of_an_earlier_window_are_shown_without_a_way_back() -> None:
    found = rounds(finished(1))
    row = {"round": 4, "reason": "budget", "steps": 5, "seconds": 2.0, "scores": {}, "parent": 0}
    found.recall({"rounds": [row]}, {4: "before lunch"})
    assert [(e.name, e.available) for e in found.entries] == [("before lunch", False)]
    assert found.current is None
    found.model_changed()
    found.finished(finished(1))
    assert [e.name for e in found.entries] == ["before lunch", "Start", "Round 1"]
