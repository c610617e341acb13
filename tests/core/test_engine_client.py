"""The client against engines of a few lines: well-behaved, crashing, talking nonsense, hanging."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from semidavil_core.engine.client import EngineClient, error_from
from semidavil_core.engine.requests import Adapt, Predict, SetImage
from semidavil_core.errors import AdaptationFailed, EngineFailed, InvalidImage
from semidavil_core.events import Done, Failed, Paused, PreviewReady, Resumed, StepFinished

FAKE = """
import os, sys, time
import numpy as np
from semidavil_core.engine import requests
from semidavil_core.engine.server import EngineHandler, Server, _claim_streams
from semidavil_core.errors import InvalidImage
from semidavil_core.events import Paused, PreviewReady, Resumed, StepFinished
class Work(EngineHandler):
    images = {}
    def handle(self, request, control):
        match request:
            case requests.Adapt():
                step = 0
                while not control.stop_requested:
                    if control.paused:
                        yield Paused()
                        control.wait_if_paused()
                        yield Resumed()
                    yield StepFinished(step := step + 1, 0.0, 0.0, 1.0)
                    MISCHIEF
                return {"steps": step}
            case requests.SetImage():
                self.images[request.name] = request.image
            case requests.Predict():
                if request.name not in self.images: raise InvalidImage("no such image")
                image = self.images[request.name]
                yield PreviewReady(request.name, image[..., 0], image[..., 0].astype("f4"))
            case _:
                return (yield from super().handle(request, control))
        return {}
print("a library says hello")
streams = _claim_streams()
print("and hello again")
Server(*streams, Work()).serve()
"""


def fake(tmp_path: Path, mischief: str = "time.sleep(0.01)", before: str = "") -> EngineClient:
    script = tmp_path / "engine.py"
    body = FAKE.replace("MISCHIEF", mischief).replace('print("a library says hello")', before)
    script.write_text(body, encoding="utf-8")
    return EngineClient([sys.executable, str(script)])


def test_requests_are_answered_and_stray_prints_do_no_harm(tmp_path: Path) -> None:
    with fake(tmp_path) as client:
        assert client.hello()["pid"] == client.pid
        image = np.random.default_rng(0).integers(0, 255, (512, 600, 3), np.uint8)
        client.call(SetImage("a", image))
        preview, done = client.request(Predict("a"))
        assert isinstance(preview, PreviewReady)
        assert isinstance(done, Done)
        np.testing.assert_array_equal(preview.prediction, image[..., 0])
    assert not client.alive


def test_stop_from_another_thread_ends_the_work(tmp_path: Path) -> None:
    with fake(tmp_path) as client:
        events = client.request(Adapt())
        assert isinstance(next(events), StepFinished)
        threading.Thread(target=client.stop).start()
        *_, done = events
        assert isinstance(done, Done)


def test_a_pause_that_comes_between_two_requests_holds_the_next(tmp_path: Path) -> None:
    with fake(tmp_path) as client:
        client.hello()
        client.pause()
        events = client.request(Adapt())
        assert Paused() in itertools.islice(events, 20)
        client.resume()
        assert next(events) == Resumed()
        client.stop()
        list(events)


@pytest.mark.parametrize("end", ["resume", "stop"])
def test_a_pause_that_was_taken_back_holds_nothing_more(tmp_path: Path, end: str) -> None:
    with fake(tmp_path) as client:
        client.pause()
        getattr(client, end)()
        events = client.request(Adapt())
        assert [type(next(events)) for _ in range(3)] == [StepFinished] * 3
        client.stop()
        list(events)


def test_an_error_of_the_engine_is_raised_as_it_was_and_the_next_request_works(tmp_path: Path) -> None:
    with fake(tmp_path) as client:
        with pytest.raises(InvalidImage, match="no such image"):
            client.call(Predict("a"))
        client.hello()


def test_an_iteration_left_half_way_does_not_disturb_the_next_request(tmp_path: Path) -> None:
    with fake(tmp_path) as client:
        left = client.request(Adapt())
        next(left)
        client.stop()
        client.hello()
        with pytest.raises(EngineFailed, match="took this one's place"):
            list(left)


@pytest.mark.parametrize(
    ("mischief", "words"),
    [
        ("os._exit(7)", "exit code 7"),
        ("os.abort()", "by signal 6" if os.name == "posix" else "exit code"),
        ("os.write(2, b'Killed: too greedy'); os._exit(9)", "too greedy"),
        ("os.write(streams[1].fileno(), b'nonsense nonsense nonsense')", "nonsense"),
    ],
)
def test_an_engine_that_dies_or_talks_nonsense_mid_round_is_told_in_a_sentence(
    tmp_path: Path, mischief: str, words: str
) -> None:
    client = fake(tmp_path, mischief)
    with pytest.raises(EngineFailed, match=words):
        list(client.request(Adapt()))
    with pytest.raises(EngineFailed):
        client.hello()
    client.close()
    assert not client.alive


def test_a_fresh_engine_works_after_a_death(tmp_path: Path) -> None:
    with fake(tmp_path, "os._exit(1)") as client, pytest.raises(EngineFailed):
        list(client.request(Adapt()))
    with fake(tmp_path) as client:
        client.hello()


def test_kill_frees_a_thread_that_waits_for_a_hanging_engine(tmp_path: Path) -> None:
    client = fake(tmp_path, "time.sleep(1000)")
    events = client.request(Adapt())
    next(events)
    timer = threading.Timer(0.2, client.kill)
    timer.start()
    with pytest.raises(EngineFailed, match="closed"):
        next(events)
    client.close()


def test_close_does_not_wait_for_ever_and_leaves_no_process_and_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    client = fake(tmp_path, "time.sleep(1000)")
    next(client.request(Adapt()))
    client.close(timeout=0.1)
    assert not client.alive
    assert threading.active_count() == before
    client.close()  # once more does no harm


def test_an_engine_whose_owner_is_forgotten_ends(tmp_path: Path) -> None:
    client = fake(tmp_path)
    client.hello()
    process = client._process
    del client
    assert process.wait(10) is not None


def test_a_command_that_does_not_exist_is_told() -> None:
    with pytest.raises(EngineFailed, match="cannot be started with '/no/such/python'"):
        EngineClient(["/no/such/python"])


def test_an_array_that_cannot_travel_is_refused_and_the_client_lives_on(tmp_path: Path) -> None:
    with fake(tmp_path) as client:
        with pytest.raises(EngineFailed, match="complex"):
            client.call(SetImage("a", np.zeros((2, 2), complex)))
        client.hello()


def test_the_real_engine_greets_before_it_loads_torch_and_ends_with_its_owner() -> None:
    with EngineClient() as client:
        assert client.hello()["protocol"] == 1
    assert not client.alive


def test_a_failure_of_unknown_kind_is_still_of_the_family() -> None:
    assert isinstance(error_from(Failed("os", "x")), AdaptationFailed)
    assert isinstance(error_from(Failed("InvalidImage", "x")), InvalidImage)


def test_the_client_imports_neither_torch_nor_qt() -> None:
    code = (
        "import sys, semidavil_core.engine.client, semidavil_core.engine.requests;"
        "sys.exit(sorted({'torch', 'open_clip', 'qtpy', 'napari'} & set(sys.modules)).__repr__() if "
        "{'torch', 'open_clip', 'qtpy', 'napari'} & set(sys.modules) else 0)"
    )
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
