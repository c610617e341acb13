"""The demo tells its whole story in files, and a stop keeps what there is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semidavil_core.control import RunControl
from semidavil_core.demo import DemoSettings, iter_demo
from semidavil_core.errors import OutputNotWritable
from semidavil_core.events import Event, StepFinished
from semidavil_core.inference.evaluate import drain
from semidavil_core.plots import LossCurve, write_loss_plot
from semidavil_core.samples import SAMPLE_NAMES, sample_folder
from semidavil_core.settings import AdaptSettings, Budget, PrepareSettings

FIGURES = {"miou", "iou", "tail_iou", "tail_recall", "accuracy", "ece", "seconds"}


def quick(sample: str = "streets") -> DemoSettings:
    return DemoSettings(
        sample=sample,
        prepare_budget=Budget(steps=2),
        adapt_budget=Budget(steps=2),
        device="cpu",
        prepare=PrepareSettings(crop=64),
        adapt=AdaptSettings(crop=64),
    )


@pytest.fixture
def on_tiny_pictures(tiny_sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the demo run on a sample that takes seconds."""
    monkeypatch.setattr("semidavil_core.demo.sample_folder", lambda name: tiny_sample)


@pytest.mark.usefixtures("on_tiny_pictures")
def test_the_demo_leaves_figures_pictures_and_the_model(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    metrics = drain(iter_demo(out, quick(), RunControl()))
    assert json.loads((out / "metrics.json").read_text()) == metrics
    assert list(metrics) == ["zero_shot", "source_only", "adapted"]
    assert all(set(scores) >= FIGURES for scores in metrics.values())
    assert (out / "bundle" / "config.json").is_file()
    for picture in ("before_after.png", "losses.png"):
        with Image.open(out / picture) as opened:
            assert min(opened.size) > 60
    assert [p.name for p in tmp_path.iterdir()] == ["demo"]


@pytest.mark.usefixtures("on_tiny_pictures")
def test_a_stop_during_source_training_keeps_the_model_and_what_was_measured(tmp_path: Path) -> None:
    control, events = RunControl(), list[Event]()
    for event in iter_demo(tmp_path / "demo", quick(), control):
        events.append(event)
        if isinstance(event, StepFinished):
            control.stop()
    assert sum(isinstance(e, StepFinished) for e in events) == 1
    assert list(json.loads((tmp_path / "demo" / "metrics.json").read_text())) == ["zero_shot"]
    assert (tmp_path / "demo" / "bundle" / "config.json").is_file()


def test_the_demo_does_not_replace_a_folder_of_other_things(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputNotWritable):
        drain(iter_demo(tmp_path, quick(), RunControl()))
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_a_sample_has_all_its_parts(name: str) -> None:
    folder = sample_folder(name)
    for part in (
        "classes.json",
        "source/images",
        "source/labels",
        "target/images",
        "target/scribbles",
        "eval/images",
        "eval/labels",
    ):
        assert (folder / part).exists()


def test_the_loss_plot_is_a_picture_even_with_gaps_and_without_steps(tmp_path: Path) -> None:
    steps = [
        StepFinished(step=i, seconds=i / 2, fraction=i / 9, loss=1 / i, losses={"a": 1 / i} if i % 2 else {})
        for i in range(1, 9)
    ]
    curves = [LossCurve.from_events("training", steps), LossCurve.from_events("nothing", [])]
    assert np.isnan(curves[0].losses["a"][1])
    write_loss_plot(tmp_path / "losses.png", curves)
    with Image.open(tmp_path / "losses.png") as opened:
        assert opened.format == "PNG"
