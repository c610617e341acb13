"""What names alone find: a map of the shown image as soon as a class is typed, before any stroke.

While the engine has no model yet, the bare language model is asked; afterwards the model itself, which needs only to hear the name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from qtpy.QtCore import QObject

from semidavil_core.classes import ClassInfo, ClassSet
from semidavil_core.engine.client import EngineClient
from semidavil_core.engine.requests import Predict, ZeroShot
from semidavil_core.events import Event, PreviewReady
from semidavil_napari._engine_memory import Client, EngineMemory, iter_answer, iter_greeting
from semidavil_napari._jobs import EngineJobs
from semidavil_napari._layers import LayerBook
from semidavil_napari._panels.classes import ClassesPanel
from semidavil_napari._panels.guidance import Guidance, GuidancePanel
from semidavil_napari._round_plan import PlanImage
from semidavil_napari._rounds import iter_pixels
from semidavil_napari._start_model import iter_classes

KEY: Final = "what the names find"
_FEWEST: Final = 2


@dataclass(frozen=True)
class Look:
    """One question: these classes in this image."""

    image: PlanImage
    classes: ClassSet
    guidance: Guidance
    about: str = ""
    """The class that it is about; empty for all."""


class ZeroShotPreview(QObject):
    """Asks for a map when names change, draws it, and says what it shows.

    Parameters
    ----------
    book, jobs, classes, guidance
        The layers, the engine's jobs, and the two panels with the names and the language model.
    images
        Gives the keys of the chosen image layers.
    """

    def __init__(
        self,
        book: LayerBook,
        jobs: EngineJobs,
        classes: ClassesPanel,
        guidance: GuidancePanel,
        images: Callable[[], tuple[str, ...]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._book, self._jobs, self._classes = book, jobs, classes
        self._guidance, self._images = guidance, images
        self._named = classes.value()
        self._running: Look | None = None
        self._found = ""
        classes.changed.connect(self._on_classes)
        classes.look_wanted.connect(self._look)
        jobs.happened.connect(self._on_event)
        jobs.quiet_failed.connect(self._on_failed)

    def _on_classes(self) -> None:
        """A person added, renamed or described a class; another list altogether asks for nothing."""
        before, self._named = self._named, self._classes.value()
        about = newly_named(before, self._named)
        if about is not None:
            self._look(about.name)

    def _look(self, about: str = "") -> None:
        classes, keys = self._classes.value(), self._images()
        if classes is None or len(classes) < _FEWEST:
            self._classes.setWords(
                "Add a second class to see where the language model finds them." if about else ""
            )
            return
        if not keys or self._book.problem(keys) is not None:
            if not about:
                self._classes.setWords("Choose an image first.")
            return
        if (error := self._guidance.validation_error()) is not None:
            self._classes.setWords(error)
            return
        image = self._book.shown_image(keys, classes)
        if image is not None:
            look = Look(image, classes, self._guidance.value(), about)
            self._classes.setWords(f"Looking for {about or 'all classes'} in the shown image …")
            self._jobs.start_when_idle(KEY, partial(self._job, look))

    def _job(
        self, look: Look, client: EngineClient, memory: EngineMemory, stops: Callable[[], int]
    ) -> Iterator[Event]:
        # Only one job runs at a time, and the next begins when this one's events have been heard.
        self._running = look
        return iter_look(client, memory, look, stops)

    def _on_event(self, event: Event) -> None:
        look = self._running
        if not isinstance(event, PreviewReady):
            return
        if self._jobs.quiet == KEY and look is not None:
            self._book.show(event, look.classes)
            self._found = _found(look, event)
            self._classes.setWords(self._found)
        elif self._found and self._classes.words() == self._found:  # the map that it tells of is drawn over
            self._classes.setWords("")

    def _on_failed(self, key: str, sentence: str) -> None:
        if key == KEY:
            self._classes.setWords(sentence)


def iter_look(
    client: Client, memory: EngineMemory, look: Look, stops: Callable[[], int] = lambda: 0
) -> Iterator[Event]:
    """Show the engine the image and ask it for the classes, unless a round wants to begin."""
    yield from iter_greeting(client, memory)
    if stops():
        return
    yield from iter_pixels(client, memory, look.image)
    if stops():
        return
    request: Predict | ZeroShot
    if memory.model is not None:
        yield from iter_classes(client, memory, look.classes)
        request = Predict(look.image.name)
    else:
        request = ZeroShot(look.image.name, look.guidance.vlm, look.classes, look.guidance.device)
    yield from iter_answer(client, request)


def newly_named(before: ClassSet | None, after: ClassSet | None) -> ClassInfo | None:
    """The one class of `after` whose name or synonyms are new; None where there is none, or the whole list is another."""
    if before is None or after is None:
        return None
    known = {(c.name, c.prompts) for c in before}
    new = [c for c in after if (c.name, c.prompts) not in known]
    return new[0] if len(new) == 1 and len(after) >= len(before) else None


def _found(look: Look, event: PreviewReady) -> str:
    """How much of the image a class takes, in words."""
    if not look.about:
        return "The prediction shows what the names alone find in the shown image."
    share = float(np.mean(event.prediction == look.classes.index(look.about)))
    if not share:
        return (
            f"Nothing in the shown image looks like {look.about}; try other words as synonyms, or paint it."
        )
    return f"{look.about}: {_percent(share)} of the shown image. Paint where that is wrong."


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "less than 1%"
