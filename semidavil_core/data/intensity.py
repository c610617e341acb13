"""From the numbers of a camera or a detector to the 8 bits per colour that the model sees.

The rule, per image:

- 8-bit images stay as they are; booleans become 0 and 255.
- Unsigned integers have the full scale of their type (65535 for 16 bits), floats within [0, 1] have the full scale 1. Where the
  middle 99.8 % of the values span at least a quarter of that scale, the scale is kept: value / full scale. So photographs saved
  with 16 bits or as floats keep their brightness.
- Everything else (12- or 14-bit cameras in 16-bit files, signed integers, floats in any unit, dim fluorescence) is stretched
  linearly from its 0.1 to its 99.9 percentile, so that a few hot or dead pixels do not decide.
- The percentiles are taken over all colours of a photograph together, which keeps its hues, and per channel in microscopy, where
  channels are separate measurements.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.errors import InvalidImage

PERCENTILES: Final = (0.1, 99.9)
KEPT_SPAN: Final = 0.25
_SAMPLED_PIXELS: Final = 1_000_000


def to_8_bit(planes: NDArray[Any], *, jointly: bool, where: str) -> NDArray[np.uint8]:
    """Bring planes to 8 bits by the rule of this module.

    Parameters
    ----------
    planes
        (H, W, C), booleans, integers or floats.
    jointly
        One stretch for all channels (a photograph) instead of one per channel.
    where
        The file or layer, for the error message.

    Returns
    -------
    NDArray[np.uint8]
        (H, W, C), 0 to 255.

    Raises
    ------
    InvalidImage
        The values are no real numbers, or some are NaN or infinite.
    """
    if planes.dtype.kind not in "buif":
        raise InvalidImage(
            f"{where} holds values of type {planes.dtype}; allowed are whole numbers and floats."
        )
    if planes.dtype == np.uint8:
        return planes.astype(np.uint8, copy=False)
    if planes.dtype == np.bool_:
        return planes.astype(np.uint8) * np.uint8(255)
    with np.errstate(over="ignore"):
        values = planes.astype(np.float32)
    _refuse_non_finite(values, where)
    if jointly:
        return _stretched(values, planes.dtype)
    channels = [_stretched(values[..., c], planes.dtype) for c in range(values.shape[-1])]
    return np.stack(channels, axis=-1)


def _refuse_non_finite(values: NDArray[np.float32], where: str) -> None:
    bad = values.size - int(np.count_nonzero(np.isfinite(values)))
    if bad:
        raise InvalidImage(
            f"{where} holds {bad} values that are NaN or infinite; replace them by numbers, for example with numpy.nan_to_num."
        )


def _stretched(values: NDArray[np.float32], stored: np.dtype[Any]) -> NDArray[np.uint8]:
    low, high = _range(values, _full_scale(values, stored))
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    unit = np.clip((values - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
    grey: NDArray[np.uint8] = np.rint(unit * np.float32(255)).astype(np.uint8)
    return grey


def _range(values: NDArray[np.float32], full_scale: float | None) -> tuple[float, float]:
    """The values that become 0 and 255."""
    step = int(np.ceil(np.sqrt(values.shape[0] * values.shape[1] / _SAMPLED_PIXELS)))
    low, high = (float(v) for v in np.percentile(values[::step, ::step], PERCENTILES))
    if full_scale is not None and (high <= low or high - low >= KEPT_SPAN * full_scale):
        return 0.0, full_scale
    if high <= low:  # nearly constant: the few other values are all there is to see
        return float(values.min()), float(values.max())
    return low, high


def _full_scale(values: NDArray[np.float32], stored: np.dtype[Any]) -> float | None:
    if stored.kind == "u":
        return float(np.iinfo(stored).max)
    if stored.kind == "f" and values.min() >= 0 and values.max() <= 1:
        return 1.0
    return None
