"""What the plot keeps of one round: its loss, smoothed, and how many of the strokes kept aside were right."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_MOST_POINTS: Final = 600  # of a curve: more than there are pixels
_SMOOTHING: Final = 0.9  # of the loss, which jumps from step to step

Points = list[tuple[float, float]]


@dataclass
class Curve:
    """What was drawn of one round."""

    name: str
    seconds: float
    """How long the round may take."""
    loss: Points = field(default_factory=list)
    """(seconds, smoothed loss)."""
    right: Points = field(default_factory=list)
    """(seconds, share of the strokes kept aside that is right)."""
    failed: bool = False
    _smooth: float | None = None
    _every: int = 1
    _count: int = 0

    def add_loss(self, seconds: float, loss: float) -> None:
        """Add one step."""
        self._smooth = loss if self._smooth is None else _SMOOTHING * self._smooth + (1 - _SMOOTHING) * loss
        self._count += 1
        if self._count % self._every == 0:
            self.loss.append((seconds, self._smooth))
        if len(self.loss) > _MOST_POINTS:
            self.loss = self.loss[1::2]
            self._every *= 2

    def add_right(self, seconds: float, share: float) -> None:
        """Add one measurement."""
        self.right.append((seconds, share))
        if len(self.right) > _MOST_POINTS:
            self.right = [*self.right[:-1:2], self.right[-1]]

    @property
    def end(self) -> float:
        """Seconds that the curve reaches."""
        return max([self.loss[-1][0] if self.loss else 0.0, self.right[-1][0] if self.right else 0.0])


def nearest(points: Points, seconds: float) -> float:
    return min(points, key=lambda point: abs(point[0] - seconds))[1]
