"""Class colours are told apart also with the common forms of colour blindness."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from semidavil_core.class_colours import DEFAULT_COLORS
from semidavil_core.classes import ClassSet

color = pytest.importorskip("skimage.color")
SAMPLES = Path(__file__).parents[2] / "sample_data"
# What remains of linear sRGB with each form, complete: Machado, Oliveira and Fernandes (2009), table of severity 1.0.
SIGHTS: Final = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def differences(palette: NDArray[np.uint8], sight: str) -> NDArray[np.float64]:
    """CIEDE2000 between any two of (K, 3) colours as seen with `sight`; about 2.3 is a just noticeable difference."""
    values = palette / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(SIGHTS[sight]), 0, 1)
    srgb = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = color.rgb2lab(srgb[None])[0]
    first, second = np.triu_indices(len(lab), 1)
    return color.deltaE_ciede2000(lab[first], lab[second])


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize(("name", "least"), [("streets", 14), ("cells", 24)])
def test_any_two_classes_of_a_sample_differ_plainly(name: str, least: float, sight: str) -> None:
    palette = ClassSet.read(SAMPLES / name).palette
    assert differences(palette, sight).min() > least


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize(("count", "least"), [(8, 10.5), (16, 9.5)])
def test_new_classes_get_colours_that_differ(count: int, least: float, sight: str) -> None:
    palette = ClassSet.from_names([f"class {k}" for k in range(count)]).palette
    assert len(DEFAULT_COLORS) >= count
    assert differences(palette, sight).min() > least


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize(("name", "least"), [("streets", 8), ("cells", 12)])
def test_a_typed_class_is_told_from_those_that_a_sample_has(name: str, least: float, sight: str) -> None:
    more = ClassSet.read(SAMPLES / name).with_class("street lamp").with_class("puddle")
    assert differences(more.palette, sight).min() > least
    assert more == ClassSet.read(SAMPLES / name).with_class("street lamp").with_class("puddle")


def test_a_typed_class_gets_some_colour_when_all_are_used() -> None:
    many = ClassSet.from_names([f"class {k}" for k in range(len(DEFAULT_COLORS))])
    assert {many.with_class("x")[-1].color, many.with_class("x").with_class("y")[-1].color} == set(
        DEFAULT_COLORS[:2]
    )


def test_the_measure_itself_knows_what_a_protanope_confuses() -> None:
    red_and_brown = np.array([[0xB0, 0x40, 0x30], [0xE0, 0x30, 0x3A]], np.uint8)
    assert differences(red_and_brown, "normal")[0] > 9
    assert differences(red_and_brown, "protanopia")[0] < 4
