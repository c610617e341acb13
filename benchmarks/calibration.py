"""Does confidence mean something? Accuracy by bin of confidence, of predictions and of pseudo-labels, before and after a round.

Usage
-----
    python benchmarks/calibration.py --camvid DIR [--seconds 30 | --steps N] [--seeds 0 1 2]

The round keeps a part of the strokes aside, as those of the window and the command line do, and fits a temperature to them; the same model is
measured without it too.
"""

from __future__ import annotations

from bench_options import parser_of  # first: it sets what torch reads when it is loaded  # isort: skip

import copy
from dataclasses import replace
from typing import Any, Final

from bench_setup import BenchSetup, Spent
from data_sets import DataSet, open_chosen
from scoring import ConfidenceBins, evaluation_bins, pseudo_label_bins, refinement, scores_of
from start_models import Start

from semidavil_core.adaptation.held_out import SHARE
from semidavil_core.inference.evaluate import drain
from semidavil_core.model.from_language import segmenter_from_language
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import AdaptSettings

KIND: Final = "calibration"
STAGES: Final = ("source only", "after a round, not calibrated", "after a round")


def run(setup: BenchSetup, data: DataSet, seed: int) -> None:
    """All stages of a data set and a seed, unless they are there."""
    settings = AdaptSettings(seed=seed)
    key = setup.key(KIND, data, seed, settings)
    if all(setup.results.has(key | {"name": stage}) for stage in STAGES):
        return
    bundle, since = setup.starts.bundle(data, Start(seed)), Spent.now()
    session = setup.session(bundle, data.target, data.source, settings)
    drain(session.adapt(setup.budget.budget, hold_out=SHARE, learn_held_out=True))
    spent = setup.spent(since)
    adapted = session.bundle().segmenter
    plain = copy.deepcopy(adapted)
    plain.readout = replace(adapted.readout, temperature=1.0)
    for stage, model in zip(STAGES, (bundle.segmenter, plain, adapted), strict=True):
        measured = _measured(setup, model, data, settings)
        row = {**key, "name": stage, "temperature": model.readout.temperature, **spent, **measured}
        setup.results.append(row)
        print(
            f"{data.name:8s} seed {seed}  {stage:30s} ECE {row['ece']:.3f}  temperature {row['temperature']:.2f}",
            flush=True,
        )


def _measured(setup: BenchSetup, model: Segmenter, data: DataSet, settings: AdaptSettings) -> dict[str, Any]:
    zero_shot = segmenter_from_language(setup.vlm, data.classes).eval() if settings.clip_prior else None
    refine = refinement(zero_shot, settings.clip_prior, smoothing=settings.smoothing)
    return {
        "ece": scores_of(model, data)["ece"],
        "prediction": _counts(evaluation_bins(model, data)),
        "pseudo_labels": _counts(pseudo_label_bins(model, data, refine)),
    }


def _counts(bins: ConfidenceBins) -> dict[str, list[int]]:
    return {"pixels": bins.pixels.tolist(), "right": bins.right.tolist()}


def main() -> None:
    """Run the rows that are missing."""
    options = parser_of(__doc__, seconds=30.0, prepare_seconds=90.0).parse_args()
    setup, data_sets = BenchSetup.of(options), open_chosen(options)
    for seed in options.seeds:
        for data in data_sets:
            run(setup, data, seed)


if __name__ == "__main__":
    main()
