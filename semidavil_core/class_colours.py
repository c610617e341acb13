"""Colours for classes, and how far they lie apart for people who see colours in the common and in other ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Seven colours of Okabe & Ito (2008) that the common forms of colour blindness keep apart (their grey is not: it meets the pink);
# then nine that a search found farthest from these and each other under the same forms.
DEFAULT_COLORS: Final = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#7c79f3",
    "#89ffb0", "#50188c", "#a52534", "#babbd0", "#c8e0cb", "#6a8283", "#a9ad6b", "#967249",
)  # fmt: skip

# What remains of linear sRGB for all eyes, then with protanopia, deuteranopia and tritanopia: Machado, Oliveira & Fernandes (2009).
_SIGHTS: Final = np.array([
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
])  # fmt: skip
# CIELAB of 1976, in which distances are about as large as they look; XYZ of linear sRGB relative to its white, after IEC 61966-2-1.
_TO_XYZ: Final = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
) / np.array([[0.95047], [1.0], [1.08883]])  # fmt: skip
_TO_LAB: Final = np.array([[0, 116, 0], [500, -500, 0], [0, 200, -200]])
_DARK: Final = 6 / 29


def farthest_color(used: Sequence[str]) -> str:
    """The default colour that is told best from the `used` ones, ``#rrggbb`` each, whichever way a person sees colours."""
    free = [c for c in DEFAULT_COLORS if c not in {u.lower() for u in used}]
    if not free or not used:
        return DEFAULT_COLORS[len(used) % len(DEFAULT_COLORS)]
    seen, theirs = _as_seen(free), _as_seen(used)
    apart = np.linalg.norm(seen[:, :, None] - theirs[:, None, :], axis=-1)
    return free[int(apart.min(axis=(0, 2)).argmax())]


def _as_seen(colors: Sequence[str]) -> NDArray[np.float64]:
    """Colours in CIELAB, (ways of seeing, N, 3); the lightness has an offset."""
    values = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colors]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ _SIGHTS.swapaxes(1, 2), 0, 1)
    xyz = seen @ _TO_XYZ.T
    lab: NDArray[np.float64] = (
        np.where(xyz > _DARK**3, np.cbrt(xyz), xyz / (3 * _DARK**2) + 4 / 29) @ _TO_LAB.T
    )
    return lab
