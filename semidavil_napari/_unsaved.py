"""Which strokes are not on the disk as they are now, plane by plane; also those of layers that are gone. Free of Qt and of files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from semidavil_napari._layers import LayerBook
from semidavil_napari._strokes import Strokes

Plane = tuple[str, tuple[int, ...]]
"""Key of an image, and the place in its stack."""

_NOTHING: Final = bytes(256 * 8)  # the count of a plane without strokes
_NEVER: Final = -1  # no version that strokes ever have


class UnsavedStrokes:
    """Compares what is painted with what was handed to the disk.

    Parameters
    ----------
    book
        The layers.
    on_met
        Called with the key of an image whose strokes were not known before.
    """

    def __init__(self, book: LayerBook, on_met: Callable[[str], object]) -> None:
        self._book, self._on_met = book, on_met
        self._known: dict[str, tuple[Strokes, Any]] = {}
        self._seen: dict[str, dict[tuple[int, ...], bytes]] = {}
        self._saved: dict[str, dict[tuple[int, ...], int]] = {}

    def planes(self, *, kept: bool) -> list[Plane]:
        """Planes whose strokes are not saved as they are.

        Parameters
        ----------
        kept
            Whether there is a place for them. While there is none, strokes that were there before count as saved, and only what a person
            paints does not.
        """
        for key in self._book.targets():
            strokes, layer = self._book.strokes(key), self._book.scribbles(key)
            if strokes is not None and strokes.ready and self._known.get(key, (None,))[0] is not strokes:
                self._meet(key, strokes, layer, kept=kept)
        return self.known_planes(kept=kept)

    def known_planes(self, *, kept: bool) -> list[Plane]:
        """As :meth:`planes`, of the layers that were met by it before; others have not taken their place yet."""
        found: list[Plane] = []
        for key, (strokes, _) in self._known.items():
            saved = self._saved.setdefault(key, {})
            places = {*strokes.places, *saved} if strokes.ready else ()
            found += [(key, p) for p in places if saved.get(p) != strokes.version(p)]
        return found if kept else [plane for plane in found if self._painted_since(plane)]

    def holds(self, key: str, layer: Any) -> bool:
        """Whether this layer's strokes are those that are known of an image."""
        return layer is not None and self._known.get(key, (None, None))[1] is layer

    def layer(self, key: str) -> Any:
        """The Labels layer that holds, or held, the strokes of an image."""
        return self._known[key][1]

    def saved(self, plane: Plane) -> None:
        """The strokes of a plane, as they are now, were handed over."""
        key, place = plane
        self._saved.setdefault(key, {})[place] = self._known[key][0].version(place)

    def failed(self, plane: Plane) -> None:
        """A plane could not be written."""
        key, place = plane
        self._saved.setdefault(key, {})[place] = _NEVER

    def nothing_is_saved(self) -> None:
        """Another place: nothing is in it yet."""
        self._saved.clear()

    def count_as_painted(self) -> None:
        """What is shown stands nowhere on the disk, also if nobody painted it here."""
        self.planes(kept=False)
        self._saved.clear()
        self._seen.clear()

    def forget(self) -> None:
        """Other layers take the place of all present ones."""
        self._known.clear()
        self._saved.clear()

    def _painted_since(self, plane: Plane) -> bool:
        """Whether there are other strokes than when they were first seen: napari may draw a layer anew that nobody painted in."""
        key, place = plane
        return self._known[key][0].count(place).tobytes() != self._seen.get(key, {}).get(place, _NOTHING)

    def _meet(self, key: str, strokes: Strokes, layer: Any, *, kept: bool) -> None:
        self._known[key] = strokes, layer
        self._saved[key] = {} if kept else {p: strokes.version(p) for p in strokes.places}
        self._seen[key] = {p: strokes.count(p).tobytes() for p in strokes.places}
        self._on_met(key)
