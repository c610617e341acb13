from __future__ import annotations

import numpy as np
import pytest

from semidavil_core.classes import ClassSet
from semidavil_core.data.domains import MemoryDomain, Sample
from semidavil_core.errors import InvalidClasses
from semidavil_core.events import StageProgress, StageStarted
from semidavil_core.inference.evaluate import evaluate, iter_evaluate
from semidavil_core.inference.predict import Predictor
from semidavil_core.metrics.confusion import ConfusionMatrix
from tests.core.tiny_tower import CLASSES, scene, source_domain, tiny_segmenter


def test_scores_are_those_of_all_labelled_pixels_together() -> None:
    segmenter, domain = tiny_segmenter(trained=True), source_domain(3)
    matrix = ConfusionMatrix(3)
    for sample in domain:
        assert sample.labels is not None
        prediction = Predictor(segmenter).predict(sample.image)
        matrix.update(prediction.labels, sample.labels, prediction.confidence)
    assert evaluate(segmenter, domain, CLASSES) == matrix.scores(CLASSES)


def test_images_without_labels_count_as_progress_but_not_as_scores() -> None:
    image, labels = scene()
    domain = MemoryDomain([Sample("bare", image), Sample("labelled", image, labels)])
    segmenter = tiny_segmenter()
    events = list(iter_evaluate(segmenter, domain, CLASSES))
    assert isinstance(events[0], StageStarted)
    assert [e.done for e in events if isinstance(e, StageProgress)] == [1, 2]
    assert evaluate(segmenter, domain, CLASSES) == evaluate(segmenter, MemoryDomain([domain[1]]), CLASSES)


def test_without_any_label_there_are_no_scores() -> None:
    scores = evaluate(
        tiny_segmenter(), MemoryDomain([Sample("bare", np.zeros((8, 8, 3), np.uint8))]), CLASSES
    )
    assert scores.miou is None
    assert scores.pixels == 0


def test_another_class_set_than_the_models_is_refused() -> None:
    with pytest.raises(InvalidClasses, match="3 classes, but 2"):
        evaluate(tiny_segmenter(), source_domain(), ClassSet.from_names(["ground", "tree"]))
