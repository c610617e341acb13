"""CamVid day to dusk: every method with the same network, the same seconds, the same strokes.

Usage
-----
    python benchmarks/camvid.py DATA [--images 2 4 8] [--seeds 0 1] [--seconds 60] [--prepare-seconds 480] [--out build/camvid]

``DATA`` holds ``source/``, ``target/`` (with ``scribbles_K/`` and ``labels/``), ``eval/`` and ``classes.json``. Results are appended to
``results.jsonl`` in the output folder as they come, so an interrupted run goes on where it stopped; two seeds may run side by
side in two processes. Each method starts from the same source-trained bundle of its seed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # before torch: idle threads must not spin beside another process

import numpy as np
import torch
from camvid_methods import METHODS, Method
from forest import forest_scores

from semidavil_core.adaptation.preparation import iter_prepare
from semidavil_core.adaptation.session import AdaptationSession
from semidavil_core.classes import ClassSet
from semidavil_core.data.domains import Domain, open_evaluation, open_labelled, open_target
from semidavil_core.export.bundle import Bundle, load_bundle, save_bundle
from semidavil_core.inference.evaluate import drain, evaluate
from semidavil_core.metrics.confusion import Scores
from semidavil_core.model.from_language import segmenter_from_language
from semidavil_core.settings import Budget, PrepareSettings
from semidavil_core.vlm.loading import load_vlm


class Benchmark:
    """One seed's rows."""

    def __init__(self, options: argparse.Namespace, seed: int) -> None:
        self._options = options
        self._seed = seed
        self._data = Path(options.data)
        self._classes = ClassSet.read(self._data)
        self._source = open_labelled(self._data / "source", self._classes)
        self._evaluation = open_evaluation(
            self._data / "eval/images", self._data / "eval/labels", self._classes
        )
        self._results = options.out / "results.jsonl"
        self._vlm = load_vlm(options.vlm, allow_download=False)

    def run(self) -> None:
        """All rows of this seed that are not there yet."""
        zero_shot = segmenter_from_language(self._vlm, self._classes, seed=self._seed)
        self._row("zero-shot", 0, lambda: evaluate(zero_shot, self._evaluation, self._classes))
        bundle = self._prepared()
        self._row("source only", 0, lambda: evaluate(bundle.segmenter, self._evaluation, self._classes))
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

    def _prepared(self) -> Bundle:
        folder = self._options.out / f"source_seed{self._seed}"
        if not (folder / "config.json").is_file():
            start = segmenter_from_language(self._vlm, self._classes, seed=self._seed)
            settings = PrepareSettings(seed=self._seed)
            budget = Budget(self._options.prepare_seconds)
            trained = drain(iter_prepare(start, self._source, settings=settings, budget=budget))
            save_bundle(Bundle(trained, self._classes, self._vlm.reference), folder)
        return load_bundle(folder)

    def _train(self, bundle: Bundle, method: Method, images: int) -> None:
        def score() -> Scores:
            session = AdaptationSession(
                bundle,
                target=self._target(images),
                source=self._source,
                settings=replace(method.settings, seed=self._seed),
            )
            end = drain(session.adapt(Budget(self._options.seconds)))
            self._steps = end.steps
            return evaluate(session.bundle().segmenter, self._evaluation, self._classes)

        self._row(method.name, images, score)

    def _target(self, images: int) -> Domain:
        """The target with strokes on `images` frames; 0: with all its labels."""
        labels = "labels" if images == 0 else f"scribbles_{images}"
        return open_target(self._data / "target", self._data / "target" / labels, self._classes)

    def _forest(self, images: int) -> None:
        for name, position in (("random forest", False), ("random forest + x, y", True)):
            self._row(
                name,
                images,
                lambda position=position: forest_scores(  # type: ignore[misc]
                    self._target(images), self._evaluation, self._classes, position=position, seed=self._seed
                ),
            )

    def _row(self, name: str, images: int, score: Callable[[], Scores]) -> None:
        if (name, images, self._seed) in {
            (r["method"], r["images"], r["seed"]) for r in read_rows(self._results)
        }:
            return
        self._steps = 0
        begun = time.monotonic()
        scores = score().to_json()
        row = {"method": name, "images": images, "seed": self._seed, "steps": self._steps, **scores}
        row["seconds"] = round(time.monotonic() - begun, 1)
        with self._results.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        print(_line(row), flush=True)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows that are there."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.is_file() else []


def _line(row: dict[str, Any]) -> str:
    return (
        f"seed {row['seed']}  K={row['images']}  {row['method']:24s} mIoU {row['miou']:.3f}  tail IoU {row['tail_iou']:.3f}  "
        f"tail recall {row['tail_recall']:.3f}  ECE {row['ece']:.3f}  {row['steps']} steps  {row['seconds']} s"
    )


def table(rows: list[dict[str, Any]]) -> str:
    """A Markdown table: mIoU / tail IoU / tail recall in points, means over seeds, by method and number of images."""
    images = sorted({r["images"] for r in rows} - {0})
    head = "| method | " + " | ".join(f"K = {k}: mIoU / tail IoU / tail recall" for k in images) + " |"
    lines = [head, "|---" * (len(images) + 1) + "|"]
    for name in dict.fromkeys(r["method"] for r in rows):
        mine = [r for r in rows if r["method"] == name]
        by_images = [_cell([r for r in mine if r["images"] in (k, 0)]) for k in images]
        lines.append(f"| {name} | " + " | ".join(by_images) + " |")
    return "\n".join(lines)


def _cell(rows: list[dict[str, Any]]) -> str:
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
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--methods", nargs="*", default=[], help="only these rows")
    parser.add_argument("--vlm", default="mini")
    parser.add_argument("--out", type=Path, default=Path("build/camvid"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        Benchmark(options, seed).run()
    print(table(read_rows(options.out / "results.jsonl")))


if __name__ == "__main__":
    main()
