"""``semidavil prepare``: train a segmentation model on the labelled source domain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semidavil_core.commands import options
from semidavil_core.commands.inputs import (
    budget_of,
    parse_channels,
    read_classes,
    read_settings,
    training_stage,
)
from semidavil_core.commands.outputs import check_bundle
from semidavil_core.commands.reading import iter_read
from semidavil_core.commands.running import Job, Outcome, run_command
from semidavil_core.control import RunControl
from semidavil_core.devices import choose_device
from semidavil_core.events import Notice, StageStarted
from semidavil_core.requests import PrepareRequest
from semidavil_core.settings import PrepareSettings


def prepare(
    source: Annotated[
        Path,
        typer.Option("--source", metavar="DIR", help="Folder with images/ and labels/ of the same names."),
    ],
    out: options.OutBundleOption,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes",
            metavar="FILE",
            help="Classes file, or names; the source's own classes.json by default.",
        ),
    ] = None,
    vlm: options.VlmOption = "mini",
    budget: Annotated[float, typer.Option("--budget", metavar="S", help="Seconds of training.")] = 300.0,
    steps: options.StepsOption = None,
    device: options.DeviceOption = "auto",
    seed: options.SeedOption = None,
    settings: options.SettingsOption = None,
    channels: options.ChannelsOption = None,
    as_json: options.JsonOption = False,
) -> int:
    """Train a model on the labelled source domain; the result is what `adapt` starts from."""
    request = PrepareRequest(
        source=source,
        classes=classes,
        vlm=vlm,
        out=out,
        budget=budget,
        steps=steps,
        device=device,
        seed=seed,
        settings=settings,
        channels=channels,
    )
    return run_command(request, iter_prepare_command, as_json=as_json)


def iter_prepare_command(request: PrepareRequest, control: RunControl) -> Job:
    """Train on the source and save the bundle."""
    classes = read_classes(request.classes, default=request.source)
    settings = read_settings(request.settings, PrepareSettings, seed=request.seed)
    budget, channels = budget_of(request.budget, request.steps), parse_channels(request.channels)
    check_bundle(request.out)

    from semidavil_core.adaptation.preparation import iter_prepare, iter_unlabelled
    from semidavil_core.data.domains import open_labelled
    from semidavil_core.export.bundle import Bundle, save_bundle
    from semidavil_core.model.from_language import segmenter_from_language
    from semidavil_core.vlm.loading import load_vlm

    source = open_labelled(request.source, classes, channels)
    yield from iter_read(source, control)
    yield StageStarted(f"loading {request.vlm}", 0)
    vlm = load_vlm(request.vlm, device=choose_device(request.device))
    yield from (Notice(sentence) for sentence in vlm.notices)
    if control.stop_requested:
        raise KeyboardInterrupt  # nothing to keep yet
    unlearnt = yield from iter_unlabelled(source, classes)
    yield training_stage("training on the source", budget)
    segmenter = yield from iter_prepare(
        segmenter_from_language(vlm, classes, seed=settings.seed),
        source,
        settings=settings,
        budget=budget,
        control=control,
    )
    bundle = Bundle(segmenter, classes, vlm.reference, {}, {"prepare": settings.to_json()}, unlearnt)
    save_bundle(bundle, request.out)
    text = f"Saved the prepared model to {request.out}.\nNext: semidavil adapt --model {request.out} --target DIR --scribbles DIR --out BUNDLE"
    return Outcome({"out": str(request.out), "stopped": control.stop_requested}, text)
