"""Which axis of an array holds its channels, and which of them become red, green and blue.

A stack of planes (Z or time) is never taken for channels without a word: an axis that no metadata declares as channels is used as
such only if it is the last one with 3 or 4 entries (RGB, RGBA), or if the person chose channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from semidavil_core.data.intensity import to_8_bit
from semidavil_core.errors import InvalidImage, InvalidSettings

MAX_GUESSED_CHANNELS: Final = 8
_DECLARED: Final = "CS"
_UNKNOWN: Final = "QI"
_HOW_TO_CHOOSE: Final = 'choose which become red, green and blue, for example the channels 0,1,2 (counted from 0; "-" leaves a colour empty)'

Channels = Sequence[int | None]
"""One channel (shown grey), two (red, green) or three; None leaves a colour empty."""


class ChannelChoice(NamedTuple):
    """The channels, counted from 0, that become red, green and blue; None leaves a colour empty."""

    red: int | None
    green: int | None
    blue: int | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"1,0,2"``, ``"1,0"``, ``"-,1,2"`` or ``"3"`` (one channel, shown grey).

        Raises
        ------
        InvalidSettings
            The text is none of these.
        """
        parts = [part.strip() for part in text.split(",")]
        if (
            len(parts) > 3
            or not all(p == "-" or (p.isascii() and p.isdigit()) for p in parts)
            or set(parts) == {"-"}
        ):
            raise InvalidSettings(
                f'The channels {text!r} cannot be read; write up to three numbers from 0, for example 1,0,2 or "-,1,2".'
            )
        return cls(*_as_colours([None if p == "-" else int(p) for p in parts]))


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """How an array of one shape becomes an RGB image."""

    axis: int | None
    """The channel axis; None for a grey image."""
    size: tuple[int, int]
    """(height, width)."""
    chosen: tuple[int | None, int | None, int | None]
    """Channel of red, green and blue."""
    photographic: bool
    """Colours of one photograph, as opposed to separate measurements."""


def plan_channels(
    shape: tuple[int, ...],
    channels: Channels | None,
    where: str,
    *,
    axes: str = "",
    photographic: bool = False,
) -> ChannelPlan:
    """Decide from the shape alone how an array becomes RGB.

    Parameters
    ----------
    shape
        Shape of the array, (H, W) or with one more axis for channels.
    channels
        The person's choice, or None.
    where
        The file or layer, for the error message.
    axes
        Letters of the axes as in :class:`~semidavil_core.data.raw_images.RawHeader`; empty if nothing is known.
    photographic
        Whether an axis S is known to hold grey, grey + alpha, RGB or RGBA.

    Raises
    ------
    InvalidImage
        The array is empty, a stack, ambiguous, has more channels than can be shown without a choice, or fewer than were chosen.
    """
    if 0 in shape:
        raise InvalidImage(
            f"{where} has the shape {shape} and so no pixels; give an image of at least 1 x 1 pixels."
        )
    if len(shape) == 2:
        return ChannelPlan(None, (shape[0], shape[1]), _chosen(channels, 1, where), photographic=True)
    axis = _channel_axis(shape, axes, where)
    count = shape[axis]
    if not any(letter in axes for letter in _DECLARED):
        photographic = axis == 2 and count in (3, 4)
    if channels is None:
        _refuse_without_choice(shape, axis, axes, where, photographic=photographic)
        channels = (0,) if count < 3 else (0, 1, 2)  # fewer than three: grey, with or without alpha
    height, width = (side for position, side in enumerate(shape) if position != axis)
    return ChannelPlan(axis, (height, width), _chosen(channels, count, where), photographic)


def to_rgb(
    array: Any,
    channels: Channels | None = None,
    where: str = "the layer",
    *,
    axes: str = "",
    photographic: bool = False,
) -> NDArray[np.uint8]:
    """Turn an array of any number type, grey, RGB, RGBA or multi-channel, into what the model sees.

    Alpha is dropped. How other than 8-bit values are scaled is told in :mod:`semidavil_core.data.intensity`.

    Parameters
    ----------
    array
        (H, W), (H, W, C) or (C, H, W).
    channels, where, axes, photographic
        As in :func:`plan_channels`.

    Returns
    -------
    NDArray[np.uint8]
        (H, W, 3) RGB, a contiguous array of its own.

    Raises
    ------
    InvalidImage
        As :func:`plan_channels`; NaN or infinite values; values that are no real numbers.
    """
    array = np.asarray(array)
    plan = plan_channels(array.shape, channels, where, axes=axes, photographic=photographic)
    planes = array[..., None] if plan.axis is None else np.moveaxis(array, plan.axis, -1)
    used = sorted({c for c in plan.chosen if c is not None})
    small = to_8_bit(planes[..., used], jointly=plan.photographic, where=where)
    rgb = np.zeros((*plan.size, 3), np.uint8)
    for colour, channel in enumerate(plan.chosen):
        if channel is not None:
            rgb[..., colour] = small[..., used.index(channel)]
    return rgb


def _channel_axis(shape: tuple[int, ...], axes: str, where: str) -> int:
    if len(shape) != 3:
        raise InvalidImage(
            f"{where} has the shape {shape}{_named(axes)}; save single planes of height x width (x channels)."
        )
    declared = [i for i, letter in enumerate(axes) if letter in _DECLARED]
    if declared:
        return declared[0]
    if axes and not any(letter in _UNKNOWN for letter in axes):
        raise InvalidImage(
            f"{where} is a stack of the shape {shape}{_named(axes)}, not one image; save its planes as single images."
        )
    first, last = shape[0], shape[2]
    if min(first, last) > MAX_GUESSED_CHANNELS or first == last:
        raise InvalidImage(
            f"{where} has the shape {shape}, in which no axis is clearly the channels; save it as height x width x channels "
            f"with at most {MAX_GUESSED_CHANNELS} channels, or its planes as single images."
        )
    return 0 if first < last else 2


def _refuse_without_choice(
    shape: tuple[int, ...], axis: int, axes: str, where: str, *, photographic: bool
) -> None:
    count, declared = shape[axis], any(letter in axes for letter in _DECLARED)
    if (photographic and count <= 4) or count == 1 or (declared and count == 3):
        return
    if not declared and axis == 0:
        raise InvalidImage(
            f"{where} has the shape {shape}, whose first axis may be channels or a stack of planes; if they are channels, "
            f"{_HOW_TO_CHOOSE}, otherwise save the planes as single images."
        )
    raise InvalidImage(f"{where} has {count} channels; {_HOW_TO_CHOOSE}.")


def _chosen(channels: Channels | None, count: int, where: str) -> tuple[int | None, int | None, int | None]:
    channels = (0,) if channels is None else tuple(channels)
    if not 1 <= len(channels) <= 3 or all(c is None for c in channels):
        raise InvalidImage(
            f"{where}: the channel choice {channels} cannot be shown; choose one, two or three channels."
        )
    missing = [c for c in channels if c is not None and not 0 <= c < count]
    if missing:
        allowed = "0" if count == 1 else f"0 to {count - 1}"
        raise InvalidImage(
            f"{where} has no channel {missing[0]}; it has {count}, so allowed are {allowed}: change the channel choice."
        )
    return _as_colours(channels)


def _as_colours(channels: Channels) -> tuple[int | None, int | None, int | None]:
    if len(channels) == 1:
        return channels[0], channels[0], channels[0]
    return channels[0], channels[1], channels[2] if len(channels) == 3 else None


def _named(axes: str) -> str:
    return f" with the axes {axes}" if axes else ""
