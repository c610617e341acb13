"""Events survive their way through JSON and arrays; settings and control keep their promises."""

from __future__ import annotations

import dataclasses
import json
import threading

import numpy as np
import pytest

from semidavil_core import events
from semidavil_core.control import RunControl
from semidavil_core.errors import EngineFailed, InvalidSettings, SemiDavilError
from semidavil_core.events import (
    Event,
    FinishReason,
    PreviewReady,
    RoundFinished,
    StepFinished,
    event_from_json,
)
from semidavil_core.settings import Budget

EXAMPLES = [
    events.StageStarted("reading images", 3, "images"),
    events.StageProgress(2),
    StepFinished(1, 0.5, 0.1, 2.5, {"source": 2.0}, 0.7),
    events.HeldOutMeasured(5, 2.0, 0.7),
    events.ModelChanged(),
    events.ModelChanged("rounds/0002/bundle"),
    events.RoundRestored(0),
    events.Paused(),
    events.Resumed(),
    events.Notice("half a sentence"),
    RoundFinished(1, FinishReason.BUDGET, 10, 5.0, {"held_out_accuracy": 0.5}),
    events.VlmFound("natural", here=False, problem="it needs transformers"),
    events.DevicesFound(("cuda", "cpu")),
    events.Failed("InvalidImage", "it is empty"),
    events.Done(4, {"names": ["a"]}),
]


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda e: e.kind)
def test_an_event_comes_back_from_json(event: Event) -> None:
    assert event_from_json(json.loads(json.dumps(event.to_json()))) == event


@pytest.mark.parametrize("pseudo", [None, np.zeros((2, 3), np.uint8)])
def test_arrays_go_beside_the_json(pseudo: np.ndarray | None) -> None:
    event = PreviewReady("a", np.ones((2, 3), np.uint8), np.ones((2, 3), np.float32), pseudo)
    back = event_from_json(json.loads(json.dumps(event.to_json())), event.arrays())
    assert isinstance(back, PreviewReady)
    assert back.image == "a"
    assert back.prediction is event.prediction
    assert back.pseudo_labels is pseudo


@pytest.mark.parametrize(
    "content", [{}, {"event": "Nonsense"}, {"event": "Notice"}, {"event": "Paused", "extra": 1}]
)
def test_a_malformed_event_is_an_engine_error(content: dict[str, object]) -> None:
    with pytest.raises(EngineFailed):
        event_from_json(content)


def test_events_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        EXAMPLES[0].stage = "other"  # type: ignore[misc, attr-defined]


def test_errors_are_no_runtime_errors_which_generator_workers_swallow() -> None:
    assert not issubclass(SemiDavilError, RuntimeError)


@pytest.mark.parametrize(
    "values", [{"seconds": 0}, {"seconds": float("nan")}, {"steps": 0}, {"steps": 2.5}, {"steps": True}]
)
def test_a_budget_out_of_range_is_refused_by_name(values: dict[str, float]) -> None:
    with pytest.raises(InvalidSettings, match=next(iter(values))):
        Budget(**values)  # type: ignore[arg-type]


def test_settings_read_back_from_json_and_refuse_unknown_names() -> None:
    assert Budget.from_json(json.loads(json.dumps(Budget(12, 3).to_json()))) == Budget(12, 3)
    with pytest.raises(InvalidSettings, match="second; known are seconds, steps"):
        Budget.from_json({"second": 1})


def test_a_paused_job_wakes_to_stop() -> None:
    control = RunControl()
    control.pause()
    assert not control.wait_if_paused(timeout=0)
    threading.Thread(target=control.stop).start()
    assert control.wait_if_paused(timeout=30)
    assert control.stop_requested
