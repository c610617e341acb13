"""The ablation in words and tables: an overview of all changes, and one table for each group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from ablation_results import AblationResults, RowName, base_of
from ablation_rows import DEFAULT
from estimates import Estimate, points, table

_VERDICTS: Final = {1: "better", -1: "worse", 0: "–"}
_FIGURES: Final = (
    ("mIoU", "miou"),
    ("tail IoU", "tail_iou"),
    ("tail recall", "tail_recall"),
    ("look-alikes' IoU", "look_alike_iou"),
    ("calibration error", "ece"),
    ("pseudo-labels right", "pseudo_accuracy"),
)


def ablation_sections(results: AblationResults, plots: list[str]) -> Iterator[str]:
    """Markdown of one budget and the same defaults."""
    yield f"## Rounds of {results.budget}, after {results.prepare} of training on the source, {results.defaults}"
    yield (
        f"Data: {', '.join(results.data)}; seeds: {', '.join(map(str, results.seeds))}, not all of them for every row. All figures in points (per cent of the scores 0 to 1), ± half "
        "the 95 % confidence interval by Student's t where there are three repeats or more."
    )
    yield "### All changes at a glance"
    yield (
        "Each row changes one thing of the default; the figures are the change against the default with the same data, seed and start. "
        "*Over all* takes every pair of data set and seed as one repeat; *pairs* is how many there are. *Better* and *worse* stand where the interval of *over all* leaves out 0, "
        "– where no difference is shown."
    )
    yield _overview(results)
    yield from (f"![{_alternative(plot)}](images/{plot})" for plot in plots)
    for group in results.groups:
        yield f"### {group[0].upper()}{group[1:]}"
        yield _group_table(results, group)


def without_gain(results: AblationResults) -> list[str]:
    """Changes that are better than the default neither in mIoU nor in the recall of rare classes."""
    return _where(results, lambda signs: max(signs) < 1)


def without_loss(results: AblationResults) -> list[str]:
    """Changes that are worse than the default neither in mIoU nor in the recall of rare classes."""
    return _where(results, lambda signs: min(signs) > -1)


def _where(results: AblationResults, condition: Callable[[list[int]], bool]) -> list[str]:
    found = []
    for group, name in _changes(results):
        changes = [results.change((group, name), results.data, key) for key in ("miou", "tail_recall")]
        if group != DEFAULT.group and condition([0 if c is None else c.sign for c in changes]):
            found.append(f"{group}: {name}")
    return found


def _changes(results: AblationResults) -> list[RowName]:
    return [n for group in results.groups for n in results.names(group) if n != base_of(group)]


def _overview(results: AblationResults) -> str:
    data = results.data
    head = ["change", *(f"mIoU, {d}" for d in data)]
    head += [
        cell
        for title in ("mIoU", "tail recall", "look-alikes' IoU")
        for cell in (f"{title} over all", "verdict")
    ]
    head.append("pairs")
    rows = []
    for name in _changes(results):
        cells = [f"{name[0]}: {name[1]}"]
        cells += [points(results.change(name, [d], "miou"), signed=True) for d in data]
        overall = [results.change(name, data, key) for key in ("miou", "tail_recall", "look_alike_iou")]
        for change in overall:
            cells += [points(change, signed=True), _verdict(change)]
        rows.append([*cells, "0" if overall[0] is None else str(overall[0].repeats)])
    return table(head, rows)


def _verdict(change: Estimate | None) -> str:
    return _VERDICTS[change.sign] if change is not None else "–"


def _group_table(results: AblationResults, group: str) -> str:
    rows = []
    for data in results.data:
        for name in results.names(group):
            if results.measured(name, data, "miou") is None:
                continue
            figures = [points(results.measured(name, data, key)) for _, key in _FIGURES]
            change = "" if name == base_of(group) else points(results.change(name, [data], "miou"), signed=True)  # fmt: skip
            steps = results.steps(name, data)
            rows.append(
                [
                    data,
                    results.title(name, group),
                    figures[0],
                    change,
                    *figures[1:],
                    "–" if steps is None else f"{steps:.0f}",
                ]
            )
    titles = [title for title, _ in _FIGURES]
    return table(["data", "row", titles[0], "against the default", *titles[1:], "steps"], rows)


def _alternative(plot: str) -> str:
    return f"Changes against the default, over all with 95 % confidence intervals and by data set: {plot.removesuffix('.png').split('_', 1)[1].replace('_', ' ')}"
