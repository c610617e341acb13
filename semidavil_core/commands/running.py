"""How every command runs: drain its events into a reporter, obey Ctrl-C, turn errors into exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from semidavil_core.commands.reporters import JsonReporter, Reporter, choose_reporter
from semidavil_core.commands.signals import stop_on_signals
from semidavil_core.control import RunControl
from semidavil_core.errors import InvalidInput, SemiDavilError
from semidavil_core.events import Event, Failed
from semidavil_core.requests import CommandRequest

SUCCESS: Final = 0
FAILED: Final = 1
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130


@dataclass(frozen=True)
class Outcome:
    """What a command achieved."""

    result: Mapping[str, Any]
    """For programs: paths and figures, as JSON."""
    text: str
    """For people."""


Job = Generator[Event, None, Outcome]
RequestT = TypeVar("RequestT", bound=CommandRequest)


def run_command(
    request: RequestT,
    job: Callable[[RequestT, RunControl], Job],
    *,
    as_json: bool,
    stops_at_once: bool = False,
) -> int:
    """Run `job` to its end, or to the step after a Ctrl-C, and return the exit code.

    Parameters
    ----------
    request
        What is asked.
    job
        Makes the generator that answers `request`.
    as_json
        Whether events go to standard output as JSON lines.
    stops_at_once
        Whether the job has nothing worth keeping, so that the first Ctrl-C ends it.

    Raises
    ------
    SemiDavilError
        As the job raises; :func:`exit_code_of` knows what it means.
    """
    control, reporter = RunControl(), choose_reporter(as_json=as_json)
    try:
        with stop_on_signals(control, reporter.say, at_once=stops_at_once) as stopped, reporter:
            outcome = _drain(job(request, control), reporter)
        reporter.result(outcome.result, outcome.text)
        return stopped.exit_code
    except KeyboardInterrupt as error:  # answered here: typer would turn it into an exit code without a word
        return exit_code_of(error) or INTERRUPTED
    except SemiDavilError as error:
        if isinstance(reporter, JsonReporter):
            reporter.show(Failed(type(error).__name__, str(error)))
        raise


def _drain(job: Job, reporter: Reporter) -> Outcome:
    with closing(job):
        while True:
            try:
                event = next(job)
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome
            reporter.show(event)


def exit_code_of(error: BaseException) -> int | None:
    """Tell the person what went wrong in one sentence and return the exit code; None for errors that are ours."""
    if isinstance(error, SemiDavilError):
        _say(str(error))
        return BAD_INPUT if isinstance(error, InvalidInput) else FAILED
    if isinstance(error, KeyboardInterrupt):
        _say("Stopped at once; what was saved before stands, nothing else was kept.")
        return INTERRUPTED
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        _say(
            "The memory is used up; use a smaller crop or batch with --settings, a smaller model with --vlm, or --device cpu."
        )
        return FAILED
    if isinstance(error, BrokenPipeError):
        sys.stdout = None  # nobody reads: keep the interpreter from flushing once more
        return FAILED
    return None


def _say(message: str) -> None:
    print("semidavil: " + " ".join(message.split()), file=sys.stderr, flush=True)
