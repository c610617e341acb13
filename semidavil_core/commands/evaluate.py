"""``semidavil evaluate``: measure a model on labelled images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from semidavil_core.commands import options
from semidavil_core.commands.inputs import parse_channels, read_settings
from semidavil_core.commands.json_results import check_json, json_outcome
from semidavil_core.commands.running import Job, run_command
from semidavil_core.commands.segmenting import untaught
from semidavil_core.control import RunControl
from semidavil_core.devices import choose_device
from semidavil_core.events import StageStarted
from semidavil_core.requests import EvaluateRequest
from semidavil_core.settings import PredictSettings


def evaluate(
    model: options.ModelOption,
    images: options.ImagesOption,
    labels: Annotated[
        Path, typer.Option("--labels", metavar="DIR", help="Folder of label maps, named as their images.")
    ],
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the scores to this file; '-' prints them as JSON."
        ),
    ] = None,
    device: options.DeviceOption = "auto",
    settings: options.SettingsOption = None,
    channels: options.ChannelsOption = None,
    as_json: options.JsonEventsOption = False,
) -> int:
    """Measure a model: IoU by class, mIoU, tail classes, accuracy and calibration over all pixels of the folder."""
    request = EvaluateRequest(
        model=model,
        images=images,
        labels=labels,
        json=json_file,
        device=device,
        settings=settings,
        channels=channels,
    )
    return run_command(request, iter_evaluate_command, as_json=as_json, stops_at_once=True)


def iter_evaluate_command(request: EvaluateRequest, control: RunControl) -> Job:  # noqa: ARG001 - Ctrl-C ends it at once
    """Score a bundle on a labelled folder."""
    settings, channels = read_settings(request.settings, PredictSettings), parse_channels(request.channels)
    check_json(request.json)

    from semidavil_core.data.domains import open_evaluation
    from semidavil_core.export.bundle import load_bundle
    from semidavil_core.inference.evaluate import iter_evaluate

    yield StageStarted("loading the model", 0)
    bundle = load_bundle(request.model, device=choose_device(request.device))
    yield from untaught(bundle)
    domain = open_evaluation(request.images, request.labels, bundle.classes, channels)
    scores = (yield from iter_evaluate(bundle.segmenter, domain, bundle.classes, settings)).to_json()
    return json_outcome(scores, request.json, score_table({"": scores}))


def score_table(columns: Mapping[str, Mapping[str, Any]]) -> str:
    """Scores side by side as plain text, in percent: one column per entry, classes first, then the means."""
    first = next(iter(columns.values()))
    rows = [(name, [scores["iou"].get(name) for scores in columns.values()]) for name in first["iou"]]
    figures = {
        "miou": "mean IoU",
        "tail_iou": "tail IoU",
        "tail_recall": "tail recall",
        "accuracy": "accuracy",
        "ece": "calibration error",
    }
    rows += [(title, [scores.get(key) for scores in columns.values()]) for key, title in figures.items()]
    left = max(len(name) for name, _ in rows) + 2
    width = max(9, *(len(name) + 2 for name in columns))
    lines = [" " * left + "".join(f"{name:>{width}}" for name in columns)] if any(columns) else []
    for name, values in rows:
        lines.append(
            f"{name:<{left}}"
            + "".join(f"{'-' if v is None else format(100 * v, '.1f'):>{width}}" for v in values)
        )
    lines.insert(len(lines) - len(figures), "-" * (left + width * len(columns)))
    return "\n".join(lines)
