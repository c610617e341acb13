"""Does a round with the default settings ever do harm, and does the tool say so? Each data set as it is and corrupted in three ways.

Usage
-----
    python benchmarks/robustness.py --camvid DIR [--also DIR …] [--seconds 30 | --steps N] [--seeds 0 1 2] [--forest]

A part of the strokes is kept aside; the round may go back by itself (``keep_better``). Noted are the accuracy on the strokes kept aside and the
scores on the evaluation set before the round, after it, and of the state that stands at the end; and whether the tool said that it got worse.
"""

from __future__ import annotations

from bench_options import parser_of  # first: it sets what torch reads when it is loaded  # isort: skip

from typing import Any, Final

from bench_setup import BenchSetup, Spent
from corruptions import CORRUPTIONS, corrupted
from data_sets import DataSet, open_chosen
from forest import forest_scores
from scoring import scores_of
from start_models import Start

from semidavil_core.adaptation.held_out import SHARE
from semidavil_core.adaptation.session import AdaptationSession
from semidavil_core.events import Event, FinishReason, Notice, RoundFinished
from semidavil_core.settings import AdaptSettings

KIND: Final = "robustness"
PLAIN: Final = "as it is"
_LEARNT: Final = 0.2  # IoU from which on a class counts as learnt


class HarmCheck:
    """One round with default settings."""

    def __init__(self, setup: BenchSetup, data: DataSet, seed: int) -> None:
        self._setup = setup
        self._data = data
        self._seed = seed

    def run(self) -> dict[str, Any]:
        """All figures, 0 to 1."""
        bundle = self._setup.starts.bundle(self._data, Start(self._seed))
        session = self._setup.session(
            bundle, self._data.target, self._data.source, AdaptSettings(seed=self._seed)
        )
        before = scores_of(bundle.segmenter, self._data)
        finished, said = self._round(session)
        kept = scores_of(session.bundle().segmenter, self._data)
        after = kept
        if finished.reason == FinishReason.RESTORED:
            session.restore(finished.round)  # the state that the tool turned down
            after = scores_of(session.bundle().segmenter, self._data)
        return {
            "steps": finished.steps,
            "held_out_before": finished.scores.get("held_out_accuracy_before"),
            "held_out_after": finished.scores.get("held_out_accuracy_after"),
            "held_out_margin": finished.scores.get("held_out_margin"),
            "said_worse": bool(finished.scores.get("held_out_worse")),
            "went_back": finished.reason == FinishReason.RESTORED,
            "notices": said,
            "miou_before": before["miou"],
            "miou_after": after["miou"],
            "miou_kept": kept["miou"],
            "tail_recall_before": before["tail_recall"],
            "tail_recall_kept": kept["tail_recall"],
            "destroyed": destroyed(before["iou"], kept["iou"]),
        }

    def _round(self, session: AdaptationSession) -> tuple[RoundFinished, list[str]]:
        events: list[Event] = list(
            session.adapt(self._setup.budget.budget, hold_out=SHARE, keep_better=True, learn_held_out=True)
        )
        finished = events[-1]
        assert isinstance(finished, RoundFinished)  # always the last event
        return finished, [event.message for event in events if isinstance(event, Notice)]


def destroyed(before: dict[str, float | None], after: dict[str, float | None]) -> list[str]:
    """Classes that had been learnt and lost more than half of their intersection over union."""
    return [
        name
        for name, was in before.items()
        if was is not None and was >= _LEARNT and (after[name] or 0.0) < was / 2
    ]


def run(setup: BenchSetup, data: DataSet, seed: int, corruption: str | None, *, forest: bool) -> None:
    """One data set, corrupted or not, and a seed, unless it is there."""
    key = setup.key(KIND, data, seed, AdaptSettings(seed=seed)) | {"name": corruption or PLAIN}
    if setup.results.has(key):
        return
    changed, since = corrupted(data, corruption), Spent.now()
    row = {**key, **HarmCheck(setup, changed, seed).run(), **setup.spent(since)}
    if forest:
        row["forest_miou"] = _forest_miou(changed, seed)
    setup.results.append(row)
    print(
        f"{data.name:8s} seed {seed}  {row['name']:34s} mIoU {row['miou_before']:.3f} -> {row['miou_after']:.3f}, kept {row['miou_kept']:.3f}  "
        f"held out {row['held_out_before']} -> {row['held_out_after']}  said worse: {row['said_worse']}",
        flush=True,
    )  # fmt: skip


def _forest_miou(data: DataSet, seed: int) -> float | None:
    return forest_scores(data.target, data.evaluation, data.classes, position=True, seed=seed).miou


def main() -> None:
    """Run the rows that are missing."""
    parser = parser_of(__doc__, seconds=30.0, prepare_seconds=90.0)
    parser.add_argument("--forest", action="store_true", help="also fit a random forest to the strokes")
    options = parser.parse_args()
    setup, data_sets = BenchSetup.of(options), open_chosen(options)
    for seed in options.seeds:
        for corruption in (None, *CORRUPTIONS):
            for data in data_sets:
                run(setup, data, seed, corruption, forest=options.forest)


if __name__ == "__main__":
    main()
