"""How far a job is, how fast it goes and how long it will take: worked out from its events alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from semidavil_core.events import Event, StageProgress, StageStarted, StepFinished


@dataclass(frozen=True, slots=True)
class Progress:
    """A reading of the progress bar."""

    stage: str
    """Words for a person."""
    fraction: float | None
    """0 to 1; None where the total is unknown."""
    rate: str
    """For example ``12.3 images/s``; empty until known."""
    eta: float | None
    """Seconds left; None until known."""
    detail: str = ""
    """For example the loss."""


class ProgressMeter:
    """Turns events into :class:`Progress` readings.

    Parameters
    ----------
    clock
        Seconds that only grow; replaced in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage = StageStarted("working", 0)
        self._begun = clock()

    def read(self, event: Event) -> Progress | None:
        """The reading after `event`, or None where it says nothing about progress."""
        if isinstance(event, StageStarted):
            self._stage, self._begun = event, self._clock()
            return Progress(event.stage, 0.0 if event.total > 0 else None, "", None)
        if isinstance(event, StageProgress):
            return self._after_stage_progress(event.done)
        if isinstance(event, StepFinished):
            return self._after_step(event)
        return None

    def _after_stage_progress(self, done: float) -> Progress:
        seconds, total = self._clock() - self._begun, self._stage.total
        per_second = done / seconds if seconds > 0 else 0.0
        rate = (
            f"{per_second:.1f} {self._stage.unit}/s" if per_second and self._stage.unit != "seconds" else ""
        )
        if total <= 0:
            return Progress(self._stage.stage, None, rate, None)
        eta = max(total - done, 0.0) / per_second if per_second else None
        return Progress(self._stage.stage, min(done / total, 1.0), rate, eta)

    def _after_step(self, event: StepFinished) -> Progress:
        rate = f"{event.step / event.seconds:.1f} steps/s" if event.seconds > 0 else ""
        eta = event.seconds * (1 - event.fraction) / event.fraction if event.fraction > 0 else None
        return Progress(self._stage.stage, min(event.fraction, 1.0), rate, eta, f"loss {event.loss:.3f}")


def clock_time(seconds: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
