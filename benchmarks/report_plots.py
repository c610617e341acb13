"""The ablation's pictures: each change against the default, with its confidence interval, by data set.

The colours are those of Okabe and Ito, which colour-blind people tell apart; every data set has a marker of its own besides.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ablation_results import AblationResults, RowName, base_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

THEMES: Final[dict[str, tuple[str, ...]]] = {
    "language": ("language and DyCE", "guidance", "decoder", "start of the network", "contrast", "CLIP guidance"),
    "labels": ("reference", "supervised loss", "mixing", "source style", "without the source"),
    "pseudo-labels": ("pseudo-labels", "refinement of pseudo-labels", "teacher", "negative learning"),
    "rounds": ("averaging", "encoder"),
}  # fmt: skip
"""Which groups share a picture."""
_LOOKS: Final = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"))
_PANELS: Final = (("mIoU", "miou"), ("recall of rare classes", "tail_recall"))


def draw(results: AblationResults, folder: Path, suffix: str = "") -> list[str]:
    """One picture for each theme that has results; gives the files' names."""
    return [
        name
        for theme, groups in THEMES.items()
        if _draw_theme(results, groups, folder / (name := f"ablation_{theme}{suffix}.png"))
    ]


def _draw_theme(results: AblationResults, groups: tuple[str, ...], path: Path) -> bool:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [n for g in results.groups if g in groups for n in results.names(g) if n != base_of(g)]
    if not rows:
        return False
    figure = Figure(figsize=(9, 1.2 + 0.3 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(_PANELS), sharey=True, squeeze=False)[0]
    for axis, (title, key) in zip(axes, _PANELS, strict=True):
        _draw_panel(axis, results, rows, key)
        axis.set_title(f"change of {title}, points", fontsize=9)
    axes[0].set_yticks(range(len(rows)), [f"{group}: {name}" for group, name in rows], fontsize=8)
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
    return True


def _draw_panel(axis: Axes, results: AblationResults, rows: list[RowName], key: str) -> None:
    axis.axvline(0, color="0.6", linewidth=0.8)
    for number, data in enumerate(results.data):
        colour, marker = _LOOKS[number % len(_LOOKS)]
        offset = (number - (len(results.data) - 1) / 2) * 0.22
        label: str | None = data
        for row, name in enumerate(rows):
            change = results.change(name, [data], key)
            if change is None:
                continue
            axis.errorbar(
                100 * change.mean,
                row + offset,
                xerr=None if change.half_width is None else 100 * change.half_width,
                color=colour,
                marker=marker,
                markersize=4,
                linewidth=1,
                capsize=2,
                label=label,
            )
            label = None  # one line of the legend for each data set
    axis.tick_params(axis="x", labelsize=8)
    axis.grid(axis="x", color="0.9", linewidth=0.6)
