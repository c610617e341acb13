"""Finding layers by what they are to us, quickly among hundreds; and keeping keys unique when people copy layers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from napari.layers import Image, Labels, Layer

from semidavil_napari._image_axes import axes_of, first_level
from semidavil_napari._known_images import TOLD, KnownImages, NoImages
from semidavil_napari._layer_tags import RESULTS, Role, image_of, mark, role_of, tag_of, unmark, write


class LayerIndex:
    """The layers of one viewer by role and image key.

    A lookup is checked against the layer's own tag, so a tag that someone else changed is noticed.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._known: dict[tuple[str, str], list[Any]] | None = None
        self._seen: KnownImages = NoImages()

    def know_again(self, images: KnownImages) -> None:
        """Give images that are among these the key that they had."""
        self._seen = images

    def changed(self) -> None:
        """Layers came, went or were marked."""
        self._known = None

    def find(self, role: Role, key: str) -> Any:
        """The layer of this role for an image; None if there is none."""
        return next(self.all(role, key), None)

    def all(self, role: Role, key: str) -> Iterator[Any]:
        """All layers of this role for an image."""
        found = self._all().get((str(role), key), [])
        if any(role_of(la) != role or image_of(la) != key for la in found):
            self.changed()
            found = self._all().get((str(role), key), [])
        return iter(found)

    def _all(self) -> dict[tuple[str, str], list[Any]]:
        if self._known is None:
            known: dict[tuple[str, str], list[Any]] = {}
            for layer in self._viewer.layers:
                known.setdefault((str(role_of(layer)), str(image_of(layer))), []).append(layer)
            self._known = known
        return self._known

    def images(self) -> Iterator[Image]:
        """Image layers that may be adapted to; a new one gets its key."""
        for layer in self._viewer.layers:
            if isinstance(layer, Image) and (role_of(layer) in (None, Role.TARGET)) and layer.ndim >= 2:
                self._name(layer)
                yield layer

    def image(self, key: str) -> Image | None:
        """The image layer of a key."""
        found = self.find(Role.TARGET, key)
        if found is None:
            found = next((la for la in self.images() if image_of(la) == key), None)
        return found

    def unclaimed(self) -> list[Labels]:
        """Labels layers that take no part yet."""
        known = self._all().get((str(None), str(None)), [])
        return [la for la in known if isinstance(la, Labels) and role_of(la) is None]

    def names(self, kind: type[Layer]) -> dict[str, str]:
        """Layers of a kind that are not ours to write, identifier of the session to name."""
        return {
            str(la.unique_id): la.name
            for la in self._viewer.layers
            if isinstance(la, kind) and role_of(la) not in RESULTS
        }

    def claim(self, chosen: dict[Role, Layer | None]) -> None:
        """Give these layers, and no others, these roles."""
        for layer in self._viewer.layers:
            wanted = next((role for role, one in chosen.items() if one is layer), None)
            if wanted is None and role_of(layer) in chosen:
                unmark(layer)
            elif wanted is not None and role_of(layer) != wanted:
                mark(layer, wanted, self._free(str(wanted)))
        self.changed()

    def set_visible(self, key: str, visible: bool) -> None:
        """Hide an image with all that belongs to it, or show it again with what was shown of it before."""
        for layer in self._viewer.layers:
            if image_of(layer) == key:
                shown = bool(tag_of(layer).get("shown", True))
                if not visible:
                    write(layer, shown=layer.visible if role_of(layer) != Role.TARGET else True)
                layer.visible = visible and shown

    def arrived(self, layer: Layer) -> None:
        """See to it that a layer that has just come does not carry another one's key: copies do.

        The copy of an image becomes an image of its own, and so does one with the key of another that was closed; copied strokes go to
        an image without strokes if one came the same way, and a copied result is an ordinary layer that its owner may edit.
        """
        self.changed()
        role, key = role_of(layer), image_of(layer)
        if role is None or key is None:
            return
        alone = all(la is layer for la in self.all(Role(role), key))
        if alone and not (role == Role.TARGET and self._is_another(key, layer)):
            return
        if role == Role.TARGET:
            mark(layer, Role.TARGET, self._free(key), copy_of=key)
        elif role == Role.SCRIBBLES and (image := self._copied_image(key, layer)) is not None:
            write(layer, image=image_of(image))
        elif role in (*RESULTS, Role.SCRIBBLES):
            unmark(layer)
        self.changed()

    def _copied_image(self, key: str, strokes: Any) -> Image | None:
        copies = (la for la in self.images() if la.metadata["semidavil"].get("copy_of") == key)
        free = (la for la in copies if self.find(Role.SCRIBBLES, str(image_of(la))) is None)
        return next((la for la in free if axes_of(la).label_shape == strokes.data.shape), None)

    def _name(self, layer: Image) -> None:
        if image_of(layer) is not None:
            return
        again = next((e for e in self._seen.matches(layer) if self.find(Role.TARGET, e.key) is None), None)
        if again is None:
            mark(layer, Role.TARGET, self._key_for(layer))
        else:
            told = {name: again.layer[name] for name in TOLD if again.layer.get(name) is not None}
            mark(layer, Role.TARGET, again.key, **{**told, **tag_of(layer)})
        self.changed()

    def _is_another(self, key: str, layer: Any) -> bool:
        """Whether a key belongs to an image that was closed, and that this one is not."""
        return key in self._seen.keys and all(entry.key != key for entry in self._seen.matches(layer))

    def _key_for(self, image: Image) -> str:
        """A key for an image that was not here before: that of strokes or results without an image, if it fits them."""
        theirs = [la for la in self._viewer.layers if image_of(la) == image.name]
        shape, fitting = axes_of(image).label_shape, (*RESULTS, Role.SCRIBBLES)
        fits = (role_of(la) in fitting and tuple(first_level(la).shape) == shape for la in theirs)
        left = bool(theirs) and image.name not in self._seen.keys and all(fits)
        return image.name if left else self._free(image.name)

    def _free(self, name: str) -> str:
        taken = {image_of(la) for la in self._viewer.layers} | set(self._seen.keys)
        names = (name if n == 1 else f"{name} ({n})" for n in count(1))
        return next(n for n in names if n not in taken)
