"""Do strokes at the tool's suggestions pay more than strokes anywhere? A simulated annotator paints both ways.

Usage
-----
    python benchmarks/suggestion.py --camvid DIR [--rounds 6] [--strokes-per-round 8] [--seconds 30 | --steps N] [--seeds 0 1 2] [--forest]

From no stroke on, each round adds the same number of strokes: at the best suggestions of the model that the strokes so far gave, or
at random places. Then the source-trained start is adapted on all strokes so far, with the same budget each time, and scored. So a score depends on
the strokes alone, and not on how long was trained before. Rows (one for a whole run of rounds) go to the results file.
"""

from __future__ import annotations

from bench_options import parser_of  # first: it sets what torch reads when it is loaded  # isort: skip

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from bench_setup import BenchSetup, Spent
from data_sets import DataSet, open_chosen
from forest import forest_scores
from simulated_annotator import PaintedStrokes, SimulatedAnnotator
from start_models import Start

from semidavil_core.classes import IGNORE_INDEX
from semidavil_core.data.domains import Domain, MappedDomain, Sample
from semidavil_core.export.bundle import Bundle
from semidavil_core.inference.evaluate import drain, evaluate
from semidavil_core.inference.predict import PREVIEW, Predictor
from semidavil_core.inference.suggest import PaintedImage, coarse_map, suggest
from semidavil_core.metrics.confusion import Scores
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import AdaptSettings

KIND: Final = "suggestion"
PLACEMENTS: Final = ("suggested", "random")
FOREST: Final = "forest"
"""Strokes at random places again, with a random forest in place of the model."""
Place = tuple[str, float, float]
"""Image, row and column."""


@dataclass(frozen=True)
class Plan:
    """How many strokes, and when."""

    rounds: int
    strokes: int
    """In each round."""


class Painting:
    """One run of rounds with one way of placing strokes."""

    def __init__(self, setup: BenchSetup, data: DataSet, seed: int, plan: Plan) -> None:
        self._setup = setup
        self._data = data
        self._seed = seed
        self._plan = plan
        self._rng = np.random.default_rng((seed, 7))
        self._truth = {name: index for index, name in enumerate(data.truth.names)}
        self._annotator = SimulatedAnnotator()
        self._strokes = PaintedStrokes()

    def run(self, bundle: Bundle, placement: str) -> list[dict[str, Any]]:
        """Scores after each round; the first one is that of no stroke."""
        model, points = bundle.segmenter, [{"strokes": 0, **self._scores(bundle.segmenter)}]
        for _ in range(self._plan.rounds):
            self._paint(self._suggested(model) if placement == "suggested" else self._anywhere())
            if placement == FOREST:
                points.append({"strokes": self._strokes.count, **self._forest_scores()})
                continue
            model, steps = self._adapted(bundle)
            points.append({"strokes": self._strokes.count, "steps": steps, **self._scores(model)})
        return points

    def _paint(self, places: Iterator[Place]) -> None:
        """Paint at the first places that have a label near them."""
        wanted = self._strokes.count + self._plan.strokes
        for image, row, column in places:
            truth = self._data.truth[self._truth[image]].labels
            stroke = None if truth is None else self._annotator.paint(truth, (row, column), self._rng)
            if stroke is not None:
                self._strokes.add(image, stroke)
            if self._strokes.count == wanted:
                return

    def _suggested(self, model: Segmenter) -> Iterator[Place]:
        predictor = Predictor(model, PREVIEW)
        images = []
        for index in range(len(self._data.truth)):
            sample = self._data.truth[index]
            seen = coarse_map(predictor.predict(sample.image).probabilities, sample.image)
            images.append(PaintedImage(sample.name, seen, self._strokes.maps.get(sample.name)))
        maps = self._strokes.maps.values()
        counts = sum((np.bincount(m.ravel(), minlength=256) for m in maps), np.zeros(256, np.int64))
        names = self._data.classes.names
        for place in suggest(images, names, counts[: len(names)].tolist(), 2 * self._plan.strokes):
            yield place.image, place.y, place.x

    def _anywhere(self) -> Iterator[Place]:
        while True:
            sample = self._data.truth[int(self._rng.integers(len(self._data.truth)))]
            row, column = (int(self._rng.integers(n)) for n in sample.image.shape[:2])
            painted = self._strokes.maps.get(sample.name)
            if painted is None or painted[row, column] == IGNORE_INDEX:
                yield sample.name, row, column

    def _target(self) -> Domain:
        """The target images with the strokes so far."""
        maps = self._strokes.maps
        return MappedDomain(self._data.target, lambda s: Sample(s.name, s.image, maps.get(s.name)))

    def _forest_scores(self) -> dict[str, Any]:
        scores = forest_scores(
            self._target(), self._data.evaluation, self._data.classes, position=False, seed=self._seed
        )
        return _some_of(scores)

    def _adapted(self, bundle: Bundle) -> tuple[Segmenter, int]:
        maps = self._strokes.maps
        if len({int(v) for m in maps.values() for v in np.unique(m[m != IGNORE_INDEX])}) < 2:
            return bundle.segmenter, 0  # one class alone teaches nothing, and the tool says so
        session = self._setup.session(
            bundle, self._target(), self._data.source, AdaptSettings(seed=self._seed)
        )
        steps = drain(session.adapt(self._setup.budget.budget)).steps
        return session.bundle().segmenter, steps

    def _scores(self, model: Segmenter) -> dict[str, Any]:
        return _some_of(evaluate(model, self._data.evaluation, self._data.classes))


def _some_of(scores: Scores) -> dict[str, Any]:
    return {"miou": scores.miou, "tail_iou": scores.tail_iou, "tail_recall": scores.tail_recall}


def run(setup: BenchSetup, data: DataSet, seed: int, plan: Plan, *, forest: bool = False) -> None:
    """Both placements of a data set and a seed, and the forest if it is wanted, unless they are there."""
    for placement in (*PLACEMENTS, *([FOREST] if forest else [])):
        key = setup.key(KIND, data, seed, AdaptSettings(seed=seed), [plan.rounds, plan.strokes])
        key["name"] = placement
        if setup.results.has(key):
            continue
        bundle, since = setup.starts.bundle(data, Start(seed)), Spent.now()
        points = Painting(setup, data, seed, plan).run(bundle, placement)
        setup.results.append({**key, "points": points, **setup.spent(since)})
        curve = "  ".join(f"{p['strokes']}: {p['miou']:.3f}" for p in points)
        print(f"{data.name:8s} seed {seed}  {placement:10s} mIoU by strokes  {curve}", flush=True)


def main() -> None:
    """Run the rows that are missing."""
    parser = parser_of(__doc__, seconds=30.0, prepare_seconds=90.0)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--strokes-per-round", type=int, default=8)
    parser.add_argument(
        "--forest", action="store_true", help="also fit a random forest to the strokes at random places"
    )
    options = parser.parse_args()
    setup, plan = BenchSetup.of(options), Plan(options.rounds, options.strokes_per_round)
    data_sets = open_chosen(options)
    for seed in options.seeds:
        for data in data_sets:
            run(setup, data, seed, plan, forest=options.forest)


if __name__ == "__main__":
    main()
