from __future__ import annotations

import math
import threading
from collections.abc import Callable, Generator

import pytest
import torch

from semidavil_core.adaptation.loop import LoopEnd, TakeStep, run_steps
from semidavil_core.adaptation.optimisation import Optimisation
from semidavil_core.adaptation.step import StepLosses
from semidavil_core.control import RunControl
from semidavil_core.errors import AdaptationFailed
from semidavil_core.events import Event, FinishReason, Paused, Resumed, StepFinished
from semidavil_core.settings import Budget, Mode
from tests.core.tiny_tower import tiny_segmenter


def step_of(value: float = 1.0) -> StepLosses:
    return StepLosses({"source": torch.tensor(value), "strokes": torch.tensor(2.0)}, 0.5)


def drained(steps: Generator[Event, None, LoopEnd]) -> tuple[list[Event], LoopEnd]:
    events = []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value


def run(
    take_step: TakeStep, control: RunControl | None = None, steps: int = 3
) -> tuple[list[Event], LoopEnd]:
    return drained(run_steps(take_step, budget=Budget(steps=steps), control=control or RunControl()))


def raising(error: BaseException) -> TakeStep:
    def take(*_: float) -> StepLosses:
        raise error

    return take


def test_as_many_steps_are_taken_and_told_as_the_budget_holds() -> None:
    events, end = run(lambda *_: step_of(), steps=3)
    assert [type(e) for e in events] == [StepFinished] * 3
    assert [e.step for e in events if isinstance(e, StepFinished)] == [1, 2, 3]
    assert end.reason is FinishReason.BUDGET
    assert end.steps == 3


def test_an_event_tells_the_parts_of_the_loss_and_the_confidence() -> None:
    events, _ = run(lambda *_: step_of(0.5), steps=2)
    first, last = events
    assert isinstance(first, StepFinished)
    assert isinstance(last, StepFinished)
    assert first.loss == 2.5
    assert first.losses == {"source": 0.5, "strokes": 2.0}
    assert first.mean_confidence == 0.5
    assert (first.fraction, last.fraction) == (0.5, 1)


def test_a_step_is_given_the_rates_factor_the_used_share_and_the_expected_steps() -> None:
    given: list[tuple[float, float, float]] = []

    def take(factor: float, fraction: float, expected: float) -> StepLosses:
        given.append((factor, fraction, expected))
        return step_of()

    run(take, steps=4)
    assert [fraction for _, fraction, _ in given] == [0, 0.25, 0.5, 0.75]
    assert {expected for *_, expected in given} == {4}
    assert all(0 < factor <= 1 for factor, *_ in given)


def test_a_budget_of_seconds_ends_by_the_clock() -> None:
    now = [0.0]

    def take(*_: float) -> StepLosses:
        now[0] += 4
        return step_of()

    events, end = drained(
        run_steps(take, budget=Budget(seconds=10), control=RunControl(), now=lambda: now[0])
    )
    assert len(events) == 3
    assert end == LoopEnd(FinishReason.BUDGET, 3, 12)


def test_stop_is_honoured_before_the_next_step() -> None:
    control = RunControl()
    steps = run_steps(lambda *_: step_of(), budget=Budget(steps=100), control=control)
    next(steps)
    control.stop()
    events, end = drained(steps)
    assert events == []
    assert end.reason is FinishReason.STOPPED
    assert end.steps == 1


def test_a_stop_before_the_start_takes_no_step() -> None:
    control = RunControl()
    control.stop()
    events, end = run(raising(ZeroDivisionError()), control)
    assert events == []
    assert end.steps == 0
    assert end.reason is FinishReason.STOPPED


def resume_soon(act: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(0.05, act)
    timer.start()
    return timer


def test_pause_holds_the_loop_between_two_events() -> None:
    control = RunControl()
    steps = run_steps(lambda *_: step_of(), budget=Budget(steps=2), control=control)
    next(steps)
    control.pause()
    assert isinstance(next(steps), Paused)
    timer = resume_soon(control.resume)
    assert isinstance(next(steps), Resumed)
    timer.join()
    events, end = drained(steps)
    assert [type(e) for e in events] == [StepFinished]
    assert end.reason is FinishReason.BUDGET


def test_stop_wakes_a_paused_loop_to_end() -> None:
    control = RunControl()
    control.pause()
    steps = run_steps(raising(ZeroDivisionError()), budget=Budget(steps=2), control=control)
    assert isinstance(next(steps), Paused)
    timer = resume_soon(control.stop)
    events, end = drained(steps)
    timer.join()
    assert [type(e) for e in events] == [Resumed]
    assert end.reason is FinishReason.STOPPED


def test_pauses_do_not_count_as_training_wherever_the_time_passes() -> None:
    now = [0.0]

    class Slow(RunControl):
        def wait_if_paused(self, timeout: float | None = None) -> bool:
            now[0] += 500
            self.resume()
            return super().wait_if_paused(timeout)

    control = Slow()
    control.pause()
    steps = run_steps(lambda *_: step_of(), budget=Budget(seconds=60), control=control, now=lambda: now[0])
    assert isinstance(next(steps), Paused)
    now[0] += 500  # the listener, not the loop, holds the pause
    assert isinstance(next(steps), Resumed)
    event = next(steps)
    assert isinstance(event, StepFinished)
    assert event.seconds == 0
    assert event.fraction == 0


def test_a_runtime_error_of_torch_becomes_an_error_that_says_what_failed() -> None:
    with pytest.raises(AdaptationFailed, match=r"training step failed \(first line\)") as caught:
        run(raising(RuntimeError("first line\nC++ stack")))
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert not isinstance(caught.value, RuntimeError)


def test_an_error_without_words_is_told_too() -> None:
    with pytest.raises(AdaptationFailed, match="training step failed"):
        run(raising(RuntimeError()))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError(
            "[enforce fail] alloc_cpu.cpp DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"
        ),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        ),
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
    ],
)
def test_running_out_of_memory_names_the_remedy(error: BaseException) -> None:
    with pytest.raises(AdaptationFailed, match="smaller crop or batch"):
        run(raising(error))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_left_the_numbers_ends_the_loop_before_the_weights_change(value: float) -> None:
    student = tiny_segmenter(2)
    optimisation = Optimisation(student, mode=Mode.CACHED, head_rate=0.1, tower_rate=0.1, weight_decay=0.1)
    before = [p.detach().clone() for p in student.parameters()]

    def take(factor: float, *_: float) -> StepLosses:
        total = torch.stack([p.sum() for p in student.decoder.parameters()]).sum()
        losses = StepLosses({"source": value * total}, None)
        optimisation.apply(losses.total, factor)
        return losses

    with pytest.raises(AdaptationFailed, match=r"infinite or not a number.*learning rates"):
        run(take)
    for mine, earlier in zip(student.parameters(), before, strict=True):
        assert torch.equal(mine, earlier)
