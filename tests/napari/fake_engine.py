"""An engine without a model: answers at once; its behaviour is named on its command line."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from semidavil_core.engine import requests
from semidavil_core.engine.server import EngineHandler, Server, _claim_streams
from semidavil_core.errors import InvalidLabels
from semidavil_core.events import Paused, PreviewReady, Resumed, RoundFinished, StepFinished

BEHAVIOUR = sys.argv[1]


class FakeWork(EngineHandler):
    def __init__(self):
        super().__init__()
        self.images, self.scribbles, self.rounds = {}, {}, 0

    def handle(self, request, control):
        match request:
            case requests.SetImage():
                self.images[request.name] = request.image
            case requests.SetScribbles():
                self.scribbles[request.name] = request.labels
            case requests.PrepareFromSource():
                yield from self.steps(request.budget.seconds, control)
                yield RoundFinished(0, "budget", 1, 1.0)
            case requests.Adapt():
                yield from self.adapt(request, control)
            case requests.Predict():
                yield self.preview(request.name, pseudo=False)
            case requests.SaveBundle():
                Path(request.folder).mkdir()
                (Path(request.folder) / "config.json").write_text("{}")
            case requests.Hello():
                return (yield from super().handle(request, control))
        return {}

    def adapt(self, request, control):
        if BEHAVIOUR == "refuse":
            raise InvalidLabels("The strokes are all of one class; paint another.")
        yield self.preview(next(iter(self.images)), pseudo=True)
        yield from self.steps(request.budget.seconds, control)
        self.rounds += 1
        yield RoundFinished(self.rounds, "stopped" if control.stop_requested else "budget", 9, 1.0)

    def steps(self, seconds, control):
        began, step = time.monotonic(), 0
        while time.monotonic() - began < seconds and not control.stop_requested:
            if control.paused:
                yield Paused()
                control.wait_if_paused()
                yield Resumed()
            step += 1
            yield StepFinished(
                step, time.monotonic() - began, (time.monotonic() - began) / seconds, 1.0, {}, 0.83
            )
            time.sleep(0.02)
            if BEHAVIOUR == "segfault" and step == 3:
                os.kill(os.getpid(), signal.SIGSEGV if os.name == "posix" else signal.SIGTERM)
            if BEHAVIOUR == "hang" and step == 3:
                time.sleep(1000)

    def preview(self, name, *, pseudo):
        shape = self.images[name].shape[:2]
        pseudo_labels = np.full(shape, 255, np.uint8) if pseudo else None
        return PreviewReady(name, np.full(shape, 1, np.uint8), np.full(shape, 0.5, np.float32), pseudo_labels)


Server(*_claim_streams(), FakeWork()).serve()
