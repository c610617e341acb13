"""What a round is made of, frozen at the moment it was asked for; free of Qt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.classes import ClassSet
from semidavil_core.settings import Budget
from semidavil_napari._sources import Source

HOLD_OUT: Final = 0.15


@dataclass(frozen=True)
class PlanImage:
    """One target image of a round: read when it is sent, in the background."""

    name: str
    read: Callable[[], NDArray[Any]] = field(compare=False)
    scribbles: NDArray[np.uint8] | None = field(compare=False, default=None)
    """(H, W) class indices, 255 = unlabelled; a copy, so that painting goes on."""
    channels: tuple[int | None, ...] | None = None
    """Which channels the model sees as red, green and blue; None for grey and RGB images."""
    axes: str = ""
    """Letters of the axes where they are known: ``YXC`` are separate channels, not the colours of a photograph."""
    version: str | None = None
    """A name of the pixels that changes when they do, so that they need not be read again; None: only reading them tells."""


@dataclass(frozen=True)
class RoundPlan:
    """Everything that a round uses, frozen with the strokes of the moment it was asked for."""

    source: Source
    classes: ClassSet
    images: tuple[PlanImage, ...]
    budget: Budget
    prepare_budget: Budget = field(default_factory=Budget)
    vlm: str = "mini"
    device: str = "auto"
    settings: Mapping[str, Any] = field(default_factory=dict)
    hold_out: float = HOLD_OUT
    """Share of each class's strokes that the round is measured on instead of trained on."""
    number: int = 1
    """What the window, and its project, call the round; the engine counts those of its model alone."""
    goes_on_from: int = 0
    """Number of the round whose model `source` is, as in a project that was opened again; 0 if it is none's."""
    keep_in: Path | None = None
    """Where the model after the round is kept, so that an engine that dies does not take it along; None: nowhere."""
