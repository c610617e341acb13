"""After each round: ask quietly where one more stroke pays, ring the places, fly to them, drop them once painted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Final

import numpy as np
from qtpy.QtCore import QObject, QTimer

from semidavil_core.classes import ClassSet
from semidavil_core.engine.client import EngineClient
from semidavil_core.engine.requests import Suggest
from semidavil_core.events import (
    Done,
    Event,
    ModelChanged,
    StageStarted,
    Suggestion,
    SuggestionsReady,
)
from semidavil_napari._engine_memory import EngineMemory
from semidavil_napari._flight import Flight
from semidavil_napari._jobs import EngineJobs
from semidavil_napari._layers import LayerBook, Place
from semidavil_napari._panels.paint_next import PaintNextPanel, Places
from semidavil_napari._round_list import leaves_a_round
from semidavil_napari._suggestion_layers import Ring, SuggestionLayers

KEY: Final = "suggestions"
COUNT: Final = 8
_LOOKING: Final = "Looking for places …"
_AFTER: Final = "After this round it shows where one more stroke helps most."
_NONE_LEFT: Final = "Every place is painted. Adapt again to find new ones."
_ALL_SURE: Final = "No place stands out: the model is sure wherever you have not painted."
_GONE: Final = "The images with places to paint are gone. Adapt to others to find new places."


@dataclass(frozen=True)
class _Spot:
    """A suggestion and where it lies."""

    told: Suggestion
    place: Place

    def ring(self, number: int, *, chosen: bool) -> Ring:
        told = self.told
        return Ring(number, self.place.index, told.y, told.x, told.radius, chosen)


class PaintNext(QObject):
    """Keeps the places of one window.

    Parameters
    ----------
    viewer
        The napari viewer.
    book
        Its layers.
    jobs
        Runs the quiet question.
    panel
        Shows the places.
    classes
        Gives the present classes.
    """

    def __init__(
        self,
        viewer: Any,
        book: LayerBook,
        jobs: EngineJobs,
        panel: PaintNextPanel,
        classes: Callable[[], ClassSet | None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._book, self._jobs, self._panel, self._classes = book, jobs, panel, classes
        self._layers = SuggestionLayers(viewer, book.result)
        self._flight = Flight(viewer)
        self._spots: list[_Spot] = []
        self._current: int | None = None
        self._looks = False
        self._has_model = False
        self._fly_when_found = 0
        self._words = Places().words
        self._redraw = QTimer(self)  # a layer that goes may be one of several that are just being removed
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(0)
        self._redraw.timeout.connect(self._draw)
        panel.wanted.connect(self.go)
        jobs.happened.connect(self._on_event)
        jobs.quiet_ended.connect(self._on_quiet_ended)
        jobs.quiet_failed.connect(self._on_quiet_failed)
        jobs.failed.connect(self._on_failed)

    def go(self, step: int = 1) -> None:
        """Fly to the next place (1) or the one before (-1); asks for places if there are none."""
        self.on_strokes()
        if not self._spots:
            if self._has_model:
                self._fly_when_found = step
                self._ask()
            return
        last = len(self._spots) - 1
        self._current = (
            (0 if step > 0 else last) if self._current is None else (self._current + step) % (last + 1)
        )
        spot = self._spots[self._current]
        image = self._book.image(spot.place.key)
        if image is None:
            return
        self._looks = True
        world = self._layers.to_world(image, spot.ring(1, chosen=True))
        self._flight.to(image, spot.place.key, world, spot.told.radius * float(np.abs(image.scale[-1])))
        self._draw()
        self._show()
        self._select_brush(spot)

    def on_strokes(self) -> None:
        """Strokes may have changed: places with paint go away."""
        if self._drop([spot for spot in self._spots if self._is_painted(spot)], _NONE_LEFT):
            self._draw()

    def on_layers(self) -> None:
        """Layers may have come or gone: the places of an image go with it."""
        if self._drop([spot for spot in self._spots if self._book.place_of(spot.place.name) is None], _GONE):
            self._redraw.start()

    def forget(self) -> None:
        """The model is gone or another one: its places mean nothing any more."""
        self._has_model = False
        self._jobs.forget(KEY)
        self._set([], Places().words)

    # asking

    def _ask(self) -> None:
        if not self._spots:
            self._words = _LOOKING
            self._show()
        self._jobs.start_when_idle(KEY, partial(_suggest_job, COUNT))

    def _on_event(self, event: Event) -> None:
        if leaves_a_round(event):
            self._has_model = True
            self._set([], _LOOKING)
            self._ask()
        elif isinstance(event, ModelChanged):
            self.forget()
        elif isinstance(event, StageStarted) and event.round and self._words == _LOOKING:
            self._jobs.forget(KEY)  # the round that begins leaves another model, which is asked then
            self._set([], _AFTER)
        elif isinstance(event, SuggestionsReady):
            self._found(event.suggestions)
            if self._fly_when_found and self._spots:
                self.go(self._fly_when_found)
            self._fly_when_found = 0

    def _found(self, suggestions: Sequence[Suggestion]) -> None:
        places = [(told, self._book.place_of(told.image)) for told in suggestions]
        spots = [_Spot(told, place) for told, place in places if place is not None]
        gone = bool(suggestions) or not self._book.targets()
        self._set(spots, _GONE if gone else _ALL_SURE)
        self.on_strokes()

    def _on_quiet_ended(self, key: str) -> None:
        if key == KEY and self._words == _LOOKING:  # made way for a person's job
            self._set([], "")

    def _on_quiet_failed(self, key: str, sentence: str) -> None:
        if key == KEY:
            self._set([], f"The places could not be found: {sentence}")

    def _on_failed(self, _: str) -> None:
        if self._jobs.engine_pid is None:
            self.forget()

    # showing

    def _set(self, spots: list[_Spot], words: str) -> None:
        self._spots, self._words, self._current, self._looks = spots, words, None, False
        self._draw()
        self._show()

    def _drop(self, gone: list[_Spot], words: str) -> bool:
        """Forget places, with `words` for when none is left; whether there were any."""
        if not gone:
            return False
        at = self._current
        chosen = None if at is None else self._spots[at]
        before = 0 if at is None else sum(spot in gone for spot in self._spots[:at])
        self._spots = [spot for spot in self._spots if spot not in gone]
        if chosen in self._spots:
            self._current = self._spots.index(chosen)
        elif at is not None and self._spots:  # so that "next" goes to the one that follows
            self._current = at - before - 1 if at - before else None
        else:
            self._current = None
        self._looks = self._looks and chosen in self._spots
        self._words = self._words if self._spots else words
        self._show()
        return True

    def _draw(self) -> None:
        rings = [
            (spot.place.key, spot.ring(number + 1, chosen=self._looks and number == self._current))
            for number, spot in enumerate(self._spots)
        ]
        by_image = {
            key: [ring for _, ring in group]
            for key, group in groupby(sorted(rings, key=lambda r: r[0]), lambda r: r[0])
        }
        if not by_image:
            self._layers.clear()
            return
        for key in self._book.targets():
            image = self._book.image(key)
            if image is not None:
                self._layers.draw(image, key, by_image.get(key, []) if image.visible else [])

    def _show(self) -> None:
        if self._current is None or not self._looks:
            words, can_ask = self._words, self._has_model and self._words != _LOOKING
            self._panel.setValue(Places(len(self._spots), None, "", words, can_ask))
            return
        told = self._spots[self._current].told
        self._panel.setValue(Places(len(self._spots), self._current, told.class_name, told.reason, True))

    def _select_brush(self, spot: _Spot) -> None:
        classes = self._classes()
        names = [] if classes is None else [name.lower() for name in classes.names]
        if spot.told.class_name.lower() in names and self._book.scribbles(spot.place.key) is not None:
            self._book.select_class((spot.place.key,), names.index(spot.told.class_name.lower()))

    def _is_painted(self, spot: _Spot) -> bool:
        layer, told = self._book.scribbles(spot.place.key), spot.told
        if layer is None or layer.data.ndim != len(spot.place.index) + 2:
            return False
        reach = told.radius
        box = tuple(slice(max(0, round(at - reach)), round(at + reach) + 1) for at in (told.y, told.x))
        return bool(np.asarray(layer.data[(*spot.place.index, *box)]).any())


def _suggest_job(
    count: int, client: EngineClient, memory: EngineMemory, stops: Callable[[], int]
) -> Iterator[Event]:
    if memory.model is None or not memory.images or stops():
        return
    yield from (e for e in client.request(Suggest(count)) if not isinstance(e, Done))
