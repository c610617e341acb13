"""Night: street lamps, head lamps, lit windows, wet roads, and fog that lamps glow in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from rendering.shadows import at_points, contact_shade
from rendering.street_scene import StreetScene
from rendering.textures import NoiseTile, smoothstep

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Night:
    """Weather of a night; colours are linear.

    Attributes
    ----------
    ambient
        Light from everywhere, (3,).
    glow
        Colour of the fog and of the sky near the ground, (3,).
    fog
        Extinction per metre.
    lamp_power, head_power
        Strength of street lamps and of the camera's own head lamps.
    flood_power
        Strength of a wide lamp beside the camera, as night cameras carry it.
    wet
        How strongly the road mirrors lights, 0 to 1.
    """

    ambient: Floats
    glow: Floats
    fog: float
    lamp_power: float
    head_power: float
    flood_power: float
    wet: float


@dataclass(frozen=True)
class Lamp:
    """A light at `place` (3,) of `colour` (3,), shining along `axis` (3,); a higher `focus` narrows the beam."""

    place: Floats
    colour: Floats
    axis: Floats
    focus: float


def random_night(rng: np.random.Generator) -> Night:
    """Clear to foggy, dry to wet, as the near infrared shows it: grey, with little light from the sky."""
    grey = np.ones(3)
    return Night(
        ambient=grey * rng.uniform(0.014, 0.030),
        glow=grey * rng.uniform(0.010, 0.035),
        fog=rng.uniform(0.010, 0.030),
        lamp_power=rng.uniform(6.0, 12.0),
        head_power=rng.uniform(6.0, 18.0),
        flood_power=rng.uniform(6.0, 14.0),
        wet=float(rng.choice([0.0, 0.5, 1.0])),
    )


def _lamps(scene: StreetScene, night: Night) -> list[Lamp]:
    """All lights that reach surfaces."""
    down = np.array([0.0, -1.0, 0.0])
    lamps = [Lamp(place, scene.lamp_colour * night.lamp_power, down, 1.2) for place in scene.lamps]
    lamps.append(
        Lamp(np.array([0.0, 1.3, 0.0]), np.full(3, night.flood_power), np.array([0.0, 0.0, 1.0]), 2.0)
    )
    white = np.array([1.0, 0.93, 0.8])
    ahead = np.array([0.02, -0.035, 1.0])
    lamps += [Lamp(np.array([x, 0.75, 0.3]), white * night.head_power, ahead, 26.0) for x in (-0.6, 0.6)]
    for vehicle in scene.vehicles:
        if vehicle.lamps_on and vehicle.foot[2] < 60:
            nose = vehicle.foot + vehicle.front * (vehicle.shape.length / 2 + 0.1) + np.array([0, 0.7, 0])
            lamps.append(Lamp(nose, white * 12.0, vehicle.front + np.array([0, -0.12, 0]), 14.0))
            tail = vehicle.foot - vehicle.front * (vehicle.shape.length / 2 + 0.1) + np.array([0, 0.8, 0])
            lamps.append(Lamp(tail, np.array([0.7, 0.03, 0.02]), -vehicle.front, 1.0))
    return lamps


def _irradiance(point: Floats, normal: Floats, lamp: Lamp) -> Floats:
    """Light of one lamp on points (N, 3), as (N, 1): inverse square law, beam, angle of arrival."""
    away = point - lamp.place
    distance = np.linalg.norm(away, axis=1, keepdims=True) + 1e-6
    direction = away / distance
    beam = np.clip(direction @ (lamp.axis / np.linalg.norm(lamp.axis)), 0, 1)[:, None] ** lamp.focus
    arrival = np.clip(-(direction * normal).sum(1, keepdims=True), 0, None) * 0.85 + 0.15 * (beam > 0)
    return np.asarray(beam * arrival / (distance**2 + 1.5))


def _sky(scene: StreetScene, night: Night, rng: np.random.Generator) -> Floats:
    """Dark above, the town's glow near the ground, barely visible clouds."""
    camera = scene.buffer.camera
    rows, cols = np.mgrid[0 : camera.height, 0 : camera.width]
    ray = camera.rays(rows, cols)
    rise = np.clip(ray[..., 1], 0.02, 2)
    cloud = NoiseTile(rng, 256, 2.6).at(ray[..., 0] / rise, ray[..., 2] / rise, 0.1)
    veil = np.exp(-rise * 2.2) * (1 + 0.18 * cloud)
    return np.asarray(night.glow * np.clip(veil, 0.05, 2)[..., None] + night.ambient * 0.25)


def _mirror(scene: StreetScene, picture: Floats, night: Night) -> Floats:
    """Light of the upper half mirrored in the wet ground, smeared upright as rough water does."""
    camera = scene.buffer.camera
    horizon = round(camera.horizon)
    source = np.clip(picture[:horizon][::-1] - 0.12, 0, 6.0)
    reflected = np.zeros_like(picture)
    count = min(len(source), camera.height - horizon)
    smeared = gaussian_filter(source, (camera.height * 0.06, 1.5, 0))
    reflected[horizon : horizon + count] = smeared[:count]
    flat = (scene.buffer.normal[..., 1] > 0.99) & (scene.buffer.point[..., 1] < 0.05)
    return np.asarray(reflected * (flat * night.wet * 0.55)[..., None])


def light_by_night(scene: StreetScene, night: Night, rng: np.random.Generator) -> Floats:
    """Linear picture (H, W, 3) of a scene by night."""
    buffer = scene.buffer
    solid = np.isfinite(buffer.depth)
    point, normal, albedo = buffer.point[solid], buffer.normal[solid], buffer.albedo[solid] ** 2.2
    light = np.tile(night.ambient * 4.0, (len(point), 1)) * (0.6 + 0.4 * normal[:, 1:2])
    own = np.zeros((len(point), 1))
    for lamp in _lamps(scene, night):
        arriving = _irradiance(point, normal, lamp)
        light += arriving * lamp.colour
        if lamp.focus > 20:
            own += arriving
    contact = at_points(contact_shade(scene.casters), point) * (1 - smoothstep(0.0, 0.5, point[:, 1]))
    lit = albedo * light * (1 - 0.7 * contact[:, None]) + buffer.emission[solid] * 0.8
    lit += buffer.retro[solid][:, None] * albedo * own * night.head_power * 6.0
    picture = _sky(scene, night, rng)
    clear = np.exp(-night.fog * buffer.depth[solid])[:, None]
    picture[solid] = lit * clear + night.glow * (1 - clear)
    picture += _mirror(scene, picture, night)
    return _scatter(picture, night, buffer.camera.width)


def _scatter(picture: Floats, night: Night, width: int) -> Floats:
    """Glare and halos: bright light spreads in the lens and in the fog."""
    bright = np.clip(picture - 0.35, 0, 12.0)
    share = 0.10 + 6.0 * night.fog
    for radius, weight in ((0.004, 0.6), (0.015, 0.8), (0.05, 0.9), (0.12, 0.6)):
        picture = picture + share * weight * gaussian_filter(bright, (radius * width, radius * width, 0))
    return picture
