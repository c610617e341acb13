"""``semidavil predict``: write label maps of a folder of images."""

from __future__ import annotations

from semidavil_core.commands import options
from semidavil_core.commands.inputs import label_format, parse_channels, read_settings
from semidavil_core.commands.outputs import check_folder, refuse_input_folder
from semidavil_core.commands.running import Job, run_command
from semidavil_core.commands.segmenting import iter_segment, untaught
from semidavil_core.control import RunControl
from semidavil_core.devices import choose_device
from semidavil_core.events import StageStarted
from semidavil_core.requests import PredictRequest
from semidavil_core.settings import PredictSettings


def predict(
    model: options.ModelOption,
    images: options.ImagesOption,
    out: options.OutFolderOption,
    confidence: options.ConfidenceOption = False,
    probabilities: options.ProbabilitiesOption = False,
    file_format: options.FormatOption = "png",
    device: options.DeviceOption = "auto",
    settings: options.SettingsOption = None,
    channels: options.ChannelsOption = None,
    as_json: options.JsonOption = False,
) -> int:
    """Segment images with a prepared or adapted model.

    Writes one indexed-colour PNG of class values per image, and classes.json beside them.
    """
    request = PredictRequest(
        model=model,
        images=images,
        out=out,
        confidence=confidence,
        probabilities=probabilities,
        format=label_format(file_format),
        device=device,
        settings=settings,
        channels=channels,
    )
    return run_command(request, iter_predict, as_json=as_json)


def iter_predict(request: PredictRequest, control: RunControl) -> Job:
    """Segment every image of a folder with a bundle."""
    settings, channels = read_settings(request.settings, PredictSettings), parse_channels(request.channels)
    check_folder(request.out)
    refuse_input_folder(request.out, request.images)

    from semidavil_core.data.domains import open_images
    from semidavil_core.export.bundle import load_bundle
    from semidavil_core.inference.predict import Predictor

    domain = open_images(request.images, channels)
    yield StageStarted("loading the model", 0)
    bundle = load_bundle(request.model, device=choose_device(request.device))
    yield from untaught(bundle)
    predictor = Predictor(bundle.segmenter, settings)
    return (
        yield from iter_segment(
            predictor.predict,
            domain,
            bundle.classes,
            out=request.out,
            confidence=request.confidence,
            probabilities=request.probabilities,
            file_format=label_format(request.format),
            control=control,
        )
    )
