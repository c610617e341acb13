"""The losses of a run over time, as a picture.

Matplotlib is imported where it draws, without ``pyplot``: no window, no global state.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.atomic_files import write_bytes
from semidavil_core.events import StepFinished

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DOTS_PER_INCH: Final = 110


@dataclass(frozen=True)
class LossCurve:
    """The losses of one run of training."""

    title: str
    seconds: tuple[float, ...]
    losses: Mapping[str, tuple[float, ...]]
    """By name; ``total`` is their sum. NaN where a step had no such part."""

    @classmethod
    def from_events(cls, title: str, steps: Sequence[StepFinished]) -> LossCurve:
        """Collect what `steps` tell."""
        names = sorted({name for step in steps for name in step.losses})
        parts = {name: tuple(float(step.losses.get(name, np.nan)) for step in steps) for name in names}
        return cls(title, tuple(s.seconds for s in steps), {"total": tuple(s.loss for s in steps)} | parts)


def write_loss_plot(path: Path, curves: Sequence[LossCurve]) -> None:
    """Draw one panel per curve, parts thin and total thick, and write a PNG.

    Raises
    ------
    OutputNotWritable
        The file cannot be written.
    """
    figure = _figure(6.0 * max(len(curves), 1), 4.0)
    for axes, curve in zip(np.atleast_1d(figure.subplots(1, max(len(curves), 1))), curves, strict=False):
        _draw_losses(axes, curve)
    _write(figure, path)


def _draw_losses(axes: Axes, curve: LossCurve) -> None:
    for name, values in curve.losses.items():
        total = name == "total"
        axes.plot(
            curve.seconds,
            _smoothed(values),
            label=name,
            linewidth=2 if total else 1,
            color="black" if total else None,
        )
    axes.set(title=curve.title, xlabel="seconds", ylabel="loss (running mean)")
    axes.grid(alpha=0.3)
    if curve.seconds:
        axes.legend(fontsize=8)


def _smoothed(values: Sequence[float], share: float = 0.05) -> NDArray[np.float64]:
    """Running mean over the last `share` of the points; steps without a value do not count."""
    series = np.asarray(values, np.float64)
    window = max(1, round(share * len(series)))
    sums = np.cumsum(np.pad(np.nan_to_num(series), (window, 0)))
    counts = np.cumsum(np.pad(np.isfinite(series).astype(np.float64), (window, 0)))
    total, count = sums[window:] - sums[:-window], counts[window:] - counts[:-window]
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _write(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    write_bytes(path, buffer.getvalue())
