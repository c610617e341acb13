"""What a round says to a person, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from semidavil_core.adaptation.forest_lead import ForestLead
from semidavil_core.adaptation.held_out_check import Comparison
from semidavil_core.adaptation.round_history import RoundRecord
from semidavil_core.adaptation.round_plan import RoundPlan
from semidavil_core.adaptation.stroke_agreement import StrokeAgreement
from semidavil_core.data.label_maps import Labels, classes_in
from semidavil_core.events import FinishReason

TOO_FEW: Final = (
    "There are too few strokes to keep some aside, so it is not measured whether this round helps; "
    "paint at least three strokes of a class, or a long one."
)
ALL_LEARNT: Final = "All strokes have been learnt from in an earlier round, so none can tell whether this round helps; paint new ones to measure it."
GROWING: Final = (
    "Growing a random forest on the strokes alone, to see whether it reads them better than the model …"
)
_MISREAD: Final = 0.3
_NAMED: Final = 4


def plan_in_words(
    agreement: StrokeAgreement,
    plan: RoundPlan,
    new: Sequence[str],
    classes: Sequence[str],
    lead: ForestLead | None = None,
) -> str:
    """How far the model agrees with the strokes before a round, which of the `classes` it misreads, and what the round does about it.

    Parameters
    ----------
    agreement
        Of the model before the round.
    plan
        What was chosen.
    new
        Painted classes that it has never learnt.
    classes
        Names of all classes.
    lead
        The forest that leads, if one does.
    """
    found = (
        f"The model agrees with the strokes on {agreement.accuracy:.0%} of their pixels "
        f"({agreement.class_accuracy:.0%} as a mean over the classes)"
    )
    known = sorted((share, classes[k]) for k, share in agreement.by_class.items() if classes[k] not in new)
    misread = [f"{name} {share:.0%}" for share, name in known if share < _MISREAD][:_NAMED]
    said = [found]
    if misread:
        said.append(f"least on {', '.join(misread)}")
    if new:
        said.append(f"new to it: {', '.join(new)}")
    return f"{'; '.join(said)}. {_chosen(plan, lead)}"


def _chosen(plan: RoundPlan, lead: ForestLead | None) -> str:
    if plan.forest and lead is not None:
        how_long = (
            "this round learns" if plan.forest == 1 else f"the first {plan.forest:.0%} of this round learn"
        )
        return (
            f"A random forest on the strokes alone reads {lead.accuracy:.0%} (class mean) in images that it did not see, so {how_long} "
            "from the strokes and from what the forest is sure of, and not from the source."
        )
    if plan.keeps:
        return (
            "These strokes lie where it is unsure, or show few of its classes, so they do not tell what it is worth elsewhere: "
            "what it is sure of is kept. Paint every class, and where it is sure and wrong."
        )
    if plan.strokes_first:
        return (
            "That is little better than a guess, so the source would mislead: the first "
            f"{plan.strokes_first:.0%} of this round learn from the strokes alone."
        )
    if plan.share < 1:
        return f"That is worth keeping, so the round goes {plan.share:.0%} of the way from this model to the one that it learns."
    return "The round keeps all that it learns."


def misnamed_in_words(alarms: Mapping[int, float], classes: Sequence[str]) -> str:
    """That names of new classes fit too much of others; `alarms` are the shares of the other classes' strokes, by index of the class."""
    found = ", ".join(f"{classes[k]} ({share:.0%})" for k, share in alarms.items())
    return (
        f"By name alone the language model takes strokes of other classes for {found} as well (in brackets the mean share of these classes), so "
        "what it finds in these images does not teach: paint more of it, or try other synonyms."
    )


def named_in_source_in_words(found: Mapping[str, Labels], classes: Sequence[str]) -> str:
    """That the source teaches new classes, too; `found` are the labels that names gave its images."""
    names = ", ".join(classes[k] for k in classes_in(found.values()))
    return (
        f"By name the language model finds {names} in {len(found)} of the source's images, where these have no labels, so they teach "
        "this, too."
    )


def missed_in_words(missed: Sequence[str]) -> str:
    """That a round did not learn new classes, though they are painted."""
    return (
        f"Next to none of the strokes of {', '.join(missed)} are right after this round, so what the name alone finds of it is shown on; "
        "paint more of it, and adapt again."
    )


def worse_in_words(compared: Comparison, record: RoundRecord) -> str:
    """That a round got worse on its held-out strokes, and the way back."""
    before = _before(record)
    remedy = (
        f"so the model of {before} stands"
        if record.reason is FinishReason.RESTORED
        else f"so go back to {before}, or paint more where it is wrong"
    )
    return (
        f"Round {record.round} got worse on the {compared.strokes} strokes kept aside "
        f"({compared.before:.0%} right before, {compared.after:.0%} after; chance alone explains up to {compared.margin:.0%}), {remedy}."
    )


def lost_in_words(compared: Comparison, record: RoundRecord, classes: Sequence[str]) -> str:
    """That a round unlearnt some of the `classes`."""
    names = ", ".join(f"{classes[k]} (now {compared.by_class[k]:.0%} right)" for k in compared.lost)
    return f"Round {record.round} lost what the model knew of {names}; paint more of it, or go back to {_before(record)}."


def _before(record: RoundRecord) -> str:
    return "the start" if record.parent == 0 else f"round {record.parent}"
