"""What a round says to a person, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from semidavil_core.adaptation.held_out_check import Comparison
from semidavil_core.adaptation.round_history import RoundRecord
from semidavil_core.adaptation.stroke_agreement import StrokeAgreement
from semidavil_core.events import FinishReason

TOO_FEW: Final = (
    "There are too few strokes to keep some aside, so it is not measured whether this round helps; "
    "paint at least three strokes of a class, or a long one."
)


def agreement_in_words(agreement: StrokeAgreement, new: Sequence[str]) -> str:
    """How far the model agrees with the strokes before a round, and which painted classes are `new` to it."""
    found = (
        f"The model agrees with the strokes on {agreement.accuracy:.0%} of their pixels "
        f"({agreement.class_accuracy:.0%} as a mean over the classes)"
    )
    return f"{found}; new to it: {', '.join(new)}." if new else f"{found}."


def worse_in_words(compared: Comparison, record: RoundRecord) -> str:
    """That a round got worse on its held-out strokes, and the way back."""
    before = "the start" if record.parent == 0 else f"round {record.parent}"
    remedy = (
        f"so the model of {before} stands"
        if record.reason is FinishReason.RESTORED
        else f"so go back to {before}, or paint more where it is wrong"
    )
    return (
        f"Round {record.round} got worse on the {compared.strokes} strokes kept aside "
        f"({compared.before:.0%} right before, {compared.after:.0%} after; chance alone explains up to {compared.margin:.0%}), {remedy}."
    )
