"""The loop that every training shares: take steps until the budget is used, honour stop and pause between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

from semidavil_core.adaptation.schedule import BudgetClock, Clock, rate_factor
from semidavil_core.adaptation.step import StepLosses
from semidavil_core.control import RunControl
from semidavil_core.errors import AdaptationFailed
from semidavil_core.events import Event, FinishReason, Paused, Resumed, StepFinished
from semidavil_core.settings import Budget

_OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
)  # accelerators, Linux and macOS, Windows

TakeStep = Callable[[float, float, float], StepLosses]
"""Takes one optimiser step, given the rates' factor, the used share of the budget and the expected number of steps."""


@dataclass(frozen=True)
class LoopEnd:
    """How a loop ended."""

    reason: FinishReason
    steps: int
    seconds: float
    """Seconds of training, pauses not counted."""


def run_steps(
    take_step: TakeStep,
    *,
    budget: Budget,
    control: RunControl,
    spent: float = 0.0,
    now: Clock = time.monotonic,
) -> Generator[Event, None, LoopEnd]:
    """Take steps and tell of each.

    Parameters
    ----------
    take_step
        Takes one step.
    budget
        For how long.
    control
        Stop and pause requests.
    spent
        Seconds that the job took before its first step: they count in what is told, not in `budget`.
    now
        Tells the seconds.

    Yields
    ------
    Event
        :class:`StepFinished` after each step; :class:`Paused` and :class:`Resumed` around a pause.

    Returns
    -------
    LoopEnd
        Why and when it ended.

    Raises
    ------
    AdaptationFailed
        Memory ran out, or the loss left the numbers.
    """
    clock = BudgetClock(budget, now)
    while clock.fraction < 1 and not control.stop_requested:
        if control.paused:
            began = now()  # before the listener hears of it: the pause may pass there
            yield Paused()
            control.wait_if_paused()
            clock.skip(now() - began)
            yield Resumed()
            continue
        losses = _guarded(take_step, rate_factor(clock.steps, clock.fraction), clock)
        clock.steps += 1
        yield StepFinished(
            step=clock.steps,
            seconds=spent + clock.seconds,
            fraction=clock.fraction,
            loss=float(losses.total.detach()),
            losses={name: float(part.detach()) for name, part in losses.parts.items()},
            mean_confidence=losses.mean_confidence,
        )
    reason = FinishReason.STOPPED if control.stop_requested else FinishReason.BUDGET
    return LoopEnd(reason, clock.steps, spent + clock.seconds)


def _guarded(take_step: TakeStep, factor: float, clock: BudgetClock) -> StepLosses:
    """Take the step; what torch reports as a ``RuntimeError`` becomes an error that no Qt worker swallows."""
    try:
        return take_step(factor, clock.fraction, clock.expected_steps)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY):
            raise AdaptationFailed(
                "The memory did not suffice for a training step; choose a smaller crop or batch, or another device."
            ) from error
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise AdaptationFailed(f"A training step failed ({reason}).") from error
