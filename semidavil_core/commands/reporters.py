"""Where a command's events go: a progress bar on a terminal, plain lines in a log, or JSON lines on standard output."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bars

from semidavil_core.commands.progress import Progress, ProgressMeter, clock_time
from semidavil_core.events import Event, FinishReason, Notice, RoundFinished

SECONDS_BETWEEN_LINES: Final = 10.0
_REASONS: Final = {
    FinishReason.BUDGET: "the budget is used up",
    FinishReason.STOPPED: "stopped on request",
    FinishReason.RESTORED: "it got worse on held-out strokes, so the state before it was kept",
}


class Reporter(Protocol):
    """Shows events while a job runs."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, event: Event) -> None:
        """Show one event."""

    def say(self, sentence: str) -> None:
        """Show a sentence while the job runs."""

    def result(self, content: Mapping[str, Any], text: str) -> None:
        """Show the command's result: `content` for programs, `text` for people."""


class _Quiet:
    """The parts of a reporter that need nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


class JsonReporter(_Quiet):
    """One JSON object per line on standard output, the result as a last ``Done`` line."""

    def show(self, event: Event) -> None:
        """Print the event, arrays left out."""
        print(json_line(event.to_json()), flush=True)

    def say(self, sentence: str) -> None:
        """Print a ``Notice``."""
        self.show(Notice(sentence))

    def result(self, content: Mapping[str, Any], text: str) -> None:  # noqa: ARG002 - a program reads the content
        """Print the ``Done`` line."""
        print(json_line({"event": "Done", "request": 0, "result": content}), flush=True)


class TerminalReporter(_Quiet):
    """A progress bar with rate and time left on standard error; results on standard output."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._meter = ProgressMeter()
        self._task: TaskID | None = None
        self._stage = ""
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}", style="cyan"),
            console=self._console,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._complete()
        self._bars.stop()

    def show(self, event: Event) -> None:
        """Move the bar, or print a sentence above it."""
        reading = self._meter.read(event)
        if reading is not None:
            self._move(reading, new=type(event).__name__ == "StageStarted")
        sentence = sentence_of(event)
        if sentence:
            self.say(sentence)

    def say(self, sentence: str) -> None:
        """Print above the bar."""
        self._console.print(sentence, markup=False)

    def result(self, content: Mapping[str, Any], text: str) -> None:  # noqa: ARG002 - a person reads the text
        """Print to standard output."""
        print(text, flush=True)

    def _move(self, reading: Progress, *, new: bool) -> None:
        if new or self._task is None:
            self._complete()
            self._task = self._bars.add_task(reading.stage.capitalize(), total=1.0, note="")
        completed = reading.fraction or 0.0
        self._bars.update(
            self._task,
            completed=completed,
            total=None if reading.fraction is None else 1.0,
            note=note(reading),
        )

    def _complete(self) -> None:
        if self._task is not None:
            self._bars.update(self._task, total=1.0, completed=1.0)


class LogReporter(_Quiet):
    """Plain lines on standard error, at most one every ten seconds, for logs and pipes."""

    def __init__(self) -> None:
        self._meter = ProgressMeter()
        self._last = 0.0

    def show(self, event: Event) -> None:
        """Print a line if it is time."""
        reading = self._meter.read(event)
        begins = type(event).__name__ == "StageStarted"
        if reading is not None and (begins or time.monotonic() - self._last >= SECONDS_BETWEEN_LINES):
            self._last = time.monotonic()
            percent = "" if begins or reading.fraction is None else f": {reading.fraction:.0%}"
            self.say(f"{reading.stage.capitalize()}{percent}  {note(reading)}".rstrip())
        sentence = sentence_of(event)
        if sentence:
            self.say(sentence)

    def say(self, sentence: str) -> None:
        """Print to standard error."""
        print(sentence, file=sys.stderr, flush=True)

    def result(self, content: Mapping[str, Any], text: str) -> None:  # noqa: ARG002 - a person reads the text
        """Print to standard output."""
        print(text, flush=True)


def choose_reporter(*, as_json: bool) -> Reporter:
    """JSON lines if asked for, a bar on a terminal, plain lines elsewhere."""
    if as_json:
        return JsonReporter()
    return TerminalReporter() if sys.stderr.isatty() else LogReporter()


def note(reading: Progress) -> str:
    """Rate, time left and detail in a few words."""
    eta = f"{clock_time(reading.eta)} left" if reading.eta is not None else ""
    return "  ".join(part for part in (reading.rate, eta, reading.detail) if part)


def sentence_of(event: Event) -> str:
    """What a person should read of an event that moves no bar; empty for all others."""
    if isinstance(event, Notice):
        return f"Note: {event.message}"
    if isinstance(event, RoundFinished):
        what = f"Round {event.round}" if event.round else "Preparation"
        scores = "".join(f", {name.replace('_', ' ')} {value:.3f}" for name, value in event.scores.items())
        reason = _REASONS.get(FinishReason(event.reason), event.reason)
        return f"{what}: {event.steps} steps in {event.seconds:.1f} s{scores}; {reason}."
    return ""


def json_line(content: Any) -> str:
    """`content` on one line of strict JSON: numbers that are not finite become null."""
    return json.dumps(_finite(content), ensure_ascii=False, allow_nan=False, default=str)


def _finite(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {str(key): _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return content
