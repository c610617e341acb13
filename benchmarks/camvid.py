"""CamVid day to dusk: every method with the same network, the same seconds, the same strokes.

Usage
-----
    python benchmarks/camvid.py DATA [--images 2 4 8] [--seeds 0 1] [--seconds 60] [--prepare-seconds 480] [--clock wall]
                                [--threads N] [--out build/camvid]

``DATA`` holds ``source/``, ``target/`` (with ``scribbles_K/`` and ``labels/``), ``eval/`` and ``classes.json``. Results are appended to
``results.jsonl`` in the output folder as they come, so an interrupted run goes on where it stopped; two seeds may run side by
side in two processes; ``--clock cpu --threads 1`` counts each process's own seconds of the processor, whatever else runs. Each method starts from the same source-trained bundle of its seed.
"""

from __future__ import annotations

from bench_options import BenchBudget, apply  # first: it sets what torch reads when it is loaded  # isort: skip

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from camvid_methods import METHODS, Method
from data_sets import open_data_set
from forest import forest_scores
from result_rows import ResultFile, Row
from start_models import Start, StartModels

from semidavil_core.adaptation.session import AdaptationSession
from semidavil_core.data.domains import Domain
from semidavil_core.export.bundle import Bundle
from semidavil_core.inference.evaluate import drain, evaluate
from semidavil_core.metrics.confusion import Scores
from semidavil_core.settings import Budget
from semidavil_core.vlm.loading import load_vlm


class Benchmark:
    """One seed's rows."""

    def __init__(self, options: argparse.Namespace, seed: int) -> None:
        self._options = options
        self._start = Start(seed)
        self._seed = seed
        self._data = open_data_set(options.data)
        self._results = ResultFile(options.out / "results.jsonl")
        self._budget = BenchBudget(Budget(options.seconds), options.clock)
        budget = BenchBudget(Budget(options.prepare_seconds), options.clock)
        self._starts = StartModels(load_vlm(options.vlm, allow_download=False), budget, options.out)

    def run(self) -> None:
        """All rows of this seed that are not there yet."""
        data = self._data
        zero_shot = self._starts.untrained(data, self._start)
        self._row("zero-shot", 0, lambda: evaluate(zero_shot, data.evaluation, data.classes))
        bundle = self._starts.bundle(data, self._start)
        self._row("source only", 0, lambda: evaluate(bundle.segmenter, data.evaluation, data.classes))
        wanted = [m for m in METHODS if not self._options.methods or m.name in self._options.methods]
        for images in self._options.images:
            for method in wanted:
                if not method.full_labels:
                    self._train(bundle, method, images)
            if not self._options.methods:
                self._forest(images)
        for method in wanted:
            if method.full_labels:
                self._train(bundle, method, 0)

    def _train(self, bundle: Bundle, method: Method, images: int) -> None:
        def score() -> Scores:
            session = AdaptationSession(
                bundle,
                target=self._target(images),
                source=self._data.source,
                settings=replace(method.settings, seed=self._seed),
                now=self._budget.now,
            )
            end = drain(session.adapt(self._budget.budget))
            self._steps = end.steps
            return evaluate(session.bundle().segmenter, self._data.evaluation, self._data.classes)

        self._row(method.name, images, score)

    def _target(self, images: int) -> Domain:
        """The target with strokes on `images` frames; 0: with all its labels."""
        return self._data.painted("labels" if images == 0 else f"scribbles_{images}").target

    def _forest(self, images: int) -> None:
        data = self._data
        for name, position in (("random forest", False), ("random forest + x, y", True)):
            self._row(
                name,
                images,
                lambda position=position: forest_scores(  # type: ignore[misc]
                    self._target(images), data.evaluation, data.classes, position=position, seed=self._seed
                ),
            )

    def _row(self, name: str, images: int, score: Callable[[], Scores]) -> None:
        key = {"method": name, "images": images, "seed": self._seed}
        if self._results.has(key):
            return
        self._steps = 0
        begun = time.monotonic()
        scores = score().to_json()
        seconds = round(time.monotonic() - begun, 1)
        row = {**key, "steps": self._steps, **scores, "seconds": seconds}
        self._results.append(row)
        print(_line(row), flush=True)


def _line(row: Row) -> str:
    return (
        f"seed {row['seed']}  K={row['images']}  {row['method']:24s} mIoU {row['miou']:.3f}  tail IoU {row['tail_iou']:.3f}  "
        f"tail recall {row['tail_recall']:.3f}  ECE {row['ece']:.3f}  {row['steps']} steps  {row['seconds']} s"
    )


def table(rows: list[Row]) -> str:
    """A Markdown table: mIoU / tail IoU / tail recall in points, means over seeds, by method and number of images."""
    images = sorted({r["images"] for r in rows} - {0})
    head = "| method | " + " | ".join(f"K = {k}: mIoU / tail IoU / tail recall" for k in images) + " |"
    lines = [head, "|---" * (len(images) + 1) + "|"]
    for name in dict.fromkeys(r["method"] for r in rows):
        mine = [r for r in rows if r["method"] == name]
        by_images = [_cell([r for r in mine if r["images"] in (k, 0)]) for k in images]
        lines.append(f"| {name} | " + " | ".join(by_images) + " |")
    return "\n".join(lines)


def _cell(rows: list[Row]) -> str:
    if not rows:
        return "-"
    parts = []
    for key in ("miou", "tail_iou", "tail_recall"):
        values = 100 * np.array([r[key] for r in rows])
        spread = f" ± {np.ptp(values) / 2:.1f}" if key == "miou" and len(values) > 1 else ""
        parts.append(f"{values.mean():.1f}{spread}")
    return " / ".join(parts)


def main() -> None:
    """Run the rows that are missing and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--prepare-seconds", type=float, default=480.0)
    parser.add_argument("--clock", choices=("cpu", "wall"), default="wall", help="what a second is")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--methods", nargs="*", default=[], help="only these rows")
    parser.add_argument("--vlm", default="mini")
    parser.add_argument("--out", type=Path, default=Path("build/camvid"))
    options = parser.parse_args()
    apply(options)
    for seed in options.seeds:
        Benchmark(options, seed).run()
    print(table(ResultFile(options.out / "results.jsonl").rows()))


if __name__ == "__main__":
    main()
