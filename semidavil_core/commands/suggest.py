"""``semidavil suggest``: where one more stroke pays most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from semidavil_core.commands import options
from semidavil_core.commands.inputs import parse_channels, read_settings
from semidavil_core.commands.json_results import check_json, json_outcome
from semidavil_core.commands.reading import iter_read
from semidavil_core.commands.running import Job, run_command
from semidavil_core.control import RunControl
from semidavil_core.devices import choose_device
from semidavil_core.events import StageProgress, StageStarted, Suggestion
from semidavil_core.requests import SuggestRequest
from semidavil_core.settings import PredictSettings

if TYPE_CHECKING:
    from semidavil_core.data.domains import Domain
    from semidavil_core.inference.predict import Predictor
    from semidavil_core.inference.suggest import PaintedImage

SCHEMA_VERSION: Final = 1


def suggest(
    model: options.ModelOption,
    images: options.ImagesOption,
    scribbles: Annotated[
        Path | None,
        typer.Option(
            "--scribbles",
            metavar="DIR",
            help="Folder of strokes, named as their images: painted places are left out, classes without strokes come first.",
        ),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the places to this file; '-' prints them as JSON."
        ),
    ] = None,
    count: Annotated[int, typer.Option("--count", metavar="N", help="How many places.")] = 8,
    device: options.DeviceOption = "auto",
    settings: options.SettingsOption = None,
    channels: options.ChannelsOption = None,
    as_json: options.JsonEventsOption = False,
) -> int:
    """Tell where to paint next: places that the model is unsure of and where classes meet, away from what is painted."""
    request = SuggestRequest(
        model=model,
        images=images,
        scribbles=scribbles,
        json=json_file,
        count=count,
        device=device,
        settings=settings,
        channels=channels,
    )
    return run_command(request, iter_suggest, as_json=as_json, stops_at_once=True)


def iter_suggest(request: SuggestRequest, control: RunControl) -> Job:
    """Look at every image of a folder with a bundle, and rank the places."""
    settings, channels = read_settings(request.settings, PredictSettings), parse_channels(request.channels)
    check_json(request.json)

    from semidavil_core.data.domains import class_counts, open_painted
    from semidavil_core.export.bundle import load_bundle
    from semidavil_core.inference.predict import Predictor
    from semidavil_core.inference.suggest import suggest as places_of

    yield StageStarted("loading the model", 0)
    bundle = load_bundle(request.model, device=choose_device(request.device))
    domain = open_painted(request.images, request.scribbles, bundle.classes, channels)
    yield from iter_read(domain, control)
    found: list[PaintedImage] = []
    yield StageStarted("looking at", len(domain), "images")
    for image in _looked_at(domain, Predictor(bundle.segmenter, settings)):
        found.append(image)
        yield StageProgress(len(found))
    counts = class_counts(domain, len(bundle.classes)).tolist()
    places = places_of(found, bundle.classes.names, counts, request.count)
    content = {"schema_version": SCHEMA_VERSION, "suggestions": [asdict(place) for place in places]}
    return json_outcome(content, request.json, table(places))


def _looked_at(domain: Domain, predictor: Predictor) -> Iterator[PaintedImage]:
    from semidavil_core.inference.suggest import PaintedImage, coarse_map

    for index in range(len(domain)):
        sample = domain[index]
        seen = coarse_map(predictor.predict(sample.image).probabilities, sample.image)
        yield PaintedImage(sample.name, seen, sample.labels)


def table(places: tuple[Suggestion, ...]) -> str:
    """One line for each place, best first."""
    if not places:
        return "The model is sure everywhere that is not painted."
    width = max(len(place.image) for place in places)
    return "\n".join(
        f"{number:>3}  {place.image:<{width}}  y {place.y:6.0f}  x {place.x:6.0f}  score {place.score:.2f}  {place.reason}"
        for number, place in enumerate(places, 1)
    )
