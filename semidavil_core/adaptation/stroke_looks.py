"""A look at all strokes before and after a round: how far the round may go, and what it was worth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from semidavil_core.adaptation.calibration import Evidence
from semidavil_core.adaptation.held_out import HeldOutStrokes
from semidavil_core.adaptation.held_out_check import StrokeShares
from semidavil_core.adaptation.schedule import Clock
from semidavil_core.adaptation.stroke_agreement import StrokeAgreement, stroke_agreement
from semidavil_core.data.domains import Domain
from semidavil_core.inference.predict import JUDGED, Prediction, Predictor
from semidavil_core.model.segmenter import Segmenter


@dataclass(frozen=True)
class StrokeLook:
    """What a model makes of the strokes."""

    agreement: StrokeAgreement
    """With the strokes of up to 16 images, held out or not."""
    held_out: StrokeShares
    seconds: float
    """How long the look took."""
    evidence: tuple[Evidence, ...] = ()
    """What the model said of the held-out strokes."""


def look_at_strokes(
    model: Segmenter,
    target: Domain,
    held: HeldOutStrokes,
    *,
    seconds: float = float("inf"),
    stopped: Callable[[], bool] = lambda: False,
    now: Clock = time.monotonic,
) -> StrokeLook:
    """Compare `model` with the strokes of `target`, each image predicted once; at least one image is.

    Parameters
    ----------
    model
        The network.
    target
        Images with all their strokes.
    held
        Those that no round has seen.
    seconds
        After so long no further image is looked at.
    stopped
        Whether a person wants an end.
    now
        Tells the seconds.
    """
    began = now()
    shares, evidence = StrokeShares(held), list[Evidence]()

    def saw(image: str, prediction: Prediction) -> None:
        shares.saw(image, prediction.labels)
        evidence.extend(_evidence(held, image, prediction))

    def go_on() -> bool:
        return not stopped() and now() - began < seconds

    def watch(image: str, prediction: Prediction) -> bool:
        saw(image, prediction)
        return go_on()

    agreement = stroke_agreement(model, target, watch)
    predictor = Predictor(model, JUDGED)
    rows = {name: row for row, name in enumerate(target.names)}
    for name in shares.unseen:
        if not go_on():
            break
        saw(name, predictor.predict(target[rows[name]].image))
    return StrokeLook(agreement, shares, now() - began, tuple(evidence))


def _evidence(held: HeldOutStrokes, image: str, prediction: Prediction) -> Iterator[Evidence]:
    for number in held.by_image.get(image, []):
        stroke = held.strokes[number]
        probabilities = prediction.probabilities.reshape(len(prediction.probabilities), -1)[:, stroke.pixels]
        yield Evidence(probabilities, np.full(stroke.pixels.size, stroke.label, np.intp))
