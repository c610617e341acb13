"""The choices that a person has made in the window, as JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from semidavil_core.classes import ClassSet
from semidavil_core.errors import SemiDavilError
from semidavil_core.settings import Budget
from semidavil_napari._panels.adapt import AdaptPanel
from semidavil_napari._panels.classes import ClassesPanel
from semidavil_napari._panels.guidance import Guidance, GuidancePanel
from semidavil_napari._panels.images import ImagesPanel
from semidavil_napari._panels.source import SourcePanel
from semidavil_napari._sources import Source, SourceKind


class Desk:
    """The panels of one window.

    Parameters
    ----------
    images, source, classes, guidance, adapt
        Where the choices are made.
    """

    def __init__(
        self,
        images: ImagesPanel,
        source: SourcePanel,
        classes: ClassesPanel,
        guidance: GuidancePanel,
        adapt: AdaptPanel,
    ) -> None:
        self._images, self._source, self._classes = images, source, classes
        self._guidance, self._adapt = guidance, adapt

    @property
    def panels(self) -> tuple[Any, ...]:
        """Those that tell when a choice changed."""
        return self._images, self._source, self._classes, self._guidance

    @property
    def classes(self) -> ClassSet | None:
        """The present classes."""
        return self._classes.value()

    @property
    def source(self) -> Source | None:
        """What a person started from."""
        return self._source.value()

    def to_json(self) -> dict[str, Any]:
        """All choices but the classes."""
        guidance = self._guidance.value()
        return {
            "budget": self._adapt.value().to_json(),
            "prepare_budget": self._source.prepare_budget.to_json(),
            "vlm": guidance.vlm,
            "device": guidance.device,
            "source": _source_to_json(self._source.value()),
            "ticked": list(self._images.value()),
        }

    def set_classes(self, classes: ClassSet) -> None:
        """Show these classes."""
        self._classes.setValue(classes)

    def set_source(self, source: Source | None) -> None:
        """Start from there."""
        if source is not None:
            self._source.setValue(source)

    def apply(self, settings: Mapping[str, Any]) -> None:
        """Make the choices of :meth:`to_json` but the source and the ticks; what does not fit is left as it is."""
        with suppress(SemiDavilError, KeyError, TypeError, ValueError):
            self._adapt.setValue(Budget.from_json(settings["budget"]))
        with suppress(SemiDavilError, KeyError, TypeError, ValueError):
            self._source.set_prepare_budget(Budget.from_json(settings["prepare_budget"]))
        with suppress(KeyError, TypeError, ValueError):
            self._guidance.setValue(Guidance(str(settings["vlm"]), str(settings["device"])))

    def tick(self, settings: Mapping[str, Any]) -> None:
        """Tick the images of :meth:`to_json`."""
        keys = settings.get("ticked")
        if isinstance(keys, list) and keys:
            self._images.setValue(tuple(str(key) for key in keys))


def source_from_json(content: Any) -> Source | None:
    """Read what :meth:`Desk.to_json` says of the source; None for layers and what is no source."""
    with suppress(KeyError, TypeError, ValueError):
        beside = content["beside"]
        kind = SourceKind(content["kind"])
        if kind is not SourceKind.LAYERS:
            return Source(kind, Path(content["folder"]), None if beside is None else Path(beside))
    return None


def continued(source: Source | None, bundle: Path | None) -> Source | None:
    """What to go on from: the model of a round with the labelled folder that it began from, or the source as it was."""
    if bundle is None:
        return source
    labelled = source.folder if source is not None and source.kind is SourceKind.LABELLED else None
    beside = labelled or (None if source is None else source.beside)
    return Source(SourceKind.BUNDLE, bundle, beside if beside is not None and beside.is_dir() else None)


def _source_to_json(source: Source | None) -> dict[str, Any] | None:
    if source is None:
        return None
    beside = None if source.beside is None else str(source.beside.absolute())
    return {"kind": str(source.kind), "folder": str(source.folder.absolute()), "beside": beside}
