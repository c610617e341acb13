"""What a round came to, in the sentence that stands in the window until the next one; free of Qt."""

from __future__ import annotations

from typing import Final

from semidavil_core.events import FinishReason, RoundFinished
from semidavil_napari._round_list import RoundEntry, Verdict

_CHANCE: Final = {
    Verdict.BETTER: ", more than chance explains",
    Verdict.WORSE: ", more than chance explains",
    Verdict.ALIKE: ", within chance",
}


def outcome_in_words(event: RoundFinished) -> str:
    """How a round ended, how it did on the strokes kept aside where it was measured, and what to do now."""
    figures = measured_in_words(event)
    came_to = "; ".join(filter(None, (f"{event.steps} steps in {event.seconds:.0f} s", figures)))
    match event.reason:
        case FinishReason.RESTORED:
            told = f" ({figures})" if figures else ""
            return f"Round {event.round} did not help on held-out strokes{told}; the model from before it was kept."
        case FinishReason.STOPPED if not event.scores.get("held_out_worse"):
            return f"Round {event.round} stopped after {came_to}; the model is the last good one."
        case FinishReason.BUDGET | FinishReason.STOPPED:
            return _finished(event, came_to)
    return f"Round {event.round} ended: {came_to}."


def measured_in_words(event: RoundFinished) -> str:
    """How many of the strokes kept aside were right before and after a round, and whether chance explains it; empty if nothing tells."""
    entry = RoundEntry(0, event.round, "", scores=event.scores)
    if entry.before is None or entry.after is None:
        return ""
    number = round(event.scores.get("held_out_strokes", 0))
    strokes = {0: "strokes", 1: "1 stroke"}.get(number, f"{number} strokes")
    return (
        f"{100 * entry.before:.0f} → {entry.after:.0%} right on {strokes} kept aside{_CHANCE[entry.verdict]}"
    )


def _finished(event: RoundFinished, came_to: str) -> str:
    """The outcome of a round that went on to its end, as the strokes that it did not see tell it."""
    lost = [name.removeprefix("lost/") for name in event.scores if name.startswith("lost/")]
    head = f"Round {event.round} finished"
    if event.scores.get("held_out_worse"):
        return (
            f"{head} ({came_to}) but got worse on strokes that it did not see: go back under Rounds, "
            "or paint where it is wrong and adapt again."
        )
    if lost:
        return f"{head} ({came_to}) but lost {', '.join(lost)}: paint more of it and adapt again, or go back under Rounds."
    if event.scores.get("forest_lead"):
        return (
            f"{head}: {came_to}. The source misled, so your strokes and a forest on them led; look where it is wrong, "
            "paint there and adapt again."
        )
    if event.scores.get("strokes_first"):
        return (
            f"{head}: {came_to}. The source misled, so it began with your strokes alone; look where it is wrong, "
            "paint there and adapt again."
        )
    return f"{head}: {came_to}. Paint where it is wrong and adapt again."
