"""What the axes of an image layer are: the two of the picture, colours, channels, and a stack of images, depths or times.

Nothing is guessed in silence. A short first axis without a name (2 to 8 entries) may be channels or a stack, and only a person can
tell; until then it is *undecided*: something is assumed, said, and Adapt waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Any, Final

from napari.layers import Image

from semidavil_core.data.channels import MAX_GUESSED_CHANNELS
from semidavil_napari._layer_tags import tag_of, write

Chosen = tuple[int | None, int | None, int | None]


class Axis(StrEnum):
    """What a leading axis counts."""

    IMAGES = "images"
    Z = "z"
    TIME = "time"
    CHANNELS = "channels"


_NAMES: Final = {
    Axis.CHANNELS: ("c", "ch", "channel", "channels"),
    Axis.Z: ("z", "depth", "slice", "slices", "plane", "planes"),
    Axis.TIME: ("t", "time", "frame", "frames"),
    Axis.IMAGES: ("n", "i", "image", "images", "p", "position", "positions", "scene", "series", "sample"),
}
_MEANING: Final = {name: axis for axis, names in _NAMES.items() for name in names}
_COUNTED: Final = {
    Axis.IMAGES: "images", Axis.Z: "planes in depth", Axis.TIME: "time points", Axis.CHANNELS: "channels",
}  # fmt: skip
ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth")


@dataclass(frozen=True)
class ImageAxes:
    """The axes of one image layer."""

    shape: tuple[int, ...]
    """Of the data, an axis of RGB colours left out."""
    told: tuple[Axis | None, ...]
    """What each leading axis counts; None where only a person can tell."""
    rgb: bool = False
    """Whether each pixel is a colour already."""
    chosen: Chosen | None = None
    """The channels that a person chose as red, green and blue; None: the usual ones."""

    @property
    def undecided(self) -> tuple[int, ...]:
        """Leading axes that may be channels or a stack."""
        return tuple(i for i, axis in enumerate(self.told) if axis is None)

    @property
    def meanings(self) -> tuple[Axis, ...]:
        """`told`, with what is assumed until a person tells: the last undecided axis counts channels."""
        free = self.undecided if Axis.CHANNELS not in self.told else ()
        assumed = free[-1] if free else None
        return tuple(
            axis or (Axis.CHANNELS if i == assumed else Axis.IMAGES) for i, axis in enumerate(self.told)
        )

    @property
    def channel_axis(self) -> int | None:
        """Position of the channels; None for grey and RGB."""
        return self.meanings.index(Axis.CHANNELS) if Axis.CHANNELS in self.meanings else None

    @property
    def channel_count(self) -> int:
        """How many channels there are; 0 for grey and RGB."""
        return 0 if self.channel_axis is None else self.shape[self.channel_axis]

    @property
    def channels(self) -> Chosen | None:
        """The channels that the model sees as red, green and blue; None where there is nothing to choose."""
        count = self.channel_count
        if count < 2:
            return None
        if self.chosen is not None and all(c is None or 0 <= c < count for c in self.chosen):
            return self.chosen
        return (0, 1, 2 if count > 2 else None)

    @property
    def label_shape(self) -> tuple[int, ...]:
        """Shape of a label map of the layer: stack axes, height, width."""
        return tuple(n for i, n in enumerate(self.shape) if i != self.channel_axis)

    @property
    def stack(self) -> tuple[int, ...]:
        """Lengths of the stack axes; empty for a single image."""
        return self.label_shape[:-2]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of one image."""
        return self.shape[-2], self.shape[-1]

    @property
    def misplaced(self) -> int | None:
        """Position of an axis that should come first: channels behind a stack, or a last axis too short for pixels."""
        if self.channel_axis and not self.undecided:
            return self.channel_axis
        narrow = self.shape[-1] <= MAX_GUESSED_CHANNELS < self.shape[-2]
        return len(self.shape) - 1 if narrow and len(self.shape) > 2 and not self.rgb else None

    def told_with_first(self, axis: int) -> list[str]:
        """What the leading axes count once `axis`, which holds channels, is the first."""
        others = [str(Axis.IMAGES if m is Axis.CHANNELS else m) for m in self.meanings]
        rest = others[:-1] if axis >= len(others) else [m for i, m in enumerate(others) if i != axis]
        return [str(Axis.CHANNELS), *rest]

    @property
    def letters(self) -> str:
        """The axes of one image as :func:`semidavil_core.data.channels.to_rgb` wants them: channels come last."""
        return "YXC" if self.channel_axis is not None else ""

    def index(self, place: tuple[int, ...]) -> tuple[int | slice, ...]:
        """What to ask the data for, to get the image at `place` of the stack with all its channels."""
        if self.channel_axis is None:
            return place
        return (*place[: self.channel_axis], slice(None), *place[self.channel_axis :])

    def problem(self, name: str) -> str | None:
        """Why no round can use the layer called `name` yet, in one sentence."""
        if self.undecided:
            return f"“{name}”: {self._question(self.undecided[0])}"
        if self.told.count(Axis.CHANNELS) > 1:
            return f"“{name}”: two axes are called channels; choose something else for one of them."
        if self.channel_axis:
            return (
                f"“{name}”: its channels are the {_ordinal(self.channel_axis)} axis, so strokes could not lie on all of them; "
                "press Put channels first."
            )
        return None

    def _question(self, axis: int) -> str:
        return (
            f"are the {self.shape[axis]} entries of its {_ordinal(axis)} axis channels of one image, or separate images? "
            "Choose it under Images."
        )

    def __str__(self) -> str:
        height, width = self.size
        parts = [f"{n} {_COUNTED[m]}" for n, m in self._stacked()]
        what = " x ".join(parts) + (f" ({prod(self.stack)} images)" if len(parts) > 1 else "")
        pixels = f"{width} x {height} pixels"
        text = f"{what} of {pixels}" if parts else f"one image of {pixels}"
        return text + self._seen() + self._doubt()

    def _doubt(self) -> str:
        if self.undecided:
            return " – assumed, please choose"
        if self.misplaced is not None and self.channel_axis is None:
            return f" – only {self.shape[-1]} pixels wide? If these are channels, press Put channels first"
        return ""

    def _stacked(self) -> list[tuple[int, Axis]]:
        return [(n, m) for n, m in zip(self.shape[:-2], self.meanings, strict=True) if m is not Axis.CHANNELS]

    def _seen(self) -> str:
        if self.rgb:
            return ", in colour"
        if self.channels is None:
            return ", grey"
        used = [
            f"{c + 1} as {colour}"
            for c, colour in zip(self.channels, ("red", "green", "blue"), strict=True)
            if c is not None
        ]
        return f", {self.channel_count} channels: {', '.join(used) or 'none is chosen'}"


def axes_of(image: Image) -> ImageAxes:
    """What the axes of a layer are: what a person said, else what they are called, else what is beyond doubt."""
    shape = tuple(int(n) for n in first_level(image).shape)
    shape = shape[:-1] if image.rgb else shape
    tag = tag_of(image)
    said = tag.get("axes") if isinstance(tag.get("axes"), list | tuple) else ()
    said = said if said is not None and len(said) == len(shape) - 2 else [None] * (len(shape) - 2)
    names = image.axis_labels[: len(shape) - 2]
    told = tuple(_told(*about, rgb=image.rgb) for about in zip(said, names, shape[:-2], strict=True))
    chosen = tag.get("channels")
    return ImageAxes(shape, told, image.rgb, tuple(chosen) if chosen and len(chosen) == 3 else None)


def tell_axis(image: Image, position: int, meaning: Axis) -> None:
    """Write down what one leading axis counts. At most one counts channels, so naming it settles the others."""
    told = [None if axis is None else str(axis) for axis in axes_of(image).told]
    told[position] = str(meaning)
    if meaning is Axis.CHANNELS:
        others = (i for i in range(len(told)) if i != position)
        for i in others:
            told[i] = str(Axis.IMAGES) if told[i] in (None, str(Axis.CHANNELS)) else told[i]
    write(image, axes=told)


def tell_channels(image: Image, chosen: Chosen) -> None:
    """Write down which channels become red, green and blue."""
    write(image, channels=list(chosen))


def first_level(image: Image) -> Any:
    """The layer's data at full resolution."""
    return image.data[0] if image.multiscale else image.data


def _told(said: Any, name: str, length: int, *, rgb: bool) -> Axis | None:
    if said in set(Axis):
        return Axis(said)
    if (meaning := _MEANING.get(str(name).strip().lower())) is not None:
        return Axis.IMAGES if rgb and meaning is Axis.CHANNELS else meaning
    return None if not rgb and 2 <= length <= MAX_GUESSED_CHANNELS else Axis.IMAGES


def _ordinal(position: int) -> str:
    return ORDINALS[position] if position < len(ORDINALS) else f"{position + 1}th"
