"""The tool people would pick instead: a random forest on hand-made features of the same strokes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.feature import multiscale_basic_features
from sklearn.ensemble import RandomForestClassifier

from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.data.domains import Domain
from semidavil_core.metrics.confusion import ConfusionMatrix, Scores

_PIXELS = 30_000


def forest_scores(
    target: Domain, evaluation: Domain, classes: ClassSet, *, position: bool, seed: int
) -> Scores:
    """Fit on the strokes of `target`, score on `evaluation`; `position` adds the pixel's x and y to its features."""
    features, labels = _stroke_pixels(target, position, np.random.default_rng(seed))
    forest = RandomForestClassifier(100, min_samples_leaf=2, n_jobs=1, random_state=seed).fit(
        features, labels
    )
    matrix = ConfusionMatrix(len(classes))
    for index in range(len(evaluation)):
        sample = evaluation[index]
        if sample.labels is not None:
            probabilities = forest.predict_proba(
                _features(sample.image, position).reshape(-1, features.shape[1])
            )
            predicted = forest.classes_[probabilities.argmax(1)].reshape(sample.labels.shape).astype(np.uint8)
            confidence = probabilities.max(1).reshape(sample.labels.shape).astype(np.float32)
            matrix.update(predicted, sample.labels, confidence)
    return matrix.scores(classes)


def _stroke_pixels(
    target: Domain, position: bool, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    rows, labels = [], []
    for index in range(len(target)):
        sample = target[index]
        if sample.labels is None:
            continue
        painted = sample.labels != IGNORE_INDEX
        rows.append(_features(sample.image, position)[painted])
        labels.append(sample.labels[painted])
    all_rows, all_labels = np.concatenate(rows), np.concatenate(labels)
    chosen = rng.permutation(len(all_labels))[:_PIXELS]
    return all_rows[chosen], all_labels[chosen]


def _features(image: NDArray[np.uint8], position: bool) -> NDArray[np.float32]:
    """(H, W, F) ilastik-like features: intensity, edges and texture of each channel from sigma 0.5 to 16."""
    found = multiscale_basic_features(image, channel_axis=-1, sigma_min=0.5, sigma_max=16)
    if position:
        grid = np.stack(np.meshgrid(*(np.linspace(0, 1, n) for n in image.shape[:2]), indexing="ij"), -1)
        found = np.concatenate([found, grid], -1)
    return np.asarray(found, np.float32)
