"""A class that the source never had: by its name alone, and with one stroke per image; and what it costs the old classes.

Usage
-----
    python benchmarks/open_vocabulary.py --camvid DIR [--data streets camvid] [--held-out car tree …] [--images 4] [--seeds 0 1 2]

Each class in turn is taken out of the source's labels and out of the strokes; a start model is trained without it. Then its name is typed,
and last it gets one stroke on each of a few target images. Old classes are scored on pixels of old classes only, so that a model that
does not know the new class is not blamed for it: what they lose is what the new class takes from them.
"""

from __future__ import annotations

from bench_options import parser_of  # first: it sets what torch reads when it is loaded  # isort: skip

from dataclasses import replace
from typing import Any, Final

import numpy as np
from bench_setup import BenchSetup, Spent
from data_sets import DataSet, open_chosen
from numpy.typing import NDArray
from simulated_annotator import PaintedStrokes, SimulatedAnnotator
from start_models import Start

from semidavil_core.adaptation.editable_domain import RelabelledDomain
from semidavil_core.adaptation.name_hints import see_names
from semidavil_core.adaptation.session import AdaptationSession
from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.data.domains import Domain, MappedDomain, Sample
from semidavil_core.export.bundle import Bundle
from semidavil_core.inference.evaluate import drain
from semidavil_core.inference.predict import JUDGED, Predictor
from semidavil_core.metrics.confusion import ConfusionMatrix, Scores
from semidavil_core.settings import AdaptSettings

KIND: Final = "open vocabulary"
_LEAST_PIXELS: Final = 60  # of the new class in an image that gets a stroke of it


class HeldOutClass:
    """One class of a data set that the source does not have.

    Parameters
    ----------
    setup, data, seed
        What runs, on what.
    name
        The class.
    images
        How many target images get a stroke of it.
    """

    def __init__(self, setup: BenchSetup, data: DataSet, seed: int, name: str, images: int) -> None:
        self._setup = setup
        self._data = data
        self._seed = seed
        self._new = data.classes.names.index(name)
        self._old_classes = data.classes.without(self._new)
        self._old_data = replace(
            data, classes=self._old_classes, source=self._without(data.source), target=self._without(data.target)
        )  # fmt: skip
        self._images = images
        # Every class has crops of its own: with the same ones, their luck in the round without the new class would be in all rows.
        self.settings = AdaptSettings(seed=1000 * seed + self._new)

    def run(self) -> dict[str, Any]:
        """All figures, 0 to 1."""
        bundle = self._setup.starts.bundle(self._old_data, Start(self._seed))
        named = self._session(bundle, self._data.target)
        named.set_classes(self._data.classes)
        by_name = self._scores(named)
        known = self._session(bundle, self._old_data.target)
        before = self._scores(known)
        drain(known.adapt(self._setup.budget.budget))
        strokes, painted = self._painted(bundle)
        alarms = self.false_alarms(painted)
        steps = drain(painted.adapt(self._setup.budget.budget)).steps
        after = self._scores(painted)
        return {
            "strokes": strokes.count,
            "steps": steps,
            "false_alarms": alarms,
            "new_by_name": by_name["new"],
            "new_painted": after["new"],
            "old_before": before["old"],
            "old_by_name": by_name["old"],
            "old_adapted_without": self._scores(known)["old"],
            "old_adapted_with": after["old"],
        }

    def false_alarms(self, painted: AdaptationSession) -> float | None:
        """How much of the other classes' strokes goes by the new class's name, as a round judges it; `painted` has had none yet."""
        predictor = painted.predictor(JUDGED)
        return see_names(predictor, painted.target, [self._new], len(self._data.classes)).alarms.get(
            self._new
        )

    def _painted(self, bundle: Bundle) -> tuple[PaintedStrokes, AdaptationSession]:
        strokes = self._strokes()
        session = self._session(bundle, self._old_data.target)
        session.set_classes(self._data.classes)
        for image, stroke in strokes.maps.items():
            session.set_scribbles(image, stroke)
        return strokes, session

    def _session(self, bundle: Bundle, target: Domain) -> AdaptationSession:
        return self._setup.session(bundle, target, self._old_data.source, self.settings)

    def _without(self, domain: Domain) -> Domain:
        """`domain` with the labels of the old classes only, as indices into them."""
        return RelabelledDomain(domain, self._data.classes, self._old_classes)

    def _strokes(self) -> PaintedStrokes:
        """The strokes of old classes, and one of the new class on each of the images that show most of it, painted ones first."""
        rng, annotator, strokes = (
            np.random.default_rng((self._seed, 11)),
            SimulatedAnnotator(),
            PaintedStrokes(),
        )
        truth, names = self._data.truth, self._data.target.names
        old = {name: self._data.target[row].labels for row, name in enumerate(names)}
        amounts = {}
        for row, name in enumerate(truth.names):
            labels = truth[row].labels
            amount = 0 if labels is None else int((labels == self._new).sum())
            if amount >= _LEAST_PIXELS:
                amounts[row] = (old[name] is not None, amount)
        for row in sorted(amounts, key=lambda row: amounts[row], reverse=True)[: self._images]:
            sample = truth[row]
            assert sample.labels is not None
            places = np.argwhere(sample.labels == self._new)
            row_at, column_at = places[rng.integers(len(places))]
            stroke = annotator.paint(sample.labels, (int(row_at), int(column_at)), rng)
            assert stroke is not None  # the place has a label
            before = old[sample.name]
            kept = np.full_like(stroke, IGNORE_INDEX) if before is None else _cleared(before, self._new)
            strokes.add(sample.name, np.where(stroke != IGNORE_INDEX, stroke, kept).astype(np.uint8))
        return strokes

    def _scores(self, session: AdaptationSession) -> dict[str, float | None]:
        """IoU of the new class over all pixels, and mean IoU of the old classes over their own pixels."""
        predictor, classes, new = session.predictor(), session.classes, self._new
        knows = len(classes) == len(self._data.classes)
        only_old = MappedDomain(
            self._data.evaluation, lambda s: Sample(s.name, s.image, _cleared(s.labels, new))
        )
        relabelled = only_old if knows else self._without(only_old)
        old = [v for v in _evaluated(predictor, relabelled, classes).iou.values() if v is not None]
        name = self._data.classes.names[new]
        found = _evaluated(predictor, self._data.evaluation, classes).iou[name] if knows else None
        return {"new": found, "old": float(np.mean(old)) if old else None}


def _evaluated(predictor: Predictor, domain: Domain, classes: ClassSet) -> Scores:
    """Scores of what a person sees, which is more than the trained network where a class has no more than a name."""
    matrix = ConfusionMatrix(len(classes))
    for sample in (domain[index] for index in range(len(domain))):
        if sample.labels is not None:
            predicted = predictor.predict(sample.image)
            matrix.update(predicted.labels, sample.labels, predicted.confidence)
    return matrix.scores(classes)


def _cleared(labels: NDArray[np.uint8] | None, value: int) -> NDArray[np.uint8]:
    assert labels is not None
    return np.where(labels == value, np.uint8(IGNORE_INDEX), labels).astype(np.uint8)


def run(setup: BenchSetup, data: DataSet, seed: int, name: str, images: int) -> None:
    """One class of a data set and a seed, unless it is there."""
    held_out = HeldOutClass(setup, data, seed, name, images)
    key = setup.key(KIND, data, seed, held_out.settings, images) | {"name": name}
    if setup.results.has(key):
        return
    since = Spent.now()
    row = {**key, **held_out.run(), **setup.spent(since)}
    setup.results.append(row)
    print(
        f"{data.name:8s} seed {seed}  {name:14s} by name {_points(row['new_by_name'])}  with {row['strokes']} strokes "
        f"{_points(row['new_painted'])}  old classes {_points(row['old_adapted_without'])} -> {_points(row['old_adapted_with'])}",
        flush=True,
    )  # fmt: skip


def _points(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def main() -> None:
    """Run the rows that are missing."""
    parser = parser_of(__doc__, seconds=30.0, prepare_seconds=90.0)
    parser.set_defaults(data=["streets", "camvid"])
    parser.add_argument("--held-out", nargs="*", default=[], help="only these classes")
    parser.add_argument("--images", type=int, default=4)
    options = parser.parse_args()
    setup, data_sets = BenchSetup.of(options), open_chosen(options)
    for seed in options.seeds:
        for data in data_sets:
            for name in data.classes.names:
                if not options.held_out or name in options.held_out:
                    run(setup, data, seed, name, options.images)


if __name__ == "__main__":
    main()
