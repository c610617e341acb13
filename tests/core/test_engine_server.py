"""The server over pipes in this process, with a handler of a few lines."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator

import pytest

from semidavil_core.engine.protocol import Frame, read_frame, write_frame
from semidavil_core.engine.requests import (
    Adapt,
    Hello,
    OpenSession,
    Pause,
    Predict,
    Request,
    Resume,
    SaveBundle,
    Shutdown,
    Stop,
)
from semidavil_core.engine.server import EngineHandler, Server, failure
from semidavil_core.errors import OutputNotWritable
from semidavil_core.events import Done, Event, Failed, Paused, Resumed, StepFinished, event_from_json


class FakeWork:
    """Steps until told to stop; fails on demand."""

    def handle(self, request, control):
        if isinstance(request, Adapt):
            step = 0
            while not control.stop_requested:
                if control.paused:
                    yield Paused()
                    control.wait_if_paused()
                    yield Resumed()
                step += 1
                yield StepFinished(step, 0.0, 0.0, 1.0)
            return {"steps": step}
        if isinstance(request, SaveBundle):
            raise OutputNotWritable("no room")
        if isinstance(request, Predict):
            raise MemoryError
        if isinstance(request, OpenSession):
            raise RuntimeError("shapes (2, 3) and (4,) differ\nsomewhere")
        yield from ()
        return (yield from EngineHandler().handle(request, control))


class Conversation:
    def __init__(self) -> None:
        to_server, from_server = os.pipe(), os.pipe()
        self.out = os.fdopen(to_server[1], "wb", buffering=0)
        self.inn = os.fdopen(from_server[0], "rb", buffering=0)
        self._ends = (
            os.fdopen(to_server[0], "rb", buffering=0),
            os.fdopen(from_server[1], "wb", buffering=0),
        )
        self.thread = threading.Thread(target=Server(*self._ends, FakeWork()).serve, daemon=True)
        self.thread.start()
        self.count = 0

    def ask(self, request: Request) -> int:
        self.count += 1
        write_frame(self.out, request.to_frame(self.count))
        return self.count

    def answers(self) -> Iterator[tuple[int, Event]]:
        while (frame := read_frame(self.inn)) is not None:
            body = dict(frame.body)
            yield body.pop("id"), event_from_json(body, frame.arrays)

    def until(self, identifier: int, kind: type[Event]) -> Event:
        return next(event for got, event in self.answers() if got == identifier and isinstance(event, kind))

    def close(self) -> None:
        self.out.close()
        self.thread.join(10)
        self.inn.close()
        for end in self._ends:
            end.close()


@pytest.fixture
def engine() -> Iterator[Conversation]:
    conversation = Conversation()
    yield conversation
    conversation.close()


def test_stop_acts_during_work_and_the_work_ends_in_order(engine: Conversation) -> None:
    work = engine.ask(Adapt())
    engine.until(work, StepFinished)
    engine.ask(Stop())
    done = engine.until(work, Done)
    assert isinstance(done, Done)
    assert done.result["steps"] >= 1


def test_stop_does_not_touch_what_comes_after_it(engine: Conversation) -> None:
    engine.ask(Stop())
    work = engine.ask(Adapt())
    engine.until(work, StepFinished)
    engine.ask(Stop())
    engine.until(work, Done)


def test_pause_holds_and_resume_goes_on(engine: Conversation) -> None:
    work = engine.ask(Adapt())
    engine.ask(Pause())
    engine.until(work, Paused)
    engine.ask(Resume())
    engine.until(work, Resumed)
    engine.until(work, StepFinished)
    engine.ask(Stop())
    engine.until(work, Done)


def test_a_paused_job_can_be_stopped(engine: Conversation) -> None:
    work = engine.ask(Adapt())
    engine.ask(Pause())
    engine.until(work, Paused)
    engine.ask(Stop())
    engine.until(work, Done)


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        (SaveBundle("x"), "OutputNotWritable", "no room"),
        (Predict("x"), "AdaptationFailed", "out of memory.*smaller"),
        (OpenSession(), "AdaptationFailed", r"RuntimeError.*differ somewhere"),
        (Hello(protocol=99), "EngineFailed", "same version"),
    ],
)
def test_an_error_is_one_sentence_and_the_engine_lives_on(
    engine: Conversation, request_: Request, error: str, words: str
) -> None:
    failed = engine.until(engine.ask(request_), Failed)
    assert isinstance(failed, Failed)
    assert failed.error == error
    assert re.search(words, failed.message)
    done = engine.until(engine.ask(Hello()), Done)
    assert isinstance(done, Done)
    assert done.result["protocol"] == 1


def test_an_unknown_request_is_refused_by_its_id_and_the_engine_lives_on(engine: Conversation) -> None:
    write_frame(engine.out, Frame({"id": 41, "request": "Dance"}))
    failed = engine.until(41, Failed)
    assert isinstance(failed, Failed)
    assert "Dance" in failed.message
    engine.until(engine.ask(Hello()), Done)


@pytest.mark.parametrize("end", ["shutdown", "gone", "garbage"])
def test_the_server_ends_when_told_when_nobody_is_there_and_when_the_stream_is_garbage(end: str) -> None:
    engine = Conversation()
    work = engine.ask(Adapt())
    engine.until(work, StepFinished)
    if end == "shutdown":
        engine.ask(Shutdown())
    elif end == "garbage":
        engine.out.write(b"#!/bin/sh garbage garbage")
    else:
        engine.out.close()
    engine.until(work, Done)
    engine.thread.join(10)
    assert not engine.thread.is_alive()
    engine.close()


def test_memory_errors_of_torch_are_known_by_their_words() -> None:
    assert "ran out of memory" in failure(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")).message
    assert "ran out of memory" in failure(RuntimeError("DefaultCPUAllocator: can't allocate memory")).message
