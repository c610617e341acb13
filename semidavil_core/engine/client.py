"""The window's side of the engine: start it here or over ssh, send requests, iterate its events."""

from __future__ import annotations

import itertools
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from semidavil_core import errors
from semidavil_core.engine.protocol import Frame, encoded, read_frame, write_buffers
from semidavil_core.engine.requests import Hello, Pause, Request, Resume, Shutdown, Stop, identifier_of
from semidavil_core.errors import AdaptationFailed, EngineFailed, SemiDavilError
from semidavil_core.events import Done, Event, Failed, event_from_json

_LAST_LINES = 30
Buffers = list[bytes | memoryview]


class EngineClient:
    """A running engine.

    One thread iterates :meth:`request`; :meth:`stop`, :meth:`pause`, :meth:`resume` and :meth:`kill` may come from any thread and never
    block (what is sent goes through a writer thread).

    Parameters
    ----------
    command
        What starts the engine, for instance ``["ssh", "host", "python", "-m", "semidavil_core.engine"]``; by default this Python.

    Raises
    ------
    EngineFailed
        The command cannot be started.
    """

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._process = _start(command)
        self._identifiers = itertools.count(1)
        self._outgoing: queue.SimpleQueue[Buffers | None] = queue.SimpleQueue()
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._current = 0
        self._held = False
        self._holding = threading.Lock()
        self._closed = False
        requests, messages = _pipe(self._process.stdin), _pipe(self._process.stderr)
        self._writer = _thread("engine-writer", _write_frames, requests, self._outgoing)
        self._listener = _thread("engine-messages", _collect_lines, messages, self._last_lines)
        self._finalizer = weakref.finalize(self, _end_process, self._process, self._outgoing)

    @property
    def alive(self) -> bool:
        """Whether the engine's process runs and was not told to end."""
        return not self._closed and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the engine (or of the ssh that leads to it)."""
        return self._process.pid

    def hello(self) -> Mapping[str, Any]:
        """Shake hands: the engine's ``{protocol, version, pid}``.

        Raises
        ------
        EngineFailed
            It is no engine, or one of another version.
        """
        return self.call(Hello())

    def request(self, request: Request) -> Iterator[Event]:
        """Send `request` and give its events; the last one is ``Done``.

        Raises
        ------
        SemiDavilError
            The engine's own error where it answered ``Failed``; the engine lives on.
        EngineFailed
            The engine died, was closed, or broke the protocol; it is gone.
        """
        identifier = self._current = self._send_held(request)
        while True:
            if identifier != self._current:
                raise EngineFailed(
                    "Another request took this one's place; send the next one when this one is answered."
                )
            frame = self._receive()
            event = self._event(frame) if identifier_of(frame) in (identifier, -1) else None
            if isinstance(event, Failed):
                raise error_from(event)
            if event is not None:
                yield event
            if isinstance(event, Done):
                return

    def call(self, request: Request) -> Mapping[str, Any]:
        """Send `request`, drop its events, return the result of ``Done``."""
        result: Mapping[str, Any] = {}
        for event in self.request(request):
            if isinstance(event, Done):
                result = event.result
        return result

    def stop(self) -> None:
        """Ask the present work to end at its next step boundary."""
        self._hold(False, Stop())

    def pause(self) -> None:
        """Ask the present work, and what is requested until :meth:`resume` or :meth:`stop`, to hold at its next step boundary."""
        self._hold(True, Pause())

    def resume(self) -> None:
        """Let held work go on."""
        self._hold(False, Resume())

    def kill(self) -> None:
        """End the process now; whoever iterates its events gets ``EngineFailed``."""
        self._closed = True
        with suppress(OSError):
            self._process.kill()
        self._outgoing.put(None)

    def close(self, timeout: float = 5.0) -> None:
        """Ask the engine to end, wait up to `timeout` seconds, then kill it; leaves no process and no thread behind."""
        self._send_quietly(Shutdown())
        self._closed = True
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._outgoing.put(None)
        self._finalizer()
        for thread in (self._writer, self._listener):
            thread.join(1.0)

    def __enter__(self) -> EngineClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, request: Request) -> int:
        if not self.alive:
            raise self._death()
        identifier = next(self._identifiers)
        self._outgoing.put(encoded(request.to_frame(identifier)))
        return identifier

    def _hold(self, held: bool, urgent: Request) -> None:
        with self._holding:
            self._held = held
            self._send_quietly(urgent)

    def _send_held(self, request: Request) -> int:
        """Send `request` and, where a pause stands, hold it: the work that was asked to may have ended before it heard."""
        with self._holding:
            identifier = self._send(request)
            if self._held:
                self._send_quietly(Pause())
        return identifier

    def _send_quietly(self, request: Request) -> None:
        with suppress(EngineFailed):
            self._send(request)

    def _receive(self) -> Frame:
        try:
            frame = read_frame(_pipe(self._process.stdout))
        except (OSError, ValueError) as error:  # the pipe broke, or was closed under us
            raise self._death() from error
        except EngineFailed as error:
            if self._closed or self._process.poll() is not None:
                raise self._death() from error
            self.kill()
            raise
        if frame is None:
            raise self._death()
        return frame

    def _event(self, frame: Frame) -> Event:
        body = {name: value for name, value in frame.body.items() if name != "id"}
        return event_from_json(body, frame.arrays)

    def _death(self) -> EngineFailed:
        """The sentence for an engine that is gone, with what it said last."""
        if self._closed:
            return EngineFailed("The engine was closed; start the action again to get a fresh one.")
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(2.0)
            self._listener.join(1.0)
        said = next((line.strip() for line in reversed(self._last_lines) if line.strip()), "")
        last_words = f", and last said: {said[:300]}" if said else ""
        return EngineFailed(
            f"The engine ended {_in_words(self._process.poll())}{last_words}; "
            "nothing you painted is lost, start the action again to get a fresh engine."
        )


def error_from(event: Failed) -> SemiDavilError:
    """The exception that a ``Failed`` event tells of."""
    cls = getattr(errors, event.error, None)
    if isinstance(cls, type) and issubclass(cls, SemiDavilError):
        return cls(event.message)
    return AdaptationFailed(event.message)


def _in_words(code: int | None) -> str:
    if code is None:
        return "without an exit code"
    if code >= 0:
        return f"with exit code {code}"
    return f"by signal {-code} ({signal.strsignal(-code) or 'unknown'})"


def _start(command: Sequence[str] | None) -> subprocess.Popen[bytes]:
    arguments = list(command or (sys.executable, "-P", "-m", "semidavil_core.engine"))
    pipe = subprocess.PIPE
    # Of its own session: Ctrl-C in the terminal reaches the window only.
    own_session = os.name == "posix"
    no_console = 0 if own_session else 0x08000000
    try:
        return subprocess.Popen(
            arguments, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, env=_environment(),
            start_new_session=own_session, creationflags=no_console,
        )  # fmt: skip
    except OSError as error:
        raise EngineFailed(
            f"The engine cannot be started with {arguments[0]!r} ({error.strerror or error}); check that command."
        ) from error


def _environment() -> dict[str, str]:
    """The present environment, and where this package lies if it is used from a source tree."""
    environment = dict(os.environ)
    environment.setdefault(
        "OMP_WAIT_POLICY", "PASSIVE"
    )  # spinning threads starve the window beside them, and themselves
    root = Path(__file__).resolve().parents[2]
    if root.name not in ("site-packages", "dist-packages"):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), environment.get("PYTHONPATH")]))
    return environment


def _write_frames(stream: BinaryIO, frames: queue.SimpleQueue[Buffers | None]) -> None:
    """Writer thread: send until told to end or the engine is gone (the reader of events notices that)."""
    with suppress(OSError, ValueError), stream:
        while (buffers := frames.get()) is not None:
            write_buffers(stream, buffers)


def _collect_lines(stream: BinaryIO, lines: deque[str]) -> None:
    with suppress(OSError, ValueError), stream:
        for line in stream:
            lines.append(line.decode(errors="replace"))


def _end_process(process: subprocess.Popen[bytes], frames: queue.SimpleQueue[Buffers | None]) -> None:
    """Kill what still runs and collect its exit code, so that no zombie stays."""
    frames.put(None)
    if process.poll() is None:
        process.kill()
    process.wait()
    if process.stdout is not None:
        with suppress(OSError):
            process.stdout.close()


def _thread(name: str, target: Any, *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    thread.start()
    return thread


def _pipe(stream: Any) -> BinaryIO:
    return stream  # type: ignore[no-any-return]
