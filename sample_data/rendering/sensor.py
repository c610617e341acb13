"""From light to a file: supersampling, exposure, tone curve, colour cast, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sensor:
    """A camera's character.

    Attributes
    ----------
    exposure
        Factor on the light.
    cast
        Colour balance, (3,).
    photons
        Photons that make a linear 1.0; fewer is noisier.
    read_noise
        Noise floor, linear.
    colour_blotch
        Strength of low-frequency colour noise, sRGB.
    blur
        Standard deviation of the lens blur in pixels of the final image.
    grey
        Whether it counts all light alike, as a sensor without colour filters does.
    """

    exposure: float
    cast: Floats
    photons: float
    read_noise: float
    colour_blotch: float
    blur: float
    grey: bool = False


def day_sensor(rng: np.random.Generator) -> Sensor:
    """Plenty of light."""
    return Sensor(
        rng.uniform(0.62, 0.95),
        1 + rng.uniform(-0.05, 0.05, 3),
        rng.uniform(1500, 6000),
        0.002,
        0.004,
        rng.uniform(0.2, 0.45),
    )


def infrared_sensor(rng: np.random.Generator) -> Sensor:
    """A night camera without colour filters, at high gain."""
    return Sensor(
        rng.uniform(1.8, 3.2),
        np.ones(3),
        rng.uniform(140, 320),
        0.005,
        0.014,
        rng.uniform(0.35, 0.7),
        grey=True,
    )


def shrink(picture: Floats, factor: int) -> Floats:
    """Mean of every `factor` x `factor` block of a picture (H, W, C)."""
    height, width, channels = picture.shape
    return np.asarray(
        picture.reshape(height // factor, factor, width // factor, factor, channels).mean((1, 3))
    )


def shrink_labels(label: NDArray[np.uint8], depth: Floats, factor: int) -> NDArray[np.uint8]:
    """The most frequent class of every block; of two as frequent the nearer, so thin poles stay whole."""
    height, width = (size // factor for size in label.shape)

    def blocks(array: NDArray[np.generic]) -> NDArray[np.generic]:
        return (
            array.reshape(height, factor, width, factor)
            .transpose(0, 2, 1, 3)
            .reshape(height, width, factor * factor)
        )

    labels, depths = blocks(label), blocks(depth)
    votes = (labels[..., :, None] == labels[..., None, :]).sum(-1) - np.minimum(
        depths.astype(float), 1e5
    ) * 1e-6
    return np.take_along_axis(labels, votes.argmax(-1)[..., None], -1)[..., 0].astype(np.uint8)


def expose(light: Floats, sensor: Sensor, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Linear light (H, W, 3) to an 8-bit sRGB picture (H, W, 3); a grey sensor gives three equal channels."""
    light = gaussian_filter(light, (sensor.blur, sensor.blur, 0)) * sensor.exposure * sensor.cast
    height, width = light.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = light * (1 - 0.16 * (x**2 + y**2))[..., None]
    if sensor.grey:
        light = light.mean(-1, keepdims=True)
    shot = rng.standard_normal(light.shape) * np.sqrt(np.clip(light, 0, None) / sensor.photons)
    light = light + shot + sensor.read_noise * rng.standard_normal(light.shape)
    # Narkowicz's fit of the ACES film curve (2015): keeps lamps from clipping hard.
    light = np.clip(light, 0, None)
    film = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    blotch = gaussian_filter(rng.standard_normal(light.shape), (1.6, 1.6, 0)) * 5.0 * sensor.colour_blotch
    coded = np.clip(np.clip(film, 0, 1) ** (1 / 2.2) + blotch, 0, 1)
    return np.repeat((coded * 255 + 0.5).astype(np.uint8), 3 // coded.shape[-1], axis=-1)
