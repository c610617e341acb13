"""``semidavil pretrain``: align a vision-language model to a modality of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semidavil_core.commands import options
from semidavil_core.commands.inputs import budget_of, parse_channels, read_classes, read_settings
from semidavil_core.commands.outputs import check_folder
from semidavil_core.commands.reading import iter_read
from semidavil_core.commands.running import Job, Outcome, run_command
from semidavil_core.control import RunControl
from semidavil_core.devices import choose_device
from semidavil_core.events import Notice, StageStarted
from semidavil_core.requests import PretrainRequest


def pretrain(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of the new model; use it as local-dir:DIR.")
    ],
    images: Annotated[
        Path | None, typer.Option("--images", metavar="DIR", help="Folder of captioned images.")
    ] = None,
    captions: Annotated[
        Path | None,
        typer.Option("--captions", metavar="FILE", help="Table (CSV, TSV or JSON) of file name and caption."),
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--source", metavar="DIR", help="Labelled dataset, in place of captions.")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes", metavar="FILE", help="Classes file for --source; its own classes.json by default."
        ),
    ] = None,
    vlm: options.VlmOption = "mini",
    budget: Annotated[float, typer.Option("--budget", metavar="S", help="Seconds of training.")] = 600.0,
    steps: options.StepsOption = None,
    device: options.DeviceOption = "auto",
    seed: options.SeedOption = None,
    settings: options.SettingsOption = None,
    channels: options.ChannelsOption = None,
    as_json: options.JsonOption = False,
) -> int:
    """Align a vision-language model to your own modality, from captioned images or from a labelled dataset."""
    request = PretrainRequest(
        images=images,
        captions=captions,
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
    return run_command(request, iter_pretrain_command, as_json=as_json)


def iter_pretrain_command(request: PretrainRequest, control: RunControl) -> Job:
    """Train and save the model."""
    check_folder(request.out, marker="open_clip_config.json")
    budget, channels = budget_of(request.budget, request.steps), parse_channels(request.channels)
    classes = read_classes(request.classes, default=request.source) if request.source else None

    from semidavil_core.data.domains import open_labelled
    from semidavil_core.vlm.captioned_images import read_pairs
    from semidavil_core.vlm.loading import load_vlm
    from semidavil_core.vlm.pretraining import PretrainSettings, PretrainTask, iter_pretraining

    settings = read_settings(request.settings, PretrainSettings, seed=request.seed)
    pairs = (
        read_pairs(request.images, request.captions, channels)
        if request.images and request.captions
        else None
    )
    source = open_labelled(request.source, classes, channels) if request.source and classes else None
    if source is not None:
        yield from iter_read(source, control)
    yield StageStarted(f"loading {request.vlm}", 0)
    vlm = load_vlm(request.vlm, device=choose_device(request.device))
    yield from (Notice(sentence) for sentence in vlm.notices)
    if control.stop_requested:
        raise KeyboardInterrupt  # nothing to keep yet
    task = PretrainTask(
        vlm, request.out, pairs=pairs, source=source, classes=classes, settings=settings, budget=budget
    )
    yield from iter_pretraining(task, control)
    text = f"Saved the model to {request.out}.\nNext: semidavil zero-shot --vlm local-dir:{request.out} --classes NAMES --images DIR --out DIR"
    return Outcome({"out": str(request.out), "stopped": control.stop_requested}, text)
