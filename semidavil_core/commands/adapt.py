"""``semidavil adapt``: adapt a prepared model to the target domain from a few scribbles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semidavil_core.commands import options
from semidavil_core.commands.inputs import budget_of, parse_channels, read_settings, training_stage
from semidavil_core.commands.outputs import check_bundle
from semidavil_core.commands.reading import iter_read
from semidavil_core.commands.running import Job, Outcome, run_command
from semidavil_core.control import RunControl
from semidavil_core.devices import choose_device
from semidavil_core.errors import InvalidSettings
from semidavil_core.events import Notice, StageStarted
from semidavil_core.requests import AdaptRequest
from semidavil_core.settings import AdaptSettings

if TYPE_CHECKING:
    from semidavil_core.vlm.language_source import LanguageSource


def adapt(
    model: options.ModelOption,
    target: Annotated[Path, typer.Option("--target", metavar="DIR", help="Folder of target images.")],
    scribbles: Annotated[
        Path,
        typer.Option(
            "--scribbles", metavar="DIR", help="Folder of sparse or dense label maps, named as their images."
        ),
    ],
    out: options.OutBundleOption,
    source: Annotated[
        Path | None,
        typer.Option(
            "--source", metavar="DIR", help="Labelled source dataset; without it adaptation is source-free."
        ),
    ] = None,
    describe: Annotated[
        list[str] | None,
        typer.Option(
            "--describe",
            metavar="TEXT",
            help="A sentence about the target images that joins the guidance; may be given several times.",
        ),
    ] = None,
    captioner: Annotated[
        str | None,
        typer.Option("--captioner", metavar="NAME", help="CoCa model that describes the target images."),
    ] = None,
    hold_out: Annotated[
        float,
        typer.Option(
            "--hold-out",
            metavar="SHARE",
            help="Share of the strokes, 0 to 0.5, to keep aside until the last third of the last round: they tell whether a round "
            "made the model worse, which is taken back, and how sure its confidence is to be.",
        ),
    ] = 0.15,
    budget: Annotated[
        float, typer.Option("--budget", metavar="S", help="Seconds of adaptation per round.")
    ] = 60.0,
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", help="How many rounds.")] = 1,
    steps: options.StepsOption = None,
    device: options.DeviceOption = "auto",
    seed: options.SeedOption = None,
    settings: options.SettingsOption = None,
    channels: options.ChannelsOption = None,
    as_json: options.JsonOption = False,
) -> int:
    """Adapt a prepared model to the target domain from a few scribbles.

    The model is saved after every round, so that nothing finished is ever lost.
    """
    request = AdaptRequest(
        model=model,
        target=target,
        scribbles=scribbles,
        source=source,
        describe=tuple(describe or ()),
        captioner=captioner,
        hold_out=hold_out,
        out=out,
        budget=budget,
        rounds=rounds,
        steps=steps,
        device=device,
        seed=seed,
        settings=settings,
        channels=channels,
    )
    return run_command(request, iter_adapt_command, as_json=as_json)


def iter_adapt_command(request: AdaptRequest, control: RunControl) -> Job:
    """Run the rounds, saving the bundle after each."""
    settings = read_settings(request.settings, AdaptSettings, seed=request.seed)
    budget, channels = budget_of(request.budget, request.steps), parse_channels(request.channels)
    check_bundle(request.out)

    from semidavil_core.adaptation.session import AdaptationSession
    from semidavil_core.data.domains import open_labelled, open_target
    from semidavil_core.export.bundle import load_bundle, save_bundle

    yield StageStarted("loading the model", 0)
    bundle = load_bundle(request.model, device=choose_device(request.device))
    target = open_target(request.target, request.scribbles, bundle.classes, channels)
    source = open_labelled(request.source, bundle.classes, channels) if request.source else None
    yield from iter_read(target, control, "target images")
    if source is not None:
        yield from iter_read(source, control, "source images")
    session = AdaptationSession(bundle, target=target, source=source, settings=settings)
    if language := _language(request):
        sentences = session.set_language(language)
        yield Notice(f"Guided by: {'; '.join(sentences) or 'the class names alone, since nothing was said'}.")
    done = 0
    while done < request.rounds and not control.stop_requested:
        yield training_stage(f"round {done + 1} of {request.rounds}", budget)
        last = done + 1 == request.rounds
        yield from session.adapt(
            budget, control, hold_out=request.hold_out, keep_better=True, learn_held_out=last
        )
        save_bundle(session.bundle(), request.out)
        done += 1
    if done == 0:
        raise KeyboardInterrupt  # nothing to keep: the model it started from is where it was
    text = f"Saved the adapted model to {request.out}.\nNext: semidavil predict --model {request.out} --images {request.target} --out DIR"
    return Outcome({"out": str(request.out), "rounds": done, "stopped": control.stop_requested}, text)


def _language(request: AdaptRequest) -> LanguageSource | None:
    """Who speaks about the target images, beside the class names."""
    from semidavil_core.vlm.language_source import UserText

    if request.captioner is None:
        return UserText(request.describe) if request.describe else None
    if request.describe:
        raise InvalidSettings(
            "Give either --describe or --captioner: a person's sentences or a model's, not both."
        )

    from semidavil_core.vlm.captions import Captions
    from semidavil_core.vlm.loading import load_vlm

    return Captions(load_vlm(request.captioner, device=choose_device(request.device)))
