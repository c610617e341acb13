"""Writing the label maps of a folder of images, whatever predicts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from semidavil_core.atomic_files import write_json
from semidavil_core.classes import ClassSet
from semidavil_core.commands.reading import iter_read
from semidavil_core.commands.running import Job, Outcome
from semidavil_core.control import RunControl
from semidavil_core.data.domains import Domain
from semidavil_core.events import Notice, StageProgress, StageStarted
from semidavil_core.export.label_maps import LabelFormat, safe_file_name, write_prediction
from semidavil_core.export.map_files import Maps, write_probabilities

if TYPE_CHECKING:
    from semidavil_core.export.bundle import Bundle


def untaught(bundle: Bundle) -> Iterator[Notice]:
    """Tell which classes a model has by name alone, so that nobody looks for them in vain."""
    if bundle.unlearnt:
        yield Notice(
            f"Nothing ever taught this model {', '.join(bundle.unlearnt)}: they were typed and not painted, or not enough. It will hardly "
            "find them; paint more of them and adapt it again."
        )


def iter_segment(
    predict: Callable[[NDArray[np.uint8]], Maps],
    domain: Domain,
    classes: ClassSet,
    *,
    out: Path,
    confidence: bool,
    probabilities: bool = False,
    file_format: LabelFormat,
    control: RunControl,
) -> Job:
    """Predict every image of `domain` and write ``out/STEM.png`` and, if asked, ``out/confidence/STEM.png``.

    All images are read once before the first is predicted, so that a damaged one is told of before anything is written.
    """
    yield from iter_read(domain, control)
    yield StageStarted("segmenting", len(domain), "images")
    done = 0
    for index in range(len(domain)):
        if control.stop_requested:
            break
        sample = domain[index]
        prediction = predict(sample.image)
        shown = prediction.confidence if confidence else None
        write_prediction(out, sample.name, prediction.labels, classes, shown, format=file_format)
        if probabilities:
            path = out / "probabilities" / f"{safe_file_name(sample.name)}.tiff"
            write_probabilities(path, prediction.probabilities, classes)
        done = index + 1
        yield StageProgress(done)
    write_json(out / "classes.json", classes.to_json())
    how_many = f"{done} of {len(domain)}" if done < len(domain) else str(done)
    result = {"out": str(out), "images": done, "of": len(domain)}
    return Outcome(result, f"Wrote {how_many} label maps and classes.json to {out}.")
