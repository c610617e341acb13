"""A request, its JSON and its command line say the same."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from semidavil_core.cli import COMMANDS, main
from semidavil_core.errors import InvalidSettings
from semidavil_core.requests import (
    AdaptRequest,
    CommandRequest,
    DemoRequest,
    PredictRequest,
    PretrainRequest,
    SuggestRequest,
)

REQUESTS = [
    DemoRequest(out=Path("o"), sample="cells", budget=5.0, seed=3),
    AdaptRequest(
        model=Path("m"), target=Path("my images"), scribbles=Path("s"), out=Path("o"), rounds=3, budget=0.5
    ),
    AdaptRequest(
        model=Path("m"), target=Path("t"), scribbles=Path("s"), out=Path("o"), describe=("rain", "a wet road")
    ),
    PredictRequest(
        model=Path("m"), images=Path("i"), out=Path("o"), confidence=True, channels="1,0,2", format="tiff"
    ),
    PretrainRequest(source=Path("s"), classes="a,b", out=Path("o"), steps=4),
    SuggestRequest(model=Path("m"), images=Path("i"), scribbles=Path("s"), json=Path("j"), count=3),
]


@pytest.mark.parametrize("wanted", REQUESTS, ids=lambda r: r.command)
def test_a_request_survives_json(wanted: CommandRequest) -> None:
    assert CommandRequest.from_json(json.loads(json.dumps(wanted.to_json()))) == wanted


@pytest.mark.parametrize("wanted", REQUESTS, ids=lambda r: r.command)
def test_the_command_line_of_a_request_asks_the_same(
    wanted: CommandRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[CommandRequest] = []
    module = sys.modules[COMMANDS[wanted.command].__module__]
    monkeypatch.setattr(module, "run_command", lambda request, job, **_: asked.append(request) or 0)
    words = shlex.split(wanted.command_line())
    assert words[0] == "semidavil"
    assert main(words[1:]) == 0
    assert asked == [wanted]


@pytest.mark.parametrize(
    "content", [{}, {"command": "fly"}, {"command": "demo"}, {"command": "demo", "out": "o", "speed": 1}]
)
def test_a_malformed_request_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(InvalidSettings):
        CommandRequest.from_json(content)
