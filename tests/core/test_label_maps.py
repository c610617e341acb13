"""Label maps in files and predictions as files and pictures."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from semidavil_core.classes import ClassInfo, ClassSet
from semidavil_core.data.image_files import read_label_values, write_label_map
from semidavil_core.data.label_files import label_size, read_labels
from semidavil_core.errors import InvalidImage, InvalidLabels, OutputNotWritable
from semidavil_core.export.label_maps import figure, legend_strip, overlay, safe_file_name, write_prediction

CLASSES = ClassSet(
    (
        ClassInfo("road", (), "#804080", 7),
        ClassInfo("pole", (), "#999999", 17),
        ClassInfo("sky", (), "#4682b4", 23),
    )
)
VALUES = np.array([[7, 7, 17], [23, 255, 17]], np.uint8)
INDICES = np.array([[0, 0, 1], [2, 255, 1]], np.uint8)
COLOURS = CLASSES.palette[np.where(INDICES == 255, 0, INDICES)]


def save(path: Path, array: np.ndarray) -> Path:
    if path.suffix == ".tif":
        tifffile.imwrite(path, array)
    else:
        Image.fromarray(array).save(path)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.tiff"])
def test_a_written_label_map_holds_values_shows_colours_and_comes_back(tmp_path: Path, name: str) -> None:
    write_label_map(tmp_path / name, INDICES, CLASSES)
    np.testing.assert_array_equal(read_label_values(tmp_path / name), VALUES)
    np.testing.assert_array_equal(read_labels(tmp_path / name, CLASSES), INDICES)
    assert label_size(tmp_path / name) == (2, 3)


def test_a_written_png_shows_the_class_colours(tmp_path: Path) -> None:
    write_label_map(tmp_path / "a.png", INDICES, CLASSES)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P"
        assert image.convert("RGB").getpixel((0, 1)) == (0x46, 0x82, 0xB4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_label_values_of_any_number_type_are_read(tmp_path: Path, dtype: type) -> None:
    path = save(tmp_path / "a.tif", VALUES.astype(dtype))
    np.testing.assert_array_equal(read_labels(path, CLASSES), INDICES)


def test_a_black_and_white_png_holds_0_and_1(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.array([[True, False]]))
    assert read_labels(path, ClassSet.from_names(["no", "yes"])).tolist() == [[1, 0]]


@pytest.mark.parametrize("depth", [2, 4])
def test_a_png_of_few_bits_gives_its_stored_numbers(tmp_path: Path, depth: int) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    row = (
        bytes([0, 0b00011011]) if depth == 2 else bytes([0, 0x01, 0x23])
    )  # filter byte, then the numbers 0 1 2 3
    header = struct.pack(">IIBBBBB", 4, 1, depth, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(row)), chunk(b"IEND", b"")]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    assert read_label_values(tmp_path / "a.png").tolist() == [[0, 1, 2, 3]]


def test_an_unknown_value_is_named_with_the_file_and_what_is_allowed(tmp_path: Path) -> None:
    path = save(tmp_path / "night.png", np.array([[7, 9]], np.uint8))
    with pytest.raises(InvalidLabels, match=r"night\.png.*\[9\].*\[7, 17, 23\]"):
        read_labels(path, CLASSES)


def test_in_scribbles_an_unknown_value_is_unlabelled(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.array([[7, 9, 0]], np.uint8))
    assert read_labels(path, CLASSES, unlisted_is_ignored=True).tolist() == [[0, 255, 255]]


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_exact_class_colours_are_converted(tmp_path: Path, name: str) -> None:
    indices = read_labels(save(tmp_path / name, COLOURS), CLASSES)
    assert indices.tolist() == [[0, 0, 1], [2, 0, 1]]


def test_transparent_pixels_have_no_label(tmp_path: Path) -> None:
    alpha = np.where(INDICES == 255, 0, 255).astype(np.uint8)
    path = save(tmp_path / "a.png", np.dstack([COLOURS, alpha]))
    np.testing.assert_array_equal(read_labels(path, CLASSES), INDICES)


def test_transparent_pixels_of_a_grey_map_have_no_label_but_visible_ones_must_be_classes(
    tmp_path: Path,
) -> None:
    grey, alpha = (
        Image.fromarray(np.array([[7, 99]], np.uint8)),
        Image.fromarray(np.array([[255, 0]], np.uint8)),
    )
    Image.merge("LA", [grey, alpha]).save(tmp_path / "a.png")
    assert read_labels(tmp_path / "a.png", CLASSES).tolist() == [[0, 255]]
    Image.merge("LA", [Image.fromarray(np.array([[99, 7]], np.uint8)), alpha]).save(tmp_path / "b.png")
    with pytest.raises(InvalidLabels, match="99"):
        read_labels(tmp_path / "b.png", CLASSES)


def test_a_colour_that_is_no_class_is_named(tmp_path: Path) -> None:
    colours = COLOURS.copy()
    colours[0, 0] = (1, 2, 3)
    with pytest.raises(InvalidLabels, match=r"#010203.*exactly the colours"):
        read_labels(save(tmp_path / "a.png", colours), CLASSES)


def test_in_coloured_scribbles_other_colours_are_unlabelled(tmp_path: Path) -> None:
    colours = COLOURS.copy()
    colours[0, 0] = (0, 0, 0)
    path = save(tmp_path / "a.png", colours)
    assert read_labels(path, CLASSES, unlisted_is_ignored=True).tolist() == [[255, 0, 1], [2, 0, 1]]


def test_a_blank_coloured_scribble_canvas_is_unlabelled_even_if_a_class_has_the_value_0(
    tmp_path: Path,
) -> None:
    path = save(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    assert (read_labels(path, ClassSet.from_names(["a", "b"]), unlisted_is_ignored=True) == 255).all()


def test_class_values_saved_as_grey_rgb_are_read_as_values(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.repeat(VALUES[..., None], 3, axis=2))
    np.testing.assert_array_equal(read_labels(path, CLASSES), INDICES)
    np.testing.assert_array_equal(read_label_values(path), VALUES)


def test_a_colour_that_two_classes_share_is_refused(tmp_path: Path) -> None:
    shared = ClassSet((ClassInfo("a", (), "#ff0000", 0), ClassInfo("b", (), "#FF0000", 1)))
    path = save(tmp_path / "a.png", np.full((2, 2, 3), (255, 0, 0), np.uint8))
    with pytest.raises(InvalidLabels, match="several classes share"):
        read_labels(path, shared)


def test_colours_are_no_values(tmp_path: Path) -> None:
    with pytest.raises(InvalidLabels, match="holds colours"):
        read_label_values(save(tmp_path / "a.png", COLOURS))


def test_a_jpeg_is_no_label_map(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", VALUES)
    for read in (read_label_values, label_size):
        with pytest.raises(InvalidLabels, match="JPEG"):
            read(path)


@pytest.mark.parametrize("bad", [0.5, np.nan, np.inf])
def test_fractions_are_no_labels(tmp_path: Path, bad: float) -> None:
    with pytest.raises(InvalidLabels, match="no whole numbers"):
        read_labels(save(tmp_path / "a.tif", np.array([[7, bad]], np.float32)), CLASSES)


@pytest.mark.parametrize("shape", [(5, 20, 30), (20, 30, 5), (4, 5, 20, 30)])
def test_a_stack_is_no_label_map(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidLabels, match="shape"):
        read_labels(save(tmp_path / "a.tif", np.zeros(shape, np.uint8)), CLASSES)


def test_a_truncated_label_map_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 3, (64, 64), dtype=np.uint8)).save(stream, "PNG")
    (tmp_path / "a.png").write_bytes(stream.getvalue()[:300])
    with pytest.raises(InvalidImage, match=r"a\.png"):
        read_labels(tmp_path / "a.png", CLASSES)


def test_a_label_map_is_written_as_png_or_tiff_only(tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritable, match=r"\.jpg"):
        write_label_map(tmp_path / "a.jpg", INDICES, CLASSES)


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_a_prediction_is_written_with_its_confidence(tmp_path: Path, kind: str) -> None:
    confidence = np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3)
    labels, beside = write_prediction(tmp_path / "out", "night 1", INDICES, CLASSES, confidence, kind)  # type: ignore[arg-type]
    assert labels == tmp_path / "out" / f"night 1.{kind}"
    np.testing.assert_array_equal(read_labels(labels, CLASSES), INDICES)
    stored = np.asarray(Image.open(beside)) / 255 if kind == "png" else tifffile.imread(beside)
    np.testing.assert_allclose(stored, confidence, atol=1 / 510)


def test_a_prediction_without_confidence_is_one_file(tmp_path: Path) -> None:
    assert write_prediction(tmp_path, "a", INDICES, CLASSES) == (tmp_path / "a.png",)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("name", "safe"), [("a/b:c", "a_b_c"), ("../x", "_x"), ("..", "image"), ("Straße 1", "Straße 1")]
)
def test_a_layer_name_becomes_a_file_name_within_the_folder(name: str, safe: str) -> None:
    assert safe_file_name(name) == safe


def test_an_overlay_mixes_colours_and_leaves_ignored_pixels() -> None:
    image = np.full((2, 3, 3), 100, np.uint8)
    mixed = overlay(image, INDICES, CLASSES, alpha=0.5)
    assert mixed[0, 0].tolist() == [114, 82, 114]
    assert mixed[1, 1].tolist() == [100, 100, 100]
    np.testing.assert_array_equal(overlay(image, INDICES, CLASSES, alpha=0.0), image)
    np.testing.assert_array_equal(overlay(image, INDICES, CLASSES, alpha=1.0)[0, 2], CLASSES.palette[1])


def test_a_legend_shows_every_colour_and_wraps_into_its_width() -> None:
    wide, narrow = legend_strip(CLASSES, 400), legend_strip(CLASSES, 90)
    assert (wide.shape[1], narrow.shape[1]) == (400, 90)
    assert narrow.shape[0] > wide.shape[0]
    for colour in CLASSES.palette:
        assert (wide == colour).all(axis=-1).any()
        assert (narrow == colour).all(axis=-1).any()


def test_a_figure_holds_every_picture_with_title_and_legend() -> None:
    panels = [(f"picture {i}", np.full((40, 60 + i, 3), 10 + i, np.uint8)) for i in range(3)]
    sheet = figure(panels, CLASSES, columns=2)
    for _, image in panels:
        assert int((sheet == image[0, 0]).all(axis=-1).sum()) >= image[..., 0].size
    assert (sheet == CLASSES.palette[0]).all(axis=-1).any()
    assert figure([]).dtype == np.uint8
