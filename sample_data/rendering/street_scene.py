"""A street scene under construction: its plan, its picture so far, and what later steps must know."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rendering.gbuffer import GBuffer
from rendering.shadows import Caster
from rendering.street_plan import StreetPlan
from rendering.textures import NoiseTile
from rendering.vehicles import Vehicle

Floats = NDArray[np.float64]
SIDES = (-1, 1)


@dataclass
class StreetScene:
    """A furnished street, ready to be lit.

    Attributes
    ----------
    buffer
        What every pixel sees.
    casters
        What throws shadows.
    lamps
        Positions (3,) of the street lamps.
    vehicles
        All vehicles, for their head lamps.
    """

    buffer: GBuffer
    plan: StreetPlan
    rng: np.random.Generator
    noise: NoiseTile
    lamp_colour: Floats
    casters: list[Caster] = field(default_factory=list)
    lamps: list[Floats] = field(default_factory=list)
    vehicles: list[Vehicle] = field(default_factory=list)
    taken: list[tuple[float, float]] = field(default_factory=list)

    def is_free(self, lateral: float, z: float, gap: float = 1.1) -> bool:
        """Whether nobody stands within `gap` metres; a free place is marked as taken."""
        free = all(abs(lateral - x) > gap or abs(z - other) > gap * 1.6 for x, other in self.taken)
        if free:
            self.taken.append((lateral, z))
        return free
