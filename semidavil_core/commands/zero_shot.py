"""``semidavil zero-shot``: segment by class names alone, without any training."""

from __future__ import annotations

from typing import Annotated

import typer

from semidavil_core.commands import options
from semidavil_core.commands.inputs import label_format, parse_channels, read_classes
from semidavil_core.commands.outputs import check_folder, refuse_input_folder
from semidavil_core.commands.running import Job, run_command
from semidavil_core.commands.segmenting import iter_segment
from semidavil_core.control import RunControl
from semidavil_core.devices import choose_device
from semidavil_core.events import Notice, StageStarted
from semidavil_core.requests import ZeroShotRequest


def zero_shot(
    classes: Annotated[
        str,
        typer.Option(
            "--classes", metavar="FILE|NAMES", help='Classes file, or names such as "road,car,sky".'
        ),
    ],
    images: options.ImagesOption,
    out: options.OutFolderOption,
    vlm: options.VlmOption = "mini",
    confidence: options.ConfidenceOption = False,
    file_format: options.FormatOption = "png",
    device: options.DeviceOption = "auto",
    channels: options.ChannelsOption = None,
    as_json: options.JsonOption = False,
) -> int:
    """Segment images by class names alone, without any training.

    Example: semidavil zero-shot --classes "road,building,sky,tree,car" --images photos --out labels
    """
    request = ZeroShotRequest(
        vlm=vlm,
        classes=classes,
        images=images,
        out=out,
        confidence=confidence,
        format=label_format(file_format),
        device=device,
        channels=channels,
    )
    return run_command(request, iter_zero_shot, as_json=as_json)


def iter_zero_shot(request: ZeroShotRequest, control: RunControl) -> Job:
    """Segment every image of a folder with the vision-language model alone."""
    classes, channels = read_classes(request.classes), parse_channels(request.channels)
    check_folder(request.out)
    refuse_input_folder(request.out, request.images)

    from semidavil_core.data.domains import open_images
    from semidavil_core.inference.predict import Predictor
    from semidavil_core.model.from_language import segmenter_from_language
    from semidavil_core.vlm.loading import load_vlm

    domain = open_images(request.images, channels)
    yield StageStarted(f"loading {request.vlm}", 0)
    vlm = load_vlm(request.vlm, device=choose_device(request.device))
    yield from (Notice(sentence) for sentence in vlm.notices)
    predictor = Predictor(segmenter_from_language(vlm, classes))
    return (
        yield from iter_segment(
            predictor.predict,
            domain,
            classes,
            out=request.out,
            confidence=request.confidence,
            file_format=label_format(request.format),
            control=control,
        )
    )
