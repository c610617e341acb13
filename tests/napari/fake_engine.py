"""An engine without a model: answers at once; its behaviour is named on its command line.

While there is a file with the name of a stage in the folder ``SEMIDAVIL_TEST_HELD``, it stays at that stage.
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from semidavil_core.engine import requests
from semidavil_core.engine.server import EngineHandler, Server, _claim_streams
from semidavil_core.errors import InvalidInput, InvalidLabels, WeightsUnavailable
from semidavil_core.events import (
    DevicesFound,
    HeldOutMeasured,
    Paused,
    PreviewReady,
    Resumed,
    RoundFinished,
    RoundRestored,
    StageProgress,
    StageStarted,
    StepFinished,
    Suggestion,
    SuggestionsReady,
    VlmFound,
)

BEHAVIOUR = sys.argv[1]
HELD = Path(os.environ.get("SEMIDAVIL_TEST_HELD", os.devnull))
SHORT = 0.1  # seconds that a budget of a second, the least that the window offers, takes here
ERRORS = {
    "memory": MemoryError(),
    "graphics memory": RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "broken": RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"),
}
"""What goes wrong within the third round, once."""


class FakeWork(EngineHandler):
    def __init__(self):
        super().__init__()
        self.fetched = []
        self.errors = dict(ERRORS)
        self.images, self.scribbles, self.rounds, self.current = {}, {}, 0, 0

    def handle(self, request, control):  # noqa: C901 - a line for each request
        match request:
            case requests.SetImage():
                self.images[request.name] = request.image
            case requests.SetScribbles():
                self.scribbles[request.name] = request.labels
            case requests.PrepareFromSource():
                yield from self.steps("preparing", request.budget.seconds, control)
                self.rounds = self.current = 0
                yield RoundFinished(0, "budget", 1, 1.0)
            case requests.LoadBundle():
                self.rounds = self.current = 0
            case requests.Adapt():
                yield from self.adapt(request, control)
            case requests.Predict():
                while (HELD / "predicting").exists() and not control.stop_requested:
                    time.sleep(0.01)
                yield self.preview(request.name, pseudo=False)
            case requests.RestoreRound():
                if request.round > self.rounds:
                    raise InvalidInput(f"There is no round {request.round}.")
                self.current = request.round
                yield RoundRestored(request.round)
                for name in request.images:
                    yield self.preview(name, pseudo=False)
            case requests.ZeroShot():
                yield from self.look(request, control)
            case requests.FindVlm():
                yield VlmFound(request.vlm, request.vlm in ("mini", *self.fetched))
            case requests.DownloadVlm():
                yield from self.download(request.vlm, control)
            case requests.ListDevices():
                yield DevicesFound(("cpu",))
            case requests.Suggest():
                yield self.suggestions(request.count)
            case requests.SaveBundle():
                Path(request.folder).mkdir(parents=True, exist_ok=True)
                (Path(request.folder) / "config.json").write_text('{"format": "semidavil-bundle"}')
                (Path(request.folder) / "classes.json").write_text('["road", "sky"]')
            case requests.ExportPredictions():
                yield from self.export(request, control)
            case requests.Hello():
                return (yield from super().handle(request, control))
        return {}

    def export(self, request, control):
        yield StageStarted("exporting the predictions", len(request.names), "images")
        place = Path(request.folder) / "predictions"
        place.mkdir(parents=True, exist_ok=True)
        (place / "asked").write_text(" ".join(request.formats))
        for done, _ in enumerate(request.names, 1):
            yield StageProgress(done)
            while BEHAVIOUR == "slow export" and not control.stop_requested:
                time.sleep(0.02)
            if control.stop_requested:
                return

    def adapt(self, request, control):
        if BEHAVIOUR == "refuse":
            raise InvalidLabels("The strokes are all of one class; paint another.")
        yield self.preview(next(iter(self.images)), pseudo=True)
        if request.hold_out:
            yield HeldOutMeasured(0, 0.0, 0.8)
        if self.rounds == 2 and (error := self.errors.pop(BEHAVIOUR, None)) is not None:
            yield from self.steps("adapting", SHORT, control)
            raise error
        yield from self.steps("adapting", request.budget.seconds, control)
        self.rounds += 1
        self.current = self.rounds
        reason = "stopped" if control.stop_requested else "budget"
        yield RoundFinished(self.rounds, reason, 9, 1.0, self.scores() if request.hold_out else {})

    def scores(self):
        """Every other round of the behaviour "worse" gets worse."""
        worse = BEHAVIOUR == "worse" and self.rounds % 2 == 0
        return {
            "held_out_accuracy_before": 0.8,
            "held_out_accuracy_after": 0.5 if worse else 0.9,
            "held_out_margin": 0.05,
            "held_out_worse": float(worse),
            "held_out_strokes": 6.0,
            "class/road": 0.75,
        }

    def steps(self, stage, seconds, control):
        seconds = SHORT if seconds <= 1 else seconds
        began, step, sign = time.monotonic(), 0, HELD / stage
        while (time.monotonic() - began < seconds or sign.exists()) and not control.stop_requested:
            if control.paused and not (BEHAVIOUR == "deaf" and stage == "preparing"):
                yield Paused()
                control.wait_if_paused()
                yield Resumed()
            step += 1
            yield StepFinished(
                step, time.monotonic() - began, min(1.0, (time.monotonic() - began) / seconds), 1.0, {}, 0.83
            )
            time.sleep(0.02)
            if BEHAVIOUR == "segfault" and step == 3:
                os.kill(os.getpid(), signal.SIGSEGV if os.name == "posix" else signal.SIGTERM)
            if BEHAVIOUR == "hang" and step == 3:
                time.sleep(1000)

    def suggestions(self, count):
        """One place in the middle of each image that has no stroke there, and one in its corner."""
        found = []
        for name, image in self.images.items():
            height, width = image.shape[:2]
            for y, x in ((height // 2, width // 2), (height // 4, width // 4)):
                words = "unsure between road (52%) and sky (41%), and several classes meet here"
                found.append(Suggestion(name, y, x, 2.0, 0.9, 1, "sky", words))
        return SuggestionsReady(tuple(found[:count]))

    def look(self, request, control):
        """Finds the last class in the left half of the image; `slow` takes its time."""
        if BEHAVIOUR == "blind":
            raise WeightsUnavailable("The weights of mini are not on this machine.")
        began = time.monotonic()
        while BEHAVIOUR == "slow" and time.monotonic() - began < 20 and not control.stop_requested:
            time.sleep(0.01)
        shape = self.images[request.name].shape[:2]
        seen = np.zeros(shape, np.uint8)
        seen[:, : shape[1] // 2] = len(request.classes) - 1
        yield PreviewReady(request.name, seen, np.full(shape, 0.5, np.float32))

    def download(self, vlm, control):
        yield StageStarted("downloading the language model", 50, "MB")
        for done in range(51 if BEHAVIOUR != "slow" else 10_000):
            yield StageProgress(done)
            time.sleep(0.01)
            if control.stop_requested:
                break
        else:
            self.fetched.append(vlm)
        yield VlmFound(vlm, vlm in self.fetched)

    def preview(self, name, *, pseudo):
        shape = self.images[name].shape[:2]
        pseudo_labels = np.full(shape, 255, np.uint8) if pseudo else None
        seen = (
            1 if pseudo else self.current % 2
        )  # the start sees road, the first round leaves sky, the second road
        return PreviewReady(
            name, np.full(shape, seen, np.uint8), np.full(shape, 0.5, np.float32), pseudo_labels
        )


Server(*_claim_streams(), FakeWork()).serve()
