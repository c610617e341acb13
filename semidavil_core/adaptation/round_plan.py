"""What a round is to lean on — the model that it starts from, or the strokes alone — judged by how far they agree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from semidavil_core.adaptation.stroke_agreement import StrokeAgreement, ramp
from semidavil_core.settings import AdaptSettings

_FAIR: Final = 0.5
_WORTH_KEEPING: Final = (0.55, 0.65)
"""Class accuracy up to which a round may move the weights all the way, and from which on only as far as the settings say."""
_FOR_NEW: Final = 0.75
"""How far a round goes at the least where a class is new: halfway to it would be half a class, and all the way costs the others."""


@dataclass(frozen=True)
class PhasePlan:
    """From when on a round trains how."""

    begins: float
    """Used share of the budget, 0 to 1."""
    settings: AdaptSettings
    after: int = 0
    """Steps that have to be taken before, too."""
    forest: bool = False
    """Whether the labels of a forest stand beside the strokes."""
    names: bool = False
    """Whether names of classes that nothing taught yet teach: from the start, before pseudo-labels do, but not beside strokes alone."""


@dataclass(frozen=True)
class RoundPlan:
    """How a round spends its budget and how far it may go."""

    phases: tuple[PhasePlan, ...]
    """In their order, the first from 0 on."""
    share: float
    """How far the weights move from those before the round to those it ends with, 0 to 1."""
    strokes_first: float = 0.0
    """Share of the budget, from its start on, that learns from strokes alone: no source, no pseudo-labels."""
    representative: float = 1.0
    """How far the strokes tell what the model before is worth where there are none, 0 to 1."""
    forest: float = 0.0
    """Share of the budget, from its start on, in which a forest on the strokes teaches beside them."""
    keeps: bool = False
    """Whether what the model before is sure of is to stay: they do not tell, and it was not sure of what they show to be wrong."""


def plan_round(
    settings: AdaptSettings, agreement: StrokeAgreement, *, new_classes: bool = False, lead: float = 0.0
) -> RoundPlan:
    """Choose what a round leans on.

    Parameters
    ----------
    settings
        `strokes_first` and `forest_lead` are what is chosen at the most, `averaging` at the least.
    agreement
        Of the model before the round with the strokes.
    new_classes
        Whether something was painted that the model has never learnt.
    lead
        How far a forest on the strokes is to be trusted more than the model, 0 to 1.
    """
    fair = agreement.representative
    change = max(lead, fair * (1 - ramp(agreement.class_accuracy, *_WORTH_KEEPING)))
    share = settings.averaging + change * (1 - settings.averaging)
    share = max(share, _FOR_NEW) if new_classes else share
    forest = lead * settings.forest_lead if settings.labelled_batch else 0.0
    strokes_first = fair * agreement.misled * settings.strokes_first if settings.labelled_batch else 0.0
    strokes_first = max(forest, strokes_first)
    keeps = fair < _FAIR and agreement.surely_misled < _FAIR and lead < _FAIR
    phases = _phases(settings, strokes_first, forest=forest > 0)
    return RoundPlan(phases, share, strokes_first, fair, forest, keeps)


def _phases(settings: AdaptSettings, strokes_first: float, *, forest: bool) -> tuple[PhasePlan, ...]:
    """Strokes alone, then with the source, then with what the teacher makes of the rest: it should have seen the strokes first."""
    names = settings.consistency > 0
    if not settings.labelled_batch:
        return (PhasePlan(0.0, settings, names=names),)
    alone = strokes_alone(settings)
    if forest:
        alone = replace(alone, dyce_balance=settings.forest_balance)
    chosen = [PhasePlan(0.0, alone, forest=forest)] if strokes_first else []
    if strokes_first == 1:
        return tuple(chosen)
    labels = replace(settings, consistency=0.0)
    everything = PhasePlan(strokes_first, settings, settings.pseudo_labels_after, names=names)
    chosen += [PhasePlan(strokes_first, labels, names=names)] if everything.after else []
    return (*chosen, everything)


def strokes_alone(settings: AdaptSettings) -> AdaptSettings:
    """`settings` without what a model that misleads would teach: source images, pseudo-labels and guides."""
    return replace(settings, source_batch=0, consistency=0.0, negative=0.0, anchor=0.0, clip_guidance=0.0)
