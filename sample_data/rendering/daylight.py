"""Day: sun or cloud, blue shadows, a little haze."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rendering.shadows import at_points, contact_shade, sun_shadow
from rendering.street_scene import StreetScene
from rendering.textures import NoiseTile, smoothstep

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Daylight:
    """Weather and hour; colours are linear.

    Attributes
    ----------
    sun
        Direction towards the sun, (3,).
    sun_colour, sky_colour
        Light of the sun and of the sky.
    clouds
        Share of the sky that clouds cover, 0 to 1.
    haze
        Extinction per metre.
    """

    sun: Floats
    sun_colour: Floats
    sky_colour: Floats
    clouds: float
    haze: float


def random_daylight(rng: np.random.Generator) -> Daylight:
    """Sunny, cloudy or dull."""
    height, turn = np.deg2rad(rng.uniform(25, 65)), rng.uniform(0, 2 * np.pi)
    sun = np.array([np.cos(height) * np.sin(turn), np.sin(height), np.cos(height) * np.cos(turn)])
    clouds = float(rng.choice([0.15, 0.45, 0.95]))
    warmth = smoothstep(0.4, 1.1, height)
    colour = (
        np.array([1.0, 0.86 + 0.1 * warmth, 0.68 + 0.24 * warmth])
        * 2.6
        * (1 - 0.92 * smoothstep(0.5, 0.95, clouds))
    )
    sky = np.array([0.62, 0.75, 1.0]) * (1 - clouds) + np.array([0.92, 0.96, 1.0]) * clouds
    return Daylight(sun, colour, sky * (0.55 + 0.45 * clouds), clouds, 10 ** rng.uniform(-3.6, -2.3))


def sky_picture(scene: StreetScene, day: Daylight, rng: np.random.Generator) -> Floats:
    """Linear colours (H, W, 3) of the sky behind everything, with clouds on a flat ceiling."""
    camera = scene.buffer.camera
    rows, cols = np.mgrid[0 : camera.height, 0 : camera.width]
    ray = camera.rays(rows, cols)
    rise = np.clip(ray[..., 1] / np.linalg.norm(ray, axis=-1), 0.01, 1)
    blue = np.array([0.10, 0.27, 0.72]) * (1 - day.clouds) + np.array([0.55, 0.6, 0.66]) * day.clouds
    pale = np.array([0.60, 0.75, 0.92])
    sky = pale + (blue - pale) * smoothstep(0, 0.42, rise)[..., None]
    noise = NoiseTile(rng, 256, 2.6)
    density = noise.at(ray[..., 0] / rise, ray[..., 2] / rise, 0.09) * 0.9 + 0.3 * noise.at(
        ray[..., 0] / rise + 7, ray[..., 2] / rise, 0.03
    )
    cover = (
        smoothstep(0.6 - 1.6 * day.clouds, 1.7 - 1.2 * day.clouds, density)[..., None]
        * smoothstep(0.01, 0.12, rise)[..., None]
    )
    cloud = np.array([0.95, 0.95, 0.97]) * (
        0.95 - 0.22 * smoothstep(0.3, 2.2, density)[..., None] * (0.5 + day.clouds)
    )
    glow = np.clip((ray / np.linalg.norm(ray, axis=-1, keepdims=True)) @ day.sun, 0, 1)[..., None]
    return np.asarray(
        sky * (1 - cover) + cloud * cover + day.sun_colour * (0.25 * glow**12 + 0.5 * glow**150)
    )


def light_by_day(scene: StreetScene, day: Daylight, rng: np.random.Generator) -> Floats:
    """Linear picture (H, W, 3) of a scene by day."""
    buffer = scene.buffer
    albedo = buffer.albedo**2.2
    point = np.where(np.isfinite(buffer.depth)[..., None], buffer.point, 0.0)
    low = 1 - smoothstep(
        0.3, 3.0, point[..., 1]
    )  # the map knows shadows on the ground; higher up they thin out
    blocked = at_points(sun_shadow(scene.casters, day.sun, 0.08), point) * low
    contact = at_points(contact_shade(scene.casters), point) * (1 - smoothstep(0.0, 0.5, point[..., 1]))
    direct = np.clip(buffer.normal @ day.sun, 0, None) * (1 - 0.95 * blocked)
    open_sky = (0.62 + 0.38 * buffer.normal[..., 1]) * (1 - 0.75 * contact)
    light = direct[..., None] * day.sun_colour + open_sky[..., None] * day.sky_colour
    mirrored = (
        (buffer.gloss * (0.35 + 0.5 * np.abs(buffer.normal[..., 0])))[..., None] * day.sky_colour * 0.55
    )
    lit = albedo * light + mirrored * (1 - 0.7 * contact[..., None]) + 0.05 * buffer.emission
    sky = sky_picture(scene, day, rng)
    clear = np.exp(-day.haze * buffer.depth)[..., None]
    hazy = lit * clear + np.array([0.75, 0.82, 0.9]) * (1 - clear) * (0.6 + 0.4 * day.sky_colour)
    return np.asarray(np.where(np.isfinite(buffer.depth)[..., None], hazy, sky))
