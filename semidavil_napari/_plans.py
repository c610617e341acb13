"""What follows from the choices that stand: the round that would run now, and the command lines that would do the same."""

from __future__ import annotations

from collections.abc import Callable

from semidavil_napari._command_lines import Situation
from semidavil_napari._layers import LayerBook
from semidavil_napari._panels.adapt import AdaptPanel
from semidavil_napari._panels.classes import ClassesPanel
from semidavil_napari._panels.guidance import GuidancePanel
from semidavil_napari._panels.images import ImagesPanel
from semidavil_napari._panels.source import SourcePanel
from semidavil_napari._project import ProjectKeeper
from semidavil_napari._round_plan import RoundPlan
from semidavil_napari._sources import SourceKind


class Plans:
    """Puts the sections of one window together.

    Parameters
    ----------
    book
        The layers.
    images, source, classes, guidance, adapt
        The sections with the choices.
    project
        Where models and strokes are kept.
    missing
        Says why no round can begin yet.
    """

    def __init__(
        self,
        book: LayerBook,
        images: ImagesPanel,
        source: SourcePanel,
        classes: ClassesPanel,
        guidance: GuidancePanel,
        adapt: AdaptPanel,
        project: ProjectKeeper,
        missing: Callable[[], str | None],
    ) -> None:
        self._book, self._project, self._missing = book, project, missing
        self._images, self._source, self._classes = images, source, classes
        self._guidance, self._adapt = guidance, adapt

    def plan(self) -> RoundPlan | None:
        """The round that would run now, with copies of the strokes; None where something is missing."""
        source, classes, keys = self._source.value(), self._classes.value(), self._images.value()
        if self._missing() is not None or source is None or classes is None:
            return None
        guidance = self._guidance.value()
        return RoundPlan(
            source,
            classes,
            self._book.plan(keys, classes),
            self._adapt.value(),
            self._source.prepare_budget,
            guidance.vlm,
            guidance.device,
            number=self._project.next_round,
            goes_on_from=self._project.round_of(source.folder),
            keep_in=self._project.next_bundle,
        )

    def situation(self) -> Situation | None:
        """What a command line must know to do the same; None while there is nothing to do."""
        source, classes, keys = self._source.value(), self._classes.value(), self._images.value()
        if source is None or classes is None or not keys:
            return None
        guidance, axes = self._guidance.value(), self._book.axes(keys[0])
        return Situation(
            source,
            classes,
            self._adapt.value(),
            self._source.prepare_budget,
            guidance.vlm,
            guidance.device,
            self._project.entries_of(keys),
            None if self._project.project is None else self._project.project.folder,
            self._project.standing_bundle,
            None if axes is None else axes.channels,
            self._project.source_copy if source.kind is SourceKind.LAYERS else None,
        )
