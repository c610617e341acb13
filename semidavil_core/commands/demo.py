"""``semidavil demo``: the whole story on sample data in a few minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semidavil_core.commands import options
from semidavil_core.commands.evaluate import score_table
from semidavil_core.commands.inputs import budget_of
from semidavil_core.commands.outputs import check_folder
from semidavil_core.commands.running import Job, Outcome, run_command
from semidavil_core.control import RunControl
from semidavil_core.requests import DemoRequest
from semidavil_core.samples import sample_folder


def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for figures, pictures and the adapted model.")
    ],
    sample: Annotated[
        str, typer.Option("--sample", metavar="streets|cells", help="Which sample data.")
    ] = "streets",
    budget: Annotated[float, typer.Option("--budget", metavar="S", help="Seconds of adaptation.")] = 120.0,
    prepare_budget: Annotated[
        float, typer.Option("--prepare-budget", metavar="S", help="Seconds of training on the source.")
    ] = 35.0,
    device: options.DeviceOption = "auto",
    seed: options.SeedOption = None,
    as_json: options.JsonOption = False,
) -> int:
    """Train on a labelled source domain, adapt to a new one from four scribbled images, and compare.

    Writes metrics.json, before_after.png, losses.png and the adapted model.
    """
    request = DemoRequest(
        out=out, sample=sample, budget=budget, prepare_budget=prepare_budget, device=device, seed=seed
    )
    return run_command(request, iter_demo_command, as_json=as_json)


def iter_demo_command(request: DemoRequest, control: RunControl) -> Job:
    """Run the demo as asked."""
    folder = sample_folder(request.sample)
    adapt_budget, prepare_budget = budget_of(request.budget, None), budget_of(request.prepare_budget, None)
    check_folder(request.out, marker="metrics.json")

    from semidavil_core.demo import DemoSettings, iter_demo
    from semidavil_core.settings import AdaptSettings, PrepareSettings

    seed = request.seed or 0
    settings = DemoSettings(
        sample=request.sample,
        prepare_budget=prepare_budget,
        adapt_budget=adapt_budget,
        device=request.device,
        seed=seed,
        prepare=PrepareSettings(seed=seed),
        adapt=AdaptSettings(seed=seed),
    )
    metrics = yield from iter_demo(request.out, settings, control)
    table = (
        score_table({name.replace("_", " "): scores for name, scores in metrics.items()})
        if metrics
        else "Stopped early."
    )
    text = (
        f"{table}\n\nIn percent, on images with other content than those trained on. Pictures, figures and model: {request.out}\n"
        f"Next: semidavil predict --model {request.out / 'bundle'} --images {folder / 'eval'} --out {request.out / 'predictions'}"
    )
    return Outcome({"out": str(request.out), **metrics, "stopped": control.stop_requested}, text)
