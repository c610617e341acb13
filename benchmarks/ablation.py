"""The ablation: each piece of the method changed alone, the same network, start and budget for every row.

Usage
-----
    python benchmarks/ablation.py --camvid DIR [--data streets cells camvid] [--seeds 0 1 2] [--seconds 30 | --steps N]
                                  [--prepare-seconds 120 | --prepare-steps N] [--groups …] [--priority 1] [--list]

Rows are appended to ``benchmarks/results.jsonl`` as they come, and one that is there is not run again: an interrupted run goes on where
it stopped, and several processes (say, one for each seed, each pinned to a core) may share the file. Decisive rows come first. A row is
run again when its settings, its budget or its data changed; a change of the code alone needs another ``--results`` and ``--work``.
``python benchmarks/report.py`` makes docs/ablation.md of it.
"""

from __future__ import annotations

from bench_options import parser_of  # first: it sets what torch reads when it is loaded  # isort: skip

from dataclasses import asdict
from typing import Any

from ablation_rows import AblationRow, chosen_rows
from bench_setup import BenchSetup, Spent
from data_sets import DataSet, open_chosen
from result_rows import Row
from scoring import pseudo_label_bins, refinement, scores_of
from start_models import Start
from substitutes import substituted

from semidavil_core.export.bundle import Bundle
from semidavil_core.inference.evaluate import drain
from semidavil_core.model.from_language import segmenter_from_language
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.settings import AdaptSettings
from semidavil_core.vlm.language_source import UserText


class Ablation:
    """Runs rows.

    Parameters
    ----------
    setup
        What they share.
    """

    def __init__(self, setup: BenchSetup) -> None:
        self._setup = setup

    def run(self, row: AblationRow, data: DataSet, seed: int) -> None:
        """Run one row, unless it is there."""
        setup, settings = self._setup, row.settings(seed)
        more = [
            row.prepare_settings.to_json(),
            row.network,
            row.substitute,
            row.source_free,
            row.prepared,
            row.hold_out,
            row.learn_held_out,
        ]
        more += data.words if row.words else ()
        key = setup.key("ablation", data, seed, settings, more) | {"group": row.group, "name": row.name}
        if setup.results.has(key) or (row.words and not data.words):
            return
        bundle = self._start(row, data, seed)
        since = Spent.now()
        model, steps = self._adapted(bundle, row, data, settings) if row.trained else (bundle.segmenter, 0)
        spent = {"steps": steps, **setup.spent(since)}
        result = {**key, **_said(row), **spent, **self._measured(model, data, settings)}
        setup.results.append(result)
        print(_line(result), flush=True)

    def _adapted(
        self, bundle: Bundle, row: AblationRow, data: DataSet, settings: AdaptSettings
    ) -> tuple[Segmenter, int]:
        """The model after a round of a row, and the round's steps."""
        source = None if row.source_free else data.source
        session = self._setup.session(bundle, data.target, source, settings)
        if row.words:
            session.set_language(UserText(data.words))
        with substituted(row.substitute):
            events = session.adapt(
                self._setup.budget.budget, hold_out=row.hold_out, learn_held_out=row.learn_held_out
            )
            steps = drain(events).steps
        return session.bundle().segmenter, steps

    def _start(self, row: AblationRow, data: DataSet, seed: int) -> Bundle:
        start = Start(seed, row.network, row.prepare_settings)
        if row.prepared:
            return self._setup.starts.bundle(data, start)
        return Bundle(
            self._setup.starts.untrained(data, start).eval(), data.classes, self._setup.vlm.reference
        )

    def _measured(self, model: Segmenter, data: DataSet, settings: AdaptSettings) -> Row:
        zero_shot = (
            segmenter_from_language(self._setup.vlm, data.classes).eval() if settings.clip_prior else None
        )
        refine = refinement(zero_shot, settings.clip_prior, smoothing=settings.smoothing)
        bins = pseudo_label_bins(model, data, refine)
        return {**scores_of(model, data), **bins.summary(0.95)}


def _said(row: AblationRow) -> dict[str, Any]:
    """What a row changes, for whoever reads the file."""
    default = asdict(AdaptSettings())
    changes = {name: value for name, value in row.changes.items() if default[name] != value}
    said = {
        "changes": changes,
        "prepare_changes": dict(row.prepare),
        "network": str(row.network),
        "substitute": row.substitute,
        "source_free": row.source_free or None,
        "words": row.words or None,
        "hold_out": row.hold_out or None,
        "learn_held_out": row.learn_held_out or None,
    }
    return {name: value for name, value in said.items() if value and value != "full"}


def _line(row: Row) -> str:
    figures = "  ".join(
        f"{name} {'-' if row[key] is None else format(row[key], '.3f')}"
        for name, key in (
            ("mIoU", "miou"),
            ("tail IoU", "tail_iou"),
            ("tail recall", "tail_recall"),
            ("alike", "look_alike_iou"),
        )
    )
    return f"{row['data']:8s} seed {row['seed']}  {row['group']}: {row['name']:32.32s}  {figures}  {row['steps']} steps  {row['wall_s']:.0f} s"


def main() -> None:
    """Run the rows that are missing."""
    parser = parser_of(__doc__, seconds=30.0, prepare_seconds=90.0)
    parser.add_argument("--groups", nargs="*", default=[], help="only these groups")
    parser.add_argument("--rows", nargs="*", default=[], help="only rows of these names")
    parser.add_argument(
        "--priority", type=int, default=3, help="only rows up to this priority: 1 is decisive"
    )
    parser.add_argument("--list", action="store_true", help="print the rows and run nothing")
    options = parser.parse_args()
    rows = chosen_rows(options.groups, options.rows, options.priority)
    if options.list:
        print("\n".join(f"{row.priority}  {row.group}: {row.name}" for row in rows))
        return
    ablation = Ablation(BenchSetup.of(options))
    data_sets = open_chosen(options)
    for row in rows:
        for seed in options.seeds:
            for data in data_sets:
                ablation.run(row, data, seed)


if __name__ == "__main__":
    main()
