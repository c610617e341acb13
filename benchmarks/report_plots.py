"""The report's pictures: each change against the default, over all and by data set, and scores by strokes.

The colours are those of Okabe and Ito, which colour-blind people tell apart; every data set has a marker of its own besides.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from ablation_results import AblationResults, RowName, base_of
from estimates import Estimate
from report_questions import curves_of
from result_rows import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

THEMES: Final[dict[str, tuple[str, ...]]] = {
    "reference": ("reference", "start of the network"),
    "language": ("language and DyCE", "guidance", "decoder", "contrast", "CLIP guidance"),
    "labels": ("supervised loss", "mixing", "source style", "without the source"),
    "pseudo-labels": ("pseudo-labels", "refinement of pseudo-labels", "teacher", "negative learning"),
    "rounds": ("averaging", "image prior", "strokes kept aside", "where the source misleads", "encoder"),
}  # fmt: skip
"""Which groups share a picture."""
_LOOKS: Final = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"))
_PANELS: Final = (("mIoU", "miou"), ("rare-class recall", "tail_recall"))


def draw(results: AblationResults, folder: Path, suffix: str = "") -> list[str]:
    """One picture for each theme that has results; gives the files' names."""
    return [
        name
        for theme, groups in THEMES.items()
        if _draw_theme(results, groups, folder / (name := f"ablation_{theme}{suffix}.png"))
    ]


def _draw_theme(results: AblationResults, groups: tuple[str, ...], path: Path) -> bool:
    rows = [n for g in results.groups if g in groups for n in results.names(g) if n != base_of(g)]
    if not rows:
        return False
    figure = _figure(9, 1.2 + 0.3 * len(rows))
    axes = figure.subplots(1, len(_PANELS), sharey=True, squeeze=False)[0]
    for axis, (title, key) in zip(axes, _PANELS, strict=True):
        _draw_panel(axis, results, rows, key)
        axis.set_title(f"{title}, change in points", fontsize=9)
    axes[0].set_yticks(range(len(rows)), [f"{group}: {name}" for group, name in rows], fontsize=8)
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8, frameon=False)
    _save(figure, path)
    return True


def _draw_panel(axis: Axes, results: AblationResults, rows: list[RowName], key: str) -> None:
    """The change over all with its interval, and beside it the mean of each data set, whose intervals are in the tables."""
    axis.axvline(0, color="0.6", linewidth=0.8)
    for data, (colour, marker) in zip(results.data, _LOOKS, strict=False):
        places, means, _ = _points(results, rows, [data], key)
        axis.plot(
            means, places, color=colour, marker=marker, markersize=4, linestyle="none", alpha=0.8, label=data
        )
    places, means, widths = _points(results, rows, results.data, key)
    axis.errorbar(
        means,
        places,
        xerr=widths,
        color="black",
        marker="|",
        markersize=9,
        linestyle="none",
        linewidth=1.2,
        capsize=3,
        label="over all, 95 % interval",
    )
    axis.tick_params(axis="x", labelsize=8)
    axis.grid(axis="x", color="0.9", linewidth=0.6)


def _points(
    results: AblationResults, rows: list[RowName], data: list[str], key: str
) -> tuple[list[int], list[float], list[float]]:
    """Place, mean and half the interval, in points, of the rows that have results; no interval is one of no width."""
    found = [(place, change) for place, row in enumerate(rows) if (change := results.change(row, data, key))]
    means = [100 * change.mean for _, change in found]
    return [place for place, _ in found], means, [100 * (change.half_width or 0.0) for _, change in found]


def draw_suggestion(rows: list[Row], path: Path) -> None:
    """The score by the number of strokes, at suggestions and at random places, one panel for each data set."""
    names = list(dict.fromkeys(row["data"] for row in rows))
    figure = _figure(3 * len(names) + 0.5, 2.8)
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    for axis, data in zip(panels, names, strict=True):
        for (placement, curves), (colour, marker) in zip(
            curves_of([row for row in rows if row["data"] == data]).items(), _LOOKS, strict=False
        ):
            _draw_curve(axis, curves, colour, marker, placement)
        axis.set_title(data, fontsize=9)
        axis.set_xlabel("strokes", fontsize=8)
        axis.tick_params(labelsize=8)
    panels[0].set_ylabel("mIoU, points", fontsize=8)
    panels[-1].legend(fontsize=8, frameon=False)
    _save(figure, path)


def _draw_curve(
    axis: Axes, curves: list[list[tuple[float, float]]], colour: str, marker: str, label: str
) -> None:
    if not curves:
        return
    rounds = min(len(curve) for curve in curves)
    strokes = np.mean([[s for s, _ in curve[:rounds]] for curve in curves], 0)
    estimates = [e for n in range(rounds) if (e := Estimate.of(curve[n][1] for curve in curves))]
    axis.errorbar(
        strokes,
        [100 * e.mean for e in estimates],
        yerr=[100 * (e.half_width or 0) for e in estimates],
        color=colour,
        marker=marker,
        markersize=4,
        linewidth=1,
        capsize=2,
        label=label,
    )


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
