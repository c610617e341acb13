"""The whole story on sample data: train on the source, see it fail on the target, adapt from scribbles, compare."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from semidavil_core.adaptation.held_out import SHARE
from semidavil_core.adaptation.preparation import iter_prepare
from semidavil_core.adaptation.session import AdaptationSession
from semidavil_core.atomic_files import replaced_folder, write_json
from semidavil_core.classes import ClassSet
from semidavil_core.control import RunControl
from semidavil_core.data.domains import Domain, open_evaluation, open_labelled, open_target
from semidavil_core.data.image_files import write_image
from semidavil_core.devices import choose_device
from semidavil_core.events import Event, StageStarted, StepFinished
from semidavil_core.export.bundle import Bundle, save_bundle
from semidavil_core.export.label_maps import figure, overlay
from semidavil_core.inference.evaluate import iter_evaluate
from semidavil_core.inference.predict import Predictor
from semidavil_core.model.from_language import segmenter_from_language
from semidavil_core.model.segmenter import Segmenter
from semidavil_core.plots import LossCurve, write_loss_plot
from semidavil_core.samples import sample_folder
from semidavil_core.settings import AdaptSettings, Budget, PrepareSettings
from semidavil_core.vlm.loading import Vlm, load_vlm

PICTURES: Final = 4
T = TypeVar("T")


@dataclass(frozen=True)
class DemoSettings:
    """What the demo does."""

    sample: str = "streets"
    prepare_budget: Budget = field(default_factory=lambda: Budget(35.0))
    adapt_budget: Budget = field(default_factory=lambda: Budget(120.0))
    vlm: str = "mini"
    device: str = "auto"
    seed: int = 0
    prepare: PrepareSettings = field(default_factory=PrepareSettings)
    adapt: AdaptSettings = field(default_factory=AdaptSettings)


@dataclass(frozen=True)
class DemoData:
    """The four parts of a sample."""

    classes: ClassSet
    source: Domain
    target: Domain
    evaluation: Domain

    @classmethod
    def open(cls, folder: Path) -> DemoData:
        """Open a sample's folder."""
        classes = ClassSet.read(folder)
        return cls(
            classes=classes,
            source=open_labelled(folder / "source", classes),
            target=open_target(folder / "target", folder / "target" / "scribbles", classes),
            evaluation=open_evaluation(folder / "eval" / "images", folder / "eval" / "labels", classes),
        )


@dataclass
class _Notes:
    """What the demo has found out so far."""

    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: dict[str, list[StepFinished]] = field(default_factory=dict)
    columns: dict[str, list[NDArray[np.uint8]]] = field(default_factory=dict)


def iter_demo(
    out: Path, settings: DemoSettings, control: RunControl
) -> Generator[Event, None, Mapping[str, Any]]:
    """Run the demo and fill `out` with ``metrics.json``, ``before_after.png``, ``losses.png`` and ``bundle/``.

    A stop request ends the present training early; what follows it is left out, what came before it is kept.

    Returns
    -------
    Mapping[str, Any]
        The content of ``metrics.json``.

    Raises
    ------
    OutputNotWritable
        `out` cannot be written or holds something else.
    """
    with replaced_folder(out, marker="metrics.json") as folder:
        notes = _Notes()
        yield StageStarted(f"loading {settings.vlm}", 0)
        data = DemoData.open(sample_folder(settings.sample))
        vlm = load_vlm(settings.vlm, device=choose_device(settings.device))
        yield from _zero_shot(vlm, data, notes)
        bundle = yield from _prepare(vlm, data, settings, notes, control)
        if not control.stop_requested:
            bundle = yield from _adapt(bundle, data, settings, notes, control)
        yield StageStarted("drawing", 0)
        save_bundle(bundle, folder / "bundle")
        _draw(folder, data, notes)
        write_json(folder / "metrics.json", notes.metrics)
    return notes.metrics


def _zero_shot(vlm: Vlm, data: DemoData, notes: _Notes) -> Iterator[Event]:
    with _timed(notes, "zero_shot"):
        yield from _measure("zero_shot", segmenter_from_language(vlm, data.classes), data, notes)


def _prepare(
    vlm: Vlm, data: DemoData, settings: DemoSettings, notes: _Notes, control: RunControl
) -> Generator[Event, None, Bundle]:
    with _timed(notes, "source_only"):
        yield StageStarted("training on the source", settings.prepare_budget.seconds, "seconds")
        start = segmenter_from_language(vlm, data.classes, seed=settings.seed)
        training = iter_prepare(
            start, data.source, settings=settings.prepare, budget=settings.prepare_budget, control=control
        )
        segmenter = yield from _recorded(training, notes.steps.setdefault("training on the source", []))
        if not control.stop_requested:
            yield from _measure("source_only", segmenter, data, notes)
    return Bundle(
        segmenter, data.classes, vlm.reference, dict(notes.metrics), {"prepare": settings.prepare.to_json()}
    )


def _adapt(
    bundle: Bundle, data: DemoData, settings: DemoSettings, notes: _Notes, control: RunControl
) -> Generator[Event, None, Bundle]:
    with _timed(notes, "adapted"):
        yield StageStarted("adapting to the target", settings.adapt_budget.seconds, "seconds")
        session = AdaptationSession(bundle, target=data.target, source=data.source, settings=settings.adapt)
        round_events = session.adapt(settings.adapt_budget, control, hold_out=SHARE, learn_held_out=True)
        yield from _recorded(round_events, notes.steps.setdefault("adapting to the target", []))
        adapted = session.bundle()
        if not control.stop_requested:
            yield from _measure("adapted", adapted.segmenter, data, notes)
    return adapted


def _measure(name: str, segmenter: Segmenter, data: DemoData, notes: _Notes) -> Iterator[Event]:
    scores = yield from iter_evaluate(segmenter, data.evaluation, data.classes)
    notes.metrics.setdefault(name, {}).update(scores.to_json())
    predictor = Predictor(segmenter)
    notes.columns[name] = [
        predictor.predict(data.evaluation[i].image).labels for i in _pictured(data.evaluation)
    ]


def _recorded(events: Generator[Event, None, T], steps: list[StepFinished]) -> Generator[Event, None, T]:
    """Pass events on and keep the steps."""
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        if isinstance(event, StepFinished):
            steps.append(event)
        yield event


@contextmanager
def _timed(notes: _Notes, name: str, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    begun = clock()
    yield
    if name in notes.metrics:  # a stopped stage was not measured
        notes.metrics[name]["seconds"] = round(clock() - begun, 1)


def _pictured(evaluation: Domain) -> list[int]:
    """Images spread evenly over the evaluation set."""
    count = min(PICTURES, len(evaluation))
    return [round(i * (len(evaluation) - 1) / max(count - 1, 1)) for i in range(count)]


def _draw(folder: Path, data: DemoData, notes: _Notes) -> None:
    write_loss_plot(
        folder / "losses.png", [LossCurve.from_events(title, steps) for title, steps in notes.steps.items()]
    )
    write_image(
        folder / "before_after.png",
        figure(_panels(data, notes), data.classes, columns=2 + len(notes.columns)),
    )


def _panels(data: DemoData, notes: _Notes) -> list[tuple[str, NDArray[np.uint8]]]:
    """Titled pictures row by row: image, truth, then every prediction; titles stand over the first row only."""
    panels = []
    for row, index in enumerate(_pictured(data.evaluation)):
        sample = data.evaluation[index]
        maps = {"truth": sample.labels} | {
            name.replace("_", " "): column[row] for name, column in notes.columns.items()
        }
        pictures = {"image": sample.image} | {
            title: overlay(sample.image, labels, data.classes, alpha=1.0)
            for title, labels in maps.items()
            if labels is not None
        }
        panels += [(_title(title, notes) if row == 0 else "", picture) for title, picture in pictures.items()]
    return panels


def _title(column: str, notes: _Notes) -> str:
    """`column`, with its mean IoU in percent where it is a prediction."""
    miou = notes.metrics.get(column.replace(" ", "_"), {}).get("miou")
    return column if miou is None else f"{column}: mean IoU {100 * miou:.0f}"
