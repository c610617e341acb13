"""How rates and weights change within a round, as pure functions of what has been used up."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from semidavil_core.settings import Budget

Clock = Callable[[], float]
"""Tells seconds; only differences matter. ``time.process_time`` counts what one thread computed, whatever else the machine does."""


def rate_factor(step: int, fraction: float, *, warm_up: int = 10, final: float = 0.05) -> float:
    """Factor of the learning rates: a linear warm-up, then half a cosine down to `final` at the budget's end.

    Parameters
    ----------
    step
        Steps of this round so far, from 0.
    fraction
        Share of the budget that is used, 0 to 1.
    """
    warm = min(1.0, (step + 1) / warm_up)
    return warm * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(max(fraction, 0.0), 1.0))))


def annealed(round_index: int, fraction: float, *, rounds: int = 3) -> float:
    """Factor of what should fade: from 1 at the first round's start linearly to 0 after `rounds` rounds."""
    return max(0.0, 1 - (round_index + fraction) / rounds)


class BudgetClock:
    """Tells how much of a budget is used; pauses do not count.

    Parameters
    ----------
    budget
        Seconds or steps.
    now
        Tells the seconds.
    """

    def __init__(self, budget: Budget, now: Clock = time.monotonic) -> None:
        self._budget = budget
        self._now = now
        self._started = now()
        self._paused = 0.0
        self.steps = 0

    @property
    def seconds(self) -> float:
        """Seconds since the start, pauses left out."""
        return self._now() - self._started - self._paused

    @property
    def fraction(self) -> float:
        """Share of the budget that is used, 0 to 1."""
        used = (
            self.seconds / self._budget.seconds
            if self._budget.steps is None
            else self.steps / self._budget.steps
        )
        return min(1.0, used)

    @property
    def expected_steps(self) -> float:
        """How many steps the whole budget will hold, judged by the steps so far."""
        if self._budget.steps is not None:
            return float(self._budget.steps)
        return self.steps * self._budget.seconds / max(self.seconds, 1e-6) if self.steps >= 3 else 200.0

    def skip(self, seconds: float) -> None:
        """Leave `seconds` of a pause out of the account."""
        self._paused += seconds
