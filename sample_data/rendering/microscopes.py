"""Two microscopes: phase contrast, where thickness is grey with halos, and fluorescence, where stain glows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from rendering.cell_culture import Culture
from rendering.textures import fractal_noise

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]


def phase_contrast(culture: Culture, rng: np.random.Generator) -> Floats:
    """Grey picture (H, W), 0 to 1: thin matter dark, thick round matter bright, halos around both."""
    unit = culture.label.shape[0] / 256.0
    phase = culture.thickness + 0.45 * culture.rim + 0.7 * culture.nucleoli + 0.6 * culture.granules
    phase = phase + 1.9 * culture.debris
    phase = phase + 0.05 * fractal_noise(rng, phase.shape[0], 1.6) * (culture.stain > 0)
    membrane = np.hypot(*np.gradient(gaussian_filter(np.minimum(culture.chromatin, 1.0), 0.7 * unit))) * unit
    phase = phase + 0.9 * membrane
    phase = phase * rng.uniform(0.85, 1.15)
    # Zernike's ring passes only what varies faster than the halo: retardation minus its own blur.
    halo = 0.65 * gaussian_filter(phase, 3.2 * unit) + 0.35 * gaussian_filter(phase, 8 * unit)
    contrast = phase - halo
    # Beyond about a quarter wave the contrast turns round and thick bodies shine.
    response = (
        -0.95 * np.sin(np.clip(contrast, -0.9, 1.25) * 1.25) + 0.85 * np.clip(phase - 1.35, 0, 1.6) ** 1.2
    )
    response = response - 0.5 * np.clip(culture.chromatin - 1.4, 0, 1.4)
    tilt = _illumination(phase.shape[0], rng)
    return np.asarray((rng.uniform(0.46, 0.56) + response * rng.uniform(0.44, 0.62)) * tilt)


def _illumination(size: int, rng: np.random.Generator) -> Floats:
    """Uneven light: a slope, a soft spot, and cloudy medium."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    slope = rng.uniform(-0.12, 0.12) * x + rng.uniform(-0.12, 0.12) * y
    spot = -rng.uniform(0.05, 0.18) * ((x - rng.uniform(-0.4, 0.4)) ** 2 + (y - rng.uniform(-0.4, 0.4)) ** 2)
    return np.asarray(1 + slope + spot + 0.012 * fractal_noise(rng, size, 2.6))


def expose_phase(light: Floats, rng: np.random.Generator) -> Bytes:
    """8-bit grey picture as (H, W, 3)."""
    light = gaussian_filter(light, rng.uniform(0.25, 0.6)) + rng.standard_normal(light.shape) * rng.uniform(
        0.012, 0.024
    )
    grey = (np.clip(light, 0, 1) * 255 + 0.5).astype(np.uint8)
    return np.repeat(grey[..., None], 3, -1)


def fluorescence(culture: Culture, rng: np.random.Generator) -> Floats:
    """Linear picture (H, W, 3): DNA blue, cytoplasm a dim green, debris in odd colours, unevenly bleached."""
    unit = culture.label.shape[0] / 256.0
    dna = culture.chromatin * (1 - 0.45 * culture.nucleoli)
    cytoplasm = (
        culture.stain
        * np.minimum(0.12 * (culture.stain > 0) + culture.thickness, 1.6)
        * (1 + 0.30 * culture.fibres + 0.5 * culture.granules)
    )
    cytoplasm = cytoplasm * (1 - 0.35 * np.clip(culture.chromatin, 0, 2)) + 0.05 * culture.rim
    dirt = culture.debris * (culture.debris > 0)
    odd = np.array([[0.7, 0.55, 0.25], [0.55, 0.7, 0.2], [0.75, 0.35, 0.3]])[rng.integers(3)]
    focus = rng.uniform(0.6, 1.6) * unit
    glow = _three(dna, [0.10, 0.24, 1.0], focus * 0.8) * rng.uniform(0.40, 0.75)
    glow = glow + _three(cytoplasm, [0.03, 0.40, 0.10], focus) * rng.uniform(0.42, 0.75)
    glow = glow + _three(dirt, odd, focus * 0.9) * rng.uniform(0.35, 0.7)
    # Light from above and below the focal plane arrives as a wide blur.
    glow = 0.82 * glow + 0.30 * gaussian_filter(glow, (7 * unit, 7 * unit, 0))
    haze = np.array([0.012, 0.022, 0.028]) * rng.uniform(0.6, 1.8)
    return np.asarray((glow + haze) * _bleaching(culture.label.shape[0], rng)[..., None])


def _three(amount: Floats, colour: list[float] | Floats, blur: float) -> Floats:
    """One dye as three colour channels (H, W, 3)."""
    return np.asarray(gaussian_filter(amount, blur)[..., None] * np.asarray(colour))


def _bleaching(size: int, rng: np.random.Generator) -> Floats:
    """What is left of the dye: less inside a round field that was lit before, less in the corners."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    cy, cx = rng.uniform(-0.7, 0.7, 2)
    burnt = rng.uniform(0.1, 0.55) / (1 + np.exp((np.hypot(x - cx, y - cy) - rng.uniform(0.4, 0.8)) / 0.08))
    return np.asarray((1 - burnt) * (1 - 0.14 * (x**2 + y**2)))


def expose_fluorescence(light: Floats, rng: np.random.Generator) -> Bytes:
    """8-bit picture (H, W, 3): few photons per channel, dark current, mild gamma."""
    photons = rng.uniform(60, 160)
    counts = rng.poisson(np.clip(light, 0, None) * photons) / photons
    noisy = counts + rng.standard_normal(light.shape) * rng.uniform(0.008, 0.02)
    return (np.clip(np.clip(noisy * 1.25, 0, 1) ** 0.68, 0, 1) * 255 + 0.5).astype(np.uint8)
