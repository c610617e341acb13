"""Source, target and evaluation domains from folders and from memory."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semidavil_core.classes import ClassSet
from semidavil_core.data.domains import (
    FolderDomain,
    FolderEntry,
    MemoryDomain,
    Sample,
    check_scribbles,
    class_frequencies,
    open_evaluation,
    open_images,
    open_labelled,
    open_target,
)
from semidavil_core.data.image_cache import ImageCache
from semidavil_core.errors import InvalidDataset, InvalidImage, InvalidLabels

CLASSES = ClassSet.from_names(["road", "pole", "sky"])
RNG = np.random.default_rng(0)


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def image(height: int = 20, width: int = 30) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def labels(height: int = 20, width: int = 30, value: int | None = None) -> np.ndarray:
    if value is not None:
        return np.full((height, width), value, np.uint8)
    return RNG.integers(0, 3, (height, width), dtype=np.uint8)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for name, size in (("b", (20, 30)), ("a", (31, 17))):  # images of different sizes in one folder
        save(tmp_path / "set" / "images" / f"{name}.png", image(*size))
        save(tmp_path / "set" / "labels" / f"{name}.png", labels(*size))
    return tmp_path / "set"


def test_a_labelled_folder_gives_pairs_of_any_size_in_order(dataset: Path) -> None:
    domain = open_labelled(dataset, CLASSES)
    assert domain.names == ("a", "b")
    assert [s.image.shape for s in domain] == [(31, 17, 3), (20, 30, 3)]
    assert all(s.labels is not None and s.labels.shape == s.image.shape[:2] for s in domain)


@pytest.mark.parametrize("removed", ["images", "labels"])
def test_a_missing_partner_is_named(dataset: Path, removed: str) -> None:
    (dataset / removed / "b.png").unlink()
    with pytest.raises(InvalidDataset, match=r"\bb\b"):
        open_labelled(dataset, CLASSES)


def test_many_missing_partners_are_not_all_listed(dataset: Path) -> None:
    for i in range(9):
        save(dataset / "images" / f"x{i}.png", image())
    with pytest.raises(InvalidDataset, match="x0, x1, x2, x3, x4 and 4 more"):
        open_labelled(dataset, CLASSES)


@pytest.mark.parametrize("folder", ["images", "labels"])
def test_a_missing_subfolder_is_named(dataset: Path, folder: str) -> None:
    (dataset / folder).rename(dataset / "elsewhere")
    with pytest.raises(InvalidDataset, match=f"{folder} does not exist"):
        open_labelled(dataset, CLASSES)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    for opening in (lambda p: open_labelled(p, CLASSES), open_images, lambda p: open_target(p, p, CLASSES)):
        with pytest.raises(InvalidDataset, match="nowhere does not exist"):
            opening(tmp_path / "nowhere")


def test_image_and_labels_of_different_sizes_are_refused_with_both_sizes(dataset: Path) -> None:
    save(dataset / "labels" / "b.png", labels(20, 31))
    with pytest.raises(InvalidLabels, match=r"b\.png is 20 x 30 .*b\.png is 20 x 31"):
        open_labelled(dataset, CLASSES)


def test_an_unreadable_image_is_refused_when_the_folder_is_opened(dataset: Path) -> None:
    (dataset / "images" / "b.png").write_bytes(b"")
    with pytest.raises(InvalidImage, match=r"b\.png is an empty file"):
        open_images(dataset)


def test_a_label_value_that_is_no_class_is_refused_when_it_is_read(dataset: Path) -> None:
    save(dataset / "labels" / "b.png", labels(value=9))
    domain = open_labelled(dataset, CLASSES)
    assert domain[0].name == "a"
    with pytest.raises(InvalidLabels, match=r"b\.png.*\[9\]"):
        domain[1]


def test_images_alone_have_no_labels(dataset: Path) -> None:
    assert [s.labels for s in open_images(dataset)] == [None, None]
    assert open_images(dataset / "images").names == ("a", "b")


@pytest.mark.parametrize("subfolder", ["", "scribbles", "labels"])
def test_target_images_have_labels_where_there_are_scribbles(
    dataset: Path, tmp_path: Path, subfolder: str
) -> None:
    strokes = labels(value=200)
    strokes[0, :5], strokes[1, :5] = 0, 2
    save(tmp_path / "strokes" / subfolder / "b.png", strokes)
    first, second = open_target(dataset, tmp_path / "strokes", CLASSES)
    assert first.labels is None
    assert second.labels is not None
    assert np.unique(second.labels).tolist() == [0, 2, 255]


def test_a_scribble_without_image_is_refused(dataset: Path, tmp_path: Path) -> None:
    save(tmp_path / "strokes" / "z.png", labels())
    with pytest.raises(InvalidDataset, match=r"label maps for z"):
        open_target(dataset, tmp_path / "strokes", CLASSES)


def test_scribbles_of_nothing_are_refused_with_what_to_paint(dataset: Path, tmp_path: Path) -> None:
    save(tmp_path / "strokes" / "b.png", labels(value=255))
    with pytest.raises(InvalidLabels, match=r"no scribbles at all; paint .*0 = road"):
        open_target(dataset, tmp_path / "strokes", CLASSES)


def test_scribbles_of_one_class_are_refused_by_its_name(dataset: Path, tmp_path: Path) -> None:
    save(tmp_path / "strokes" / "b.png", labels(value=1))
    with pytest.raises(InvalidLabels, match="class pole only"):
        open_target(dataset, tmp_path / "strokes", CLASSES)


def test_two_classes_on_two_images_are_enough(dataset: Path, tmp_path: Path) -> None:
    save(tmp_path / "strokes" / "a.png", labels(31, 17, value=1))
    save(tmp_path / "strokes" / "b.png", labels(value=2))
    assert len(open_target(dataset, tmp_path / "strokes", CLASSES)) == 2


def test_evaluation_keeps_only_images_with_labels(dataset: Path) -> None:
    save(dataset / "images" / "unlabelled.png", image())
    domain = open_evaluation(dataset / "images", dataset / "labels", CLASSES)
    assert domain.names == ("a", "b")
    save(dataset / "labels" / "z.png", labels())
    with pytest.raises(InvalidDataset, match="for z"):
        open_evaluation(dataset / "images", dataset / "labels", CLASSES)


def test_a_channel_choice_reaches_every_image(dataset: Path) -> None:
    plain, swapped = open_images(dataset), open_images(dataset, (2, 1, 0))
    np.testing.assert_array_equal(swapped[0].image, plain[0].image[..., ::-1])
    with pytest.raises(InvalidImage, match="no channel 5"):
        open_images(dataset, (5,))


def test_a_sample_is_decoded_once_while_it_fits_the_cache(dataset: Path) -> None:
    domain = open_labelled(dataset, CLASSES)
    assert domain[0].image is domain[0].image
    uncached = FolderDomain([FolderEntry("a", dataset / "images" / "a.png")], cache_bytes=0)
    assert uncached[0].image is not uncached[0].image


def test_the_cache_forgets_the_longest_unused_and_stays_within_its_bytes() -> None:
    cache, read = ImageCache(250), []

    def get(key: int) -> None:
        cache.get(key, lambda: read.append(key) or np.zeros(100, np.uint8))  # type: ignore[func-returns-value]

    for key in (0, 1, 0, 2, 0, 1):
        get(key)
    assert read == [0, 1, 2, 1]
    assert cache.bytes_used == 200


def test_several_threads_may_read_one_domain(dataset: Path) -> None:
    domain, shapes = open_labelled(dataset, CLASSES), []

    def read() -> None:
        shapes.extend(domain[i % 2].image.shape for i in range(20))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(shapes) == 80


def test_class_frequencies_are_shares_of_the_labelled_pixels() -> None:
    map_ = np.array([[0, 0, 0, 2], [255, 255, 255, 255]], np.uint8)
    pixels = np.zeros((2, 4, 3), np.uint8)
    domain = MemoryDomain([Sample("a", pixels, map_), Sample("b", pixels)])
    np.testing.assert_allclose(class_frequencies(domain, 3), [0.75, 0, 0.25])
    np.testing.assert_allclose(class_frequencies(MemoryDomain([Sample("b", pixels)]), 3), 0)


def test_scribbles_that_can_teach_are_told_by_their_classes() -> None:
    pixels = np.zeros((2, 4, 3), np.uint8)
    first = Sample("a", pixels, np.full((2, 4), 2, np.uint8))
    second = Sample("b", pixels, np.array([[0, 255, 255, 255]] * 2, np.uint8))
    assert check_scribbles(MemoryDomain([first, second]), CLASSES) == [CLASSES.names[0], CLASSES.names[2]]
    with pytest.raises(InvalidLabels, match=CLASSES.names[2]):
        check_scribbles(MemoryDomain([first]), CLASSES)


def test_a_class_index_beyond_the_classes_is_refused() -> None:
    domain = MemoryDomain([Sample("a", np.zeros((2, 2, 3), np.uint8), np.full((2, 2), 3, np.uint8))])
    with pytest.raises(InvalidLabels, match=r"\[3\]"):
        check_scribbles(domain, CLASSES)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((4, 4), np.uint8), ((4, 4, 4), np.uint8), ((4, 4, 3), np.float32), ((0, 4, 3), np.uint8)],
)
def test_a_sample_takes_only_uint8_rgb(shape: tuple[int, ...], dtype: type) -> None:
    with pytest.raises(InvalidImage, match="to_rgb"):
        Sample("a", np.zeros(shape, dtype))


def test_a_sample_takes_only_labels_of_its_size() -> None:
    with pytest.raises(InvalidLabels, match=r"4 x 4 .* 4 x 5"):
        Sample("a", np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), np.uint8))
    with pytest.raises(InvalidLabels, match="int64"):
        Sample("a", np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.int64))  # type: ignore[arg-type]


def test_two_samples_of_one_name_are_refused() -> None:
    sample = Sample("twice", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(InvalidDataset, match="twice"):
        MemoryDomain([sample, sample])
