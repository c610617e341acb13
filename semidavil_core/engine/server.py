"""The engine process: reads requests, works through them one at a time, writes events.

Two threads: the reader (so that Stop and Pause act during work) and the worker, which is the process's main thread. Whatever goes
wrong in a request becomes a ``Failed`` event with a sentence, and the engine stays alive. When the other side is gone, it ends.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from typing import Any, BinaryIO, Protocol

import semidavil_core
from semidavil_core.control import RunControl
from semidavil_core.engine.memory import limit_memory, read_limit
from semidavil_core.engine.protocol import PROTOCOL_VERSION, Frame, read_frame, write_frame
from semidavil_core.engine.requests import (
    Hello,
    Pause,
    Request,
    Resume,
    Shutdown,
    Stop,
    identifier_of,
    request_from_frame,
)
from semidavil_core.errors import EngineFailed, SemiDavilError
from semidavil_core.events import Done, Event, Failed

_log = logging.getLogger(__name__)
_GRACE_SECONDS = 5.0  # for a step to end after the other side is gone
_NICENESS = 5  # the window that a person paints in goes first
_MEMORY_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")

Job = tuple[int, Request, RunControl]


class Handler(Protocol):
    """What works on requests; its generator's return value is the ``result`` of ``Done``."""

    def handle(self, request: Request, control: RunControl) -> Generator[Event, None, Mapping[str, Any]]:
        """Answer one request."""


class Server:
    """One conversation over a pair of byte streams."""

    def __init__(
        self,
        requests: BinaryIO,
        answers: BinaryIO,
        handler: Handler,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._requests = requests
        self._answers = answers
        self._handler = handler
        self._on_end = on_end
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._open: dict[int, RunControl] = {}
        self._lock = threading.Lock()

    def serve(self) -> None:
        """Work until the other side sends `Shutdown` or is gone."""
        threading.Thread(target=self._read, name="engine-reader", daemon=True).start()
        while (job := self._jobs.get()) is not None:
            self._work(*job)

    def _work(self, identifier: int, request: Request, control: RunControl) -> None:
        try:
            result = yield_all(
                self._handler.handle(request, control), lambda event: self._send(identifier, event)
            )
            self._send(identifier, Done(identifier, result))
        except BrokenPipeError:
            _log.info("nobody listens any more")
        except Exception as error:  # noqa: BLE001 - whatever it was, the engine must live on and say so
            _log.exception("request %d failed", identifier)
            self._send_quietly(identifier, failure(error))
        finally:
            self._open.pop(identifier, None)

    def _read(self) -> None:
        """Reader thread: urgent requests act here, the others queue up."""
        try:
            while (frame := read_frame(self._requests)) is not None:
                if not self._accept(frame):
                    return
        except (SemiDavilError, OSError) as error:
            _log.error("reading requests ended: %s", error)
            self._send_quietly(-1, failure(error))
        finally:
            self._end()

    def _accept(self, frame: Frame) -> bool:
        """Act on or queue one request; whether to read on."""
        identifier = identifier_of(frame)
        try:
            _, request = request_from_frame(frame)
        except SemiDavilError as error:
            self._send_quietly(identifier, failure(error))
            return True
        if not request.urgent:
            control = self._open[identifier] = RunControl()
            self._jobs.put((identifier, request, control))
            return True
        self._act(request)
        self._send_quietly(identifier, Done(identifier))
        return not isinstance(request, Shutdown)

    def _act(self, request: Request) -> None:
        for control in list(self._open.values()):
            match request:
                case Stop() | Shutdown():
                    control.stop()
                case Pause():
                    control.pause()
                case Resume():
                    control.resume()

    def _end(self) -> None:
        """Let the worker finish its step and :meth:`serve` return."""
        self._act(Stop())
        self._jobs.put(None)
        self._on_end()

    def _send(self, identifier: int, event: Event) -> None:
        frame = Frame({"id": identifier, **event.to_json()}, event.arrays())
        with self._lock:
            write_frame(self._answers, frame)

    def _send_quietly(self, identifier: int, event: Event) -> None:
        with suppress(OSError, EngineFailed):
            self._send(identifier, event)


def yield_all(
    generator: Generator[Event, None, Mapping[str, Any]], send: Callable[[Event], None]
) -> Mapping[str, Any]:
    """Send every event of `generator` and return its result; closes it if sending fails."""
    try:
        while True:
            try:
                event = next(generator)
            except StopIteration as end:
                return end.value or {}
            send(event)
    finally:
        generator.close()


def failure(error: BaseException) -> Failed:
    """The event that tells `error` in one sentence."""
    if isinstance(error, SemiDavilError):
        return Failed(type(error).__name__, str(error))
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or any(words in text.lower() for words in _MEMORY_WORDS):
        return Failed(
            "AdaptationFailed",
            "The engine ran out of memory, and the model is as it was before; use smaller or fewer images, a smaller "
            "vision-language model, or the device cpu.",
        )
    return Failed(
        "AdaptationFailed",
        f"The engine met an unexpected {type(error).__name__} ({text[:300] or 'no details'}); the model is as it was before: "
        "try again, and report it with the log if it stays.",
    )


class EngineHandler:
    """Answers the handshake itself and imports the model's side with the first real request, so that Hello is quick."""

    def __init__(self) -> None:
        self._real: Handler | None = None

    def handle(self, request: Request, control: RunControl) -> Generator[Event, None, Mapping[str, Any]]:
        """Answer one request."""
        if isinstance(request, Hello):
            return greet(request)
        if self._real is None:
            from semidavil_core.engine.handlers import EngineSession  # imports torch

            self._real = EngineSession()
        return self._real.handle(request, control)


def greet(request: Hello) -> Generator[Event, None, Mapping[str, Any]]:
    """Compare the two sides' protocol versions."""
    yield from ()
    if request.protocol != PROTOCOL_VERSION:
        raise EngineFailed(
            f"The engine speaks protocol {PROTOCOL_VERSION} (SemiDAViL {semidavil_core.__version__}), the window {request.protocol}; "
            "install the same version on both sides."
        )
    return {"protocol": PROTOCOL_VERSION, "version": semidavil_core.__version__, "pid": os.getpid()}


def main() -> None:
    """Serve on standard input and output; everything that anybody prints goes to standard error."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C in the terminal belongs to the window; it sends Stop
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    limit_memory(read_limit(sys.argv[1:]))
    requests, answers = _claim_streams()
    Server(requests, answers, EngineHandler(), on_end=_exit_soon).serve()
    os._exit(0)  # threads of numerical libraries must not hold up the end


def _exit_soon() -> None:
    """Bound how long a step that hangs can keep the process when the other side is gone."""
    timer = threading.Timer(_GRACE_SECONDS, os._exit, (1,))
    timer.daemon = True
    timer.start()


def _claim_streams() -> tuple[BinaryIO, BinaryIO]:
    """Take the two pipes for frames and put harmless ones where libraries would read and print."""
    requests, answers = os.dup(0), os.dup(1)
    if sys.platform == "win32":
        import msvcrt

        for handle in (requests, answers):
            msvcrt.setmode(handle, os.O_BINARY)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(requests, "rb", buffering=0), os.fdopen(answers, "wb", buffering=0)
