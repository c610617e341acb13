"""Scores of a segmenter on labelled images."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from semidavil_core.classes import ClassSet
from semidavil_core.data.domains import Domain
from semidavil_core.errors import InvalidClasses
from semidavil_core.events import Event, StageProgress, StageStarted
from semidavil_core.inference.predict import Predictor
from semidavil_core.metrics.confusion import ConfusionMatrix, Scores
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import PredictSettings

T = TypeVar("T")


def iter_evaluate(
    segmenter: Segmenter, domain: Domain, classes: ClassSet, settings: PredictSettings | None = None
) -> Generator[Event, None, Scores]:
    """Predict every labelled image and score all pixels in one confusion matrix.

    Yields
    ------
    Event
        Progress by images.

    Returns
    -------
    Scores
        Of the whole domain.

    Raises
    ------
    InvalidClasses
        There are not as many classes as the segmenter predicts.
    """
    if len(classes) != segmenter.num_classes:
        raise InvalidClasses(
            f"The model predicts {segmenter.num_classes} classes, but {len(classes)} are listed; give the model's own classes."
        )
    predictor, matrix = Predictor(segmenter, settings), ConfusionMatrix(len(classes))
    yield StageStarted("evaluating", len(domain), "images")
    for index in range(len(domain)):
        sample = domain[index]
        if sample.labels is not None:
            prediction = predictor.predict(sample.image)
            matrix.update(prediction.labels, sample.labels, prediction.confidence)
        yield StageProgress(index + 1)
    return matrix.scores(classes)


def evaluate(
    segmenter: Segmenter, domain: Domain, classes: ClassSet, settings: PredictSettings | None = None
) -> Scores:
    """Drain :func:`iter_evaluate`."""
    return drain(iter_evaluate(segmenter, domain, classes, settings))


def drain(events: Generator[Event, None, T]) -> T:
    """Run a generator of events to its end and return its result."""
    while True:
        try:
            next(events)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
