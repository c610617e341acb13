"""Reading, finding and writing images: every supported kind arrives as upright uint8 RGB, every bad one as one clear sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from semidavil_core.data.image_files import (
    ChannelChoice,
    find_images,
    image_size,
    read_image,
    to_rgb,
    write_image,
)
from semidavil_core.errors import InvalidDataset, InvalidImage, InvalidSettings, OutputNotWritable

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY = RGB[..., 0]


def save_png(path: Path, array: np.ndarray, **options: Any) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def save_tiff(path: Path, array: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, array, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.TIFF"])
def test_an_8_bit_rgb_file_is_read_unchanged(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / name, RGB)
    np.testing.assert_array_equal(read_image(tmp_path / name), RGB)


def test_a_jpeg_is_read_closely(tmp_path: Path) -> None:
    smooth = np.linspace(0, 255, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    write_image(tmp_path / "a.jpg", smooth)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - smooth).mean() < 3


def test_grey_becomes_three_equal_colours(tmp_path: Path) -> None:
    image = read_image(save_png(tmp_path / "a.png", GREY))
    np.testing.assert_array_equal(image, np.repeat(GREY[..., None], 3, axis=2))


def test_alpha_is_dropped(tmp_path: Path) -> None:
    rgba = np.dstack([RGB, GREY])
    np.testing.assert_array_equal(read_image(save_png(tmp_path / "a.png", rgba)), RGB)
    np.testing.assert_array_equal(read_image(save_tiff(tmp_path / "a.tif", rgba)), RGB)
    np.testing.assert_array_equal(to_rgb(rgba), RGB)


def test_grey_with_alpha_is_grey(tmp_path: Path) -> None:
    Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(255 - GREY)]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[..., 1], GREY)


def test_a_palette_png_shows_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").tolist()[0] == [[255, 0, 0], [0, 0, 255]]


def test_a_palette_tiff_shows_its_colours(tmp_path: Path) -> None:
    colormap = np.zeros((3, 256), np.uint16)
    colormap[1, 7] = 65535
    save_tiff(tmp_path / "a.tif", np.full((4, 4), 7, np.uint8), photometric="palette", colormap=colormap)
    assert read_image(tmp_path / "a.tif")[0, 0].tolist() == [0, 255, 0]


def test_a_tiff_whose_white_is_zero_is_turned_round(tmp_path: Path) -> None:
    save_tiff(tmp_path / "a.tif", GREY, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], 255 - GREY)


def test_black_and_white_becomes_0_and_255(tmp_path: Path) -> None:
    Image.fromarray(GREY > 127).save(tmp_path / "a.png")
    assert set(np.unique(read_image(tmp_path / "a.png"))) == {0, 255}


def test_a_16_bit_colour_png_keeps_its_16_bits_until_it_is_scaled(tmp_path: Path) -> None:
    deep = RNG.integers(1000, 3000, (16, 16, 3), dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(deep))
    image = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image, to_rgb(deep))
    assert len(np.unique(image)) > 100  # reduced to 8 bits first, at most 9 different greys would be left


def test_a_16_bit_grey_png_and_tiff_agree(tmp_path: Path) -> None:
    deep = RNG.integers(0, 4096, (16, 16), dtype=np.uint16)
    png, tiff = save_png(tmp_path / "a.png", deep), save_tiff(tmp_path / "a.tif", deep)
    np.testing.assert_array_equal(read_image(png), read_image(tiff))


def test_16_bit_values_over_the_full_scale_stay_linear() -> None:
    deep = np.linspace(0, 65535, 10_000).round().astype(np.uint16).reshape(100, 100)
    np.testing.assert_allclose(to_rgb(deep)[..., 0], deep / 257, atol=0.51)


def test_a_dark_photograph_that_uses_a_quarter_of_16_bits_stays_dark() -> None:
    dark = np.linspace(0, 22000, 10_000).astype(np.uint16).reshape(100, 100)
    assert to_rgb(dark).max() == round(22000 / 257)


def test_12_bit_values_in_16_bits_are_stretched_to_all_greys() -> None:
    image = to_rgb(np.linspace(100, 4000, 10_000).astype(np.uint16).reshape(100, 100))
    assert (image.min(), image.max()) == (0, 255)
    assert 120 < image.mean() < 135


def test_a_hot_pixel_does_not_darken_the_image() -> None:
    plain = RNG.integers(100, 1000, (100, 100), dtype=np.uint16)
    hot = plain.copy()
    hot[3, 3] = 65535
    assert np.abs(to_rgb(hot).astype(int) - to_rgb(plain)).mean() < 2


def test_floats_within_0_and_1_stay_linear() -> None:
    floats = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(100, 100)
    np.testing.assert_allclose(to_rgb(floats)[..., 0], floats * 255, atol=0.51)


@pytest.mark.parametrize("constant", [0.0, 0.5, 1.0])
def test_a_constant_float_image_keeps_its_grey(constant: float) -> None:
    assert np.unique(to_rgb(np.full((8, 8), constant))).tolist() == [round(constant * 255)]


@pytest.mark.parametrize("scale", [0.01, 1e-6, 3e5])
def test_floats_in_other_units_are_stretched(scale: float) -> None:
    image = to_rgb(np.linspace(0, scale, 10_000, dtype=np.float64).reshape(100, 100))
    assert (image.min(), image.max()) == (0, 255)


def test_negative_values_are_stretched() -> None:
    image = to_rgb(np.linspace(-1000, 2000, 10_000).astype(np.int16).reshape(100, 100))
    assert (image.min(), image.max()) == (0, 255)


def test_a_photograph_is_stretched_with_one_scale_so_its_hues_stay() -> None:
    deep = RNG.integers(0, 4000, (64, 64, 3)).astype(np.uint16)
    deep[..., 2] //= 4
    assert to_rgb(deep)[..., 2].max() < 70


def test_microscopy_channels_are_stretched_each() -> None:
    deep = RNG.integers(0, 4000, (3, 64, 64)).astype(np.uint16)
    deep[2] //= 4
    assert to_rgb(deep, channels=(0, 1, 2))[..., 2].max() == 255


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for path in (tmp_path / "a.jpg", tmp_path / "a.png"):
        save_png(path, RGB, exif=exif)
        with Image.open(path) as image:
            expected = np.asarray(ImageOps.exif_transpose(image))
        np.testing.assert_array_equal(read_image(path), expected)
        assert image_size(path) == expected.shape[:2]


def test_a_cmyk_jpeg_is_read_as_rgb(tmp_path: Path) -> None:
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "a.jpg")
    assert read_image(tmp_path / "a.jpg").shape == RGB.shape
    assert image_size(tmp_path / "a.jpg") == (20, 30)


def test_the_content_decides_the_format_not_the_name(tmp_path: Path) -> None:
    png = save_png(tmp_path / "a.png", RGB)
    np.testing.assert_array_equal(read_image(png.rename(tmp_path / "a.jpg")), RGB)


# Channels -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"ome": True}, {"imagej": True}])
def test_declared_channels_are_found_first(tmp_path: Path, options: dict[str, bool]) -> None:
    planes = RNG.integers(0, 256, (5, 20, 30), dtype=np.uint8)
    path = save_tiff(tmp_path / "a.tif", planes, metadata={"axes": "CYX"}, **options)
    np.testing.assert_array_equal(read_image(path, (4, 0, 2)), np.moveaxis(planes[[4, 0, 2]], 0, -1))
    assert image_size(path, (4, 0, 2)) == (20, 30)


def test_three_declared_channels_need_no_choice(tmp_path: Path) -> None:
    planes = np.moveaxis(RGB, -1, 0)
    path = save_tiff(tmp_path / "a.tif", planes, photometric="minisblack", metadata={"axes": "CYX"}, ome=True)
    np.testing.assert_array_equal(read_image(path), RGB)


def test_planar_rgb_is_read_as_rgb(tmp_path: Path) -> None:
    path = save_tiff(tmp_path / "a.tif", np.moveaxis(RGB, -1, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_image(path), RGB)


@pytest.mark.parametrize("shape", [(5, 20, 30), (20, 30, 5)])
def test_undeclared_channels_are_found_first_or_last_by_a_choice(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    planes = RNG.integers(0, 256, shape, dtype=np.uint8)
    image = read_image(save_tiff(tmp_path / "a.tif", planes), (3,))
    expected = planes[3] if shape[0] == 5 else planes[..., 3]
    np.testing.assert_array_equal(image[..., 1], expected)


def test_an_empty_colour_stays_black() -> None:
    image = to_rgb(RGB, ChannelChoice(None, 0, None))
    np.testing.assert_array_equal(image[..., 1], RGB[..., 0])
    assert not image[..., [0, 2]].any()


@pytest.mark.parametrize(
    ("text", "choice"),
    [("1,0,2", (1, 0, 2)), ("1, 0", (1, 0, None)), ("-,1,2", (None, 1, 2)), ("3", (3, 3, 3))],
)
def test_a_channel_choice_is_parsed(text: str, choice: tuple[int | None, ...]) -> None:
    assert ChannelChoice.parse(text) == choice


@pytest.mark.parametrize("text", ["", "a", "1,2,3,4", "-1", "1.5", "-", "1,,2"])
def test_a_bad_channel_choice_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidSettings, match="1,0,2"):
        ChannelChoice.parse(text)


@pytest.mark.parametrize("count", [2, 4, 5, 8])
def test_many_or_two_channels_without_a_choice_are_refused_with_the_remedy(
    tmp_path: Path, count: int
) -> None:
    planes = np.zeros((count, 20, 30), np.uint8)
    path = save_tiff(tmp_path / "a.tif", planes, photometric="minisblack", metadata={"axes": "CYX"}, ome=True)
    with pytest.raises(InvalidImage, match=rf"a\.tif has {count} channels; choose .*0,1,2"):
        read_image(path)
    with pytest.raises(InvalidImage, match="choose"):
        image_size(path)


def test_an_undeclared_first_axis_is_never_taken_for_channels_silently() -> None:
    with pytest.raises(
        InvalidImage, match=r"\(3, 20, 30\).*channels or a stack.*save the planes as single images"
    ):
        to_rgb(np.zeros((3, 20, 30), np.uint8))


@pytest.mark.parametrize("axes", ["ZYX", "TYX"])
@pytest.mark.parametrize("count", [3, 5])
@pytest.mark.parametrize("choice", [None, (0, 1, 2)])
def test_a_declared_stack_is_refused(
    tmp_path: Path, axes: str, count: int, choice: tuple[int, ...] | None
) -> None:
    path = save_tiff(
        tmp_path / "a.tif", np.zeros((count, 20, 30), np.uint8), metadata={"axes": axes}, imagej=True
    )
    with pytest.raises(InvalidImage, match="stack"):
        read_image(path, choice)


@pytest.mark.parametrize("shape", [(20, 30, 40), (5, 20, 5), (2, 5, 20, 30), (7,)])
def test_an_ambiguous_shape_is_refused_with_what_to_do(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidImage, match="save"):
        to_rgb(np.zeros(shape, np.uint8), (0,))


def test_several_images_in_one_tiff_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(np.zeros((8, 9), np.uint8))
        tiff.write(np.zeros((10, 9), np.uint8))
    with pytest.raises(InvalidImage, match="2 separate images"):
        read_image(tmp_path / "a.tif")


def test_axes_of_length_one_do_not_matter(tmp_path: Path) -> None:
    path = save_tiff(tmp_path / "a.tif", GREY[None, None], metadata={"axes": "ZCYX"}, imagej=True)
    np.testing.assert_array_equal(read_image(path)[..., 0], GREY)


@pytest.mark.parametrize("choice", [(3,), (0, 1, 7), (-1,)])
def test_a_channel_that_is_not_there_is_named(choice: tuple[int, ...]) -> None:
    with pytest.raises(InvalidImage, match=r"has no channel .*allowed are 0 to 2"):
        to_rgb(RGB, choice)


# Folders and writing ------------------------------------------------------------------------------------------------------


def test_images_are_found_sorted_in_the_folder_or_in_its_images_folder(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.tif", "c.ome.tif", "._a.png", "notes.txt"):
        (tmp_path / name).touch()
    assert list(find_images(tmp_path)) == ["a", "b", "c"]
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "z.jpeg").touch()
    assert list(find_images(tmp_path)) == ["z"]


def test_two_images_of_one_stem_are_refused(tmp_path: Path) -> None:
    for name in ("a.png", "a.tif"):
        (tmp_path / name).touch()
    with pytest.raises(InvalidDataset, match=r"a\.png and a\.tif"):
        find_images(tmp_path)


def test_a_missing_or_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="does not exist"):
        find_images(tmp_path / "nowhere")
    with pytest.raises(InvalidDataset, match="holds no PNG"):
        find_images(tmp_path)
    (tmp_path / "a.bmp").touch()
    with pytest.raises(InvalidDataset, match=r"\.bmp"):
        find_images(tmp_path)
    with pytest.raises(InvalidDataset, match="is a file"):
        find_images(tmp_path / "a.bmp")


def test_files_of_other_kinds_beside_images_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a.png", "b.bmp"):
        (tmp_path / name).touch()
    assert list(find_images(tmp_path)) == ["a"]
    assert ".bmp" in caplog.text


def test_an_unknown_ending_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritable, match=r"\.bmp"):
        write_image(tmp_path / "a.bmp", RGB)
    assert not list(tmp_path.iterdir())
