"""Calibration: one temperature, fitted to strokes that no round has seen, so that a confidence of 0.8 means right in 8 of 10 cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LOWEST: Final = 0.5
HIGHEST: Final = 4.0
ASSUMED: Final = 1.4
"""Temperature of a model that was adapted and never measured."""
_FEWEST_PIXELS: Final = 100
_FEWEST_CLASSES: Final = 2
_HALVINGS: Final = 30
_ASSUMED_STROKES: Final = 20
_TINY: Final = 1e-8


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a model said of one stroke, whose class is known and that it was not trained on."""

    probabilities: NDArray[np.float32]
    """(K, N), summing to 1 over K."""
    labels: NDArray[np.intp]
    """(N,) class indices."""


def fitted_temperature(evidence: Sequence[Evidence], present: float = 1.0) -> float:
    """The temperature of a model after a round.

    ``t`` minimises the mean negative log-likelihood of the labels under ``softmax(z / t)`` (temperature scaling, Guo et al., "On
    Calibration of Modern Neural Networks", ICML 2017). The loss is convex in ``1 / t``, so the zero of its slope is found by halving
    an interval. The pixels of a stroke stand and fall together, so ``n`` strokes are ``n`` observations: the answer is
    ``t^(n / (n + 20)) * 1.4^(20 / (n + 20))``, as if twenty more had said 1.4 (ours). That is what a model needs at the least that learnt
    from few strokes and from itself.

    Parameters
    ----------
    evidence
        Predictions at held-out strokes, each of one stroke.
    present
        The temperature that divided the logits in these predictions. With too little evidence it stands, unless it is 1, which says
        that the model was never calibrated.

    Returns
    -------
    float
        What should divide the logits.
    """
    found = _most_likely(evidence)
    if found is None:
        return ASSUMED if present == 1.0 else present
    trust = len(evidence) / (len(evidence) + _ASSUMED_STROKES)
    return float((present * found) ** trust * ASSUMED ** (1 - trust))


def _most_likely(evidence: Sequence[Evidence]) -> float | None:
    """The factor that makes the labels most likely, 0.5 to 4; None if there is too little evidence."""
    if not evidence:
        return None
    labels = np.concatenate([e.labels for e in evidence])
    if labels.size < _FEWEST_PIXELS or np.unique(labels).size < _FEWEST_CLASSES:
        return None
    logs = np.log(np.maximum(np.concatenate([e.probabilities for e in evidence], 1), _TINY), dtype=np.float64)
    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if _slope(logs, labels, middle) > 0 else (middle, high)
    return 2 / (low + high)


def _slope(logs: Floats, labels: NDArray[np.intp], inverse: float) -> float:
    """Slope of the mean negative log-likelihood with the inverse temperature: expected less observed log-probability."""
    scaled = inverse * logs
    weights = np.exp(scaled - scaled.max(0))
    expected = (weights * logs).sum(0) / weights.sum(0)
    return float((expected - logs[labels, np.arange(labels.size)]).mean())
