"""Means over repeats with the interval in which the true mean lies, and how they are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import t as student

ENOUGH: Final = 3
"""Repeats from which on there is an interval: that of two is some 13 times as wide as their distance from the mean, and tells nothing."""


@dataclass(frozen=True)
class Estimate:
    """A mean and half the width of its 95 % confidence interval."""

    mean: float
    half_width: float | None
    """By Student's t over the repeats; None for fewer than three."""
    repeats: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Estimate | None:
        """The estimate from repeats, of which those without a value are left out; None without any."""
        known = np.array([value for value in values if value is not None], float)
        if not known.size:
            return None
        half = None
        if known.size >= ENOUGH:
            error = known.std(ddof=1) / np.sqrt(known.size)
            half = float(student.ppf(0.975, known.size - 1) * error)
        return cls(float(known.mean()), half, int(known.size))

    @property
    def sign(self) -> int:
        """1 or -1 if the whole interval lies above or below 0, else 0."""
        if self.half_width is None or abs(self.mean) <= self.half_width:
            return 0
        return 1 if self.mean > 0 else -1

    def points(self, *, signed: bool = False) -> str:
        """Hundred times the mean, as text: ``41.2 ± 1.3``."""
        rounded = round(100 * self.mean, 1) + 0.0  # no negative zero
        mean = f"{rounded:{'+' if signed and rounded else ''}.1f}".replace("-", "−")
        return mean if self.half_width is None else f"{mean} ± {100 * self.half_width:.1f}"


def points(estimate: Estimate | None, *, signed: bool = False) -> str:
    """An estimate as text; a dash for none."""
    return "–" if estimate is None else estimate.points(signed=signed)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    titles = list(head)
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(cells)} |" for cells in rows)])
