"""The methods that the CamVid benchmark compares, each as settings of the same network and the same loop."""

from __future__ import annotations

from dataclasses import dataclass, replace

from semidavil_core.settings import AdaptSettings, ConfidenceMode


@dataclass(frozen=True)
class Method:
    """One row of the table that is trained."""

    name: str
    settings: AdaptSettings
    full_labels: bool = False
    """Train on dense labels of every target image, which no person would paint: what labels could give at best."""


# Plain cross-entropy on whatever is labelled: what every other method adds to.
_SUPERVISED = AdaptSettings(
    dyce_hard=1.0,
    dyce_balance=1.0,
    consistency=0.0,
    negative=0.0,
    contrastive=0.0,
    clip_guidance=0.0,
    clip_prior=0.0,
    mix_source=0.0,
    mix_target=0.0,
    style=0.0,
    smoothing=False,
    averaging=1.0,
    strokes_first=0.0,
    forest_lead=0.0,
    pseudo_labels_after=0,
    image_prior=0.0,
)
_FIXMATCH = replace(_SUPERVISED, consistency=1.0, confidence=ConfidenceMode.HARD, threshold=0.95)

METHODS = (
    Method("scribbles only", replace(_SUPERVISED, source_batch=0, labelled_batch=4)),
    Method("joint supervised", _SUPERVISED),
    Method("FixMatch + EMA", _FIXMATCH),
    Method(
        "SemiDAViL as published",
        replace(_FIXMATCH, dyce_hard=0.2, dyce_balance=0.5, dyce_normalize=False, decay_max=0.999),
    ),
    Method("ours", AdaptSettings()),
    Method("oracle: all labels", replace(_SUPERVISED, labelled_batch=4), full_labels=True),
)
