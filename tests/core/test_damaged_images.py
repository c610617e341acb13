"""Damaged, empty and impossible image files end in one sentence that names the file and the remedy."""

from __future__ import annotations

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from semidavil_core.data.image_files import (
    read_image,
    to_rgb,
)
from semidavil_core.errors import InvalidImage

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY = RGB[..., 0]


def encoded(array: np.ndarray, kind: str) -> bytes:
    stream = io.BytesIO()
    if kind == "tif":
        tifffile.imwrite(stream, array, compression="zlib")
    else:
        Image.fromarray(array).save(stream, {"png": "PNG", "jpg": "JPEG"}[kind])
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["png", "jpg", "tif"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_truncated_file_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    content = encoded(RNG.integers(0, 256, (80, 80, 3), dtype=np.uint8), kind)
    path = tmp_path / f"night.{kind}"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InvalidImage, match=rf"night\.{kind}"):
        read_image(path)


@pytest.mark.parametrize("kind", ["png", "jpg", "tif"])
def test_a_damaged_file_never_raises_anything_else(tmp_path: Path, kind: str) -> None:
    content = bytearray(encoded(RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8), kind))
    path = tmp_path / f"a.{kind}"
    for seed in range(60):
        rng, damaged = np.random.default_rng(seed), bytearray(content)
        for position in rng.integers(8, min(len(content), 400), 3):
            damaged[position] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            image = read_image(path)
        except InvalidImage:
            continue
        assert image.dtype == np.uint8


def test_a_16_bit_png_that_is_truncated_is_refused(tmp_path: Path) -> None:
    content = imagecodecs.png_encode(RNG.integers(0, 65535, (40, 40, 3), dtype=np.uint16))
    (tmp_path / "a.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(InvalidImage, match="damaged or incomplete"):
        read_image(tmp_path / "a.png")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(InvalidImage, match="empty file"):
        read_image(tmp_path / "a.png")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidImage, match=r"nowhere\.png cannot be opened"):
        read_image(tmp_path / "nowhere.png")


def test_a_text_file_called_png_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(InvalidImage, match="no PNG, JPEG or TIFF"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("shape", [(0, 5), (5, 0, 3), (0, 0)])
def test_an_image_without_pixels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidImage, match="no pixels"):
        to_rgb(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, bad: float) -> None:
    floats = np.zeros((8, 8), np.float32)
    floats[1, 2] = bad
    tifffile.imwrite(tmp_path / "a.tif", floats)
    with pytest.raises(InvalidImage, match=r"a\.tif holds 1 values that are NaN or infinite"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("array", [np.zeros((4, 4), np.complex64), np.array([["a", "b"]])])
def test_values_that_are_no_real_numbers_are_refused(array: np.ndarray) -> None:
    with pytest.raises(InvalidImage, match="type"):
        to_rgb(array)
