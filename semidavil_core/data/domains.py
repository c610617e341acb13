"""Domains: the images of one world (source, target, evaluation) with the labels that there are.

In memory or in folders: a dataset folder holds ``images/`` and ``labels/`` with the same stems, and ``classes.json``. Folders are
checked when they are opened (stems, readable headers, channels, equal sizes) and decoded when a sample is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from semidavil_core.classes import IGNORE_INDEX, ClassSet
from semidavil_core.data.channels import Channels
from semidavil_core.data.image_cache import ImageCache
from semidavil_core.data.image_files import find_images, image_size, read_image
from semidavil_core.data.label_files import label_size, read_labels
from semidavil_core.errors import InvalidDataset, InvalidImage, InvalidLabels

CACHE_BYTES: Final = 2**30
_NAMED_STEMS: Final = 5
_MARKED_PIXELS: Final = 64  # of each side of an image, for its mark


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image and its labels. The arrays may be shared with a cache: copy before changing them in place.

    Parameters
    ----------
    name
        Unique within its domain; the file's stem.
    image
        (H, W, 3) uint8 RGB.
    labels
        (H, W) uint8 class indices, 255 = no label; None if the image has no label map.
    hints
        Likewise, but not from a person: they teach less than labels do.
    """

    name: str
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None = None
    hints: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        if (
            self.image.ndim != 3
            or self.image.shape[2] != 3
            or self.image.dtype != np.uint8
            or self.image.size == 0
        ):
            raise InvalidImage(
                f"The image {self.name} is {self.image.dtype} of the shape {self.image.shape}; "
                "expected uint8 (H, W, 3): convert it with to_rgb."
            )
        if self.labels is None:
            return
        if self.labels.dtype != np.uint8 or self.labels.ndim != 2:
            raise InvalidLabels(
                f"The labels of {self.name} are {self.labels.dtype} of the shape {self.labels.shape}; expected uint8 (H, W)."
            )
        _require_same_size(self.name, self.image.shape[:2], f"its labels ({self.name})", self.labels.shape)

    @property
    def is_painted(self) -> bool:
        """Whether any pixel has a label."""
        return self.labels is not None and bool((self.labels != IGNORE_INDEX).any())

    @property
    def mark(self) -> str:
        """What tells the image from another one of its name: a digest of every n-th pixel, in hexadecimal digits."""
        rows, columns = (max(1, side // _MARKED_PIXELS) for side in self.image.shape[:2])
        some = np.ascontiguousarray(self.image[::rows, ::columns])
        return hashlib.blake2b(some.tobytes(), digest_size=8).hexdigest()


class Domain(Protocol):
    """A fixed sequence of samples."""

    @property
    def names(self) -> tuple[str, ...]:
        """The samples' names in order."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


class MemoryDomain:
    """A domain of samples that are in memory.

    Raises
    ------
    InvalidDataset
        Two samples have one name.
    """

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = tuple(samples)
        names = self.names
        if repeated := sorted({n for n in names if names.count(n) > 1}):
            raise InvalidDataset(
                f"Several images are called {_listed(repeated)}; give every image a name of its own."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The samples' names in order."""
        return tuple(s.name for s in self._samples)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        return self._samples[index]

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._samples)


class MappedDomain:
    """A domain whose samples are seen through a function.

    Parameters
    ----------
    base
        The domain.
    change
        Gives the sample to see in place of one of `base`, under the same name.
    """

    def __init__(self, base: Domain, change: Callable[[Sample], Sample]) -> None:
        self._base = base
        self._change = change

    @property
    def names(self) -> tuple[str, ...]:
        """The samples' names in order."""
        return self._base.names

    def __len__(self) -> int:
        return len(self._base)

    def __getitem__(self, index: int) -> Sample:
        return self._change(self._base[index])


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """The files of one sample."""

    name: str
    image: Path
    labels: Path | None = None


class FolderDomain:
    """A domain in files, decoded on demand and kept in a cache of bounded size; one reader or several threads.

    Parameters
    ----------
    entries
        The files.
    classes
        Needed where an entry has labels.
    channels
        Channel choice for multi-channel images.
    unlisted_is_ignored
        Labels are scribbles: what is no class is not labelled.
    cache_bytes
        How many bytes of decoded images and labels are kept.

    Raises
    ------
    InvalidImage, InvalidLabels
        A header is unreadable, an image needs a channel choice, or an image and its labels differ in size. What only decoding shows
        (truncated data, NaN, values that are no class) is raised when the sample is read.
    """

    def __init__(
        self,
        entries: Sequence[FolderEntry],
        classes: ClassSet | None = None,
        *,
        channels: Channels | None = None,
        unlisted_is_ignored: bool = False,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._entries = tuple(entries)
        self._classes = classes
        self._channels = channels
        self._unlisted_is_ignored = unlisted_is_ignored
        self._cache = ImageCache(cache_bytes)
        for entry in self._entries:
            size = image_size(entry.image, channels)
            if entry.labels is not None:
                _require_same_size(str(entry.image), size, str(entry.labels), label_size(entry.labels))

    @property
    def names(self) -> tuple[str, ...]:
        """The samples' names in order."""
        return tuple(e.name for e in self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Sample:
        entry = self._entries[index]
        image = self._cache.get(entry.image, partial(read_image, entry.image, self._channels))
        return Sample(entry.name, image, self.labels(index))

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def labels(self, index: int) -> NDArray[np.uint8] | None:
        """The labels of one sample alone, without decoding its image."""
        path, classes = self._entries[index].labels, self._classes
        if path is None or classes is None:
            return None
        read = partial(read_labels, path, classes, unlisted_is_ignored=self._unlisted_is_ignored)
        return self._cache.get(path, read)


def open_labelled(folder: Path | str, classes: ClassSet, channels: Channels | None = None) -> FolderDomain:
    """Open a fully labelled dataset folder: ``images/`` and ``labels/`` with the same stems.

    Raises
    ------
    InvalidDataset
        A folder is missing or empty, a stem occurs twice, or images and labels do not pair up.
    InvalidImage, InvalidLabels
        As :class:`FolderDomain`.
    """
    folder = Path(folder)
    images = find_images(folder / "images" if folder.is_dir() else folder)
    labels = find_images(folder / "labels")
    if missing := sorted(set(images) - set(labels)):
        raise InvalidDataset(
            f"{folder / 'labels'} has no label map for the images {_listed(missing)}; add them or remove the images."
        )
    _refuse_extra(labels, images, folder / "labels", folder / "images")
    return FolderDomain([FolderEntry(n, p, labels[n]) for n, p in images.items()], classes, channels=channels)


def open_images(folder: Path | str, channels: Channels | None = None) -> FolderDomain:
    """Open a folder of images (or its ``images/``) without labels; raises as :func:`open_labelled`."""
    return FolderDomain([FolderEntry(n, p) for n, p in find_images(folder).items()], channels=channels)


def open_target(
    folder: Path | str, scribbles: Path | str, classes: ClassSet, channels: Channels | None = None
) -> FolderDomain:
    """Open target images of which some have scribbles.

    Parameters
    ----------
    folder
        The images (or their parent of ``images/``).
    scribbles
        Sparse label maps with the stems of some images; the folder itself, or its ``scribbles/`` or ``labels/``. Values that are no
        class mean "not labelled".
    classes
        Class values and colours.
    channels
        Channel choice for multi-channel images.

    Raises
    ------
    InvalidDataset
        A folder is missing or empty, a stem occurs twice, or a scribble belongs to no image.
    InvalidLabels
        There is no scribble at all, or scribbles of one class only; or as :class:`FolderDomain`.
    InvalidImage
        As :class:`FolderDomain`.
    """
    domain = open_painted(folder, scribbles, classes, channels)
    check_scribbles(domain, classes, where=str(scribbles))
    return domain


def open_painted(
    folder: Path | str, scribbles: Path | str | None, classes: ClassSet, channels: Channels | None = None
) -> FolderDomain:
    """Open images of which some, or none, have scribbles; :func:`open_target` without its check that they can teach."""
    images = find_images(folder)
    strokes = {} if scribbles is None else find_images(scribbles, subfolders=("scribbles", "labels"))
    _refuse_extra(strokes, images, Path(scribbles or folder), Path(folder))
    entries = [FolderEntry(n, p, strokes.get(n)) for n, p in images.items()]
    return FolderDomain(entries, classes, channels=channels, unlisted_is_ignored=True)


def open_evaluation(
    images: Path | str, labels: Path | str, classes: ClassSet, channels: Channels | None = None
) -> FolderDomain:
    """Open images with full labels from two folders; images without labels are left out, labels without image are an error.

    Raises
    ------
    InvalidDataset
        A folder is missing or empty, a stem occurs twice, or a label map belongs to no image.
    InvalidImage, InvalidLabels
        As :class:`FolderDomain`.
    """
    pictures = find_images(images)
    maps = find_images(labels, subfolders=("labels",))
    _refuse_extra(maps, pictures, Path(labels), Path(images))
    return FolderDomain([FolderEntry(n, pictures[n], p) for n, p in maps.items()], classes, channels=channels)


def check_scribbles(domain: Domain, classes: ClassSet, *, where: str = "The target domain") -> list[str]:
    """Make sure that scribbles can teach something: at least two classes are painted.

    Returns
    -------
    list of str
        Names of the painted classes, in the order of `classes`.

    Raises
    ------
    InvalidLabels
        No pixel, or pixels of one class only, are labelled.
    """
    painted = labelled_names(domain, classes)
    if not painted:
        allowed = ", ".join(f"{c.value} = {c.name}" for c in classes)
        raise InvalidLabels(
            f"{where} holds no scribbles at all; paint strokes of at least two classes ({allowed})."
        )
    if len(painted) == 1:
        raise InvalidLabels(
            f"{where} holds scribbles of the class {painted[0]} only; paint a stroke of at least one other class."
        )
    return painted


def class_counts(domain: Domain, num_classes: int) -> NDArray[np.int64]:
    """Labelled pixels per class over the whole domain, (K,)."""
    counts = np.zeros(256, np.int64)
    for index in range(len(domain)):
        labels = domain.labels(index) if isinstance(domain, FolderDomain) else domain[index].labels
        if labels is not None:
            counts += np.bincount(labels.ravel(), minlength=256)
    _refuse_unknown_indices(counts, num_classes)
    return counts[:num_classes]


def labelled_names(domain: Domain, classes: ClassSet) -> list[str]:
    """Names of the `classes` that have a labelled pixel anywhere in the domain, in their order."""
    counts = class_counts(domain, len(classes))
    return [name for name, count in zip(classes.names, counts, strict=True) if count]


def class_frequencies(domain: Domain, num_classes: int) -> NDArray[np.float64]:
    """Share of every class in the labelled pixels, (K,); sums to 1, or is all 0 if nothing is labelled."""
    counts = class_counts(domain, num_classes)
    frequencies: NDArray[np.float64] = counts / max(1, int(counts.sum()))
    return frequencies


def _refuse_unknown_indices(counts: NDArray[np.int64], num_classes: int) -> None:
    beyond = [int(i) for i in np.flatnonzero(counts[num_classes:IGNORE_INDEX]) + num_classes]
    if beyond:
        raise InvalidLabels(
            f"Labels hold the class indices {beyond[:8]}; allowed are 0 to {num_classes - 1} and 255 for no label."
        )


def _require_same_size(image: str, size: tuple[int, ...], labels: str, label_size: tuple[int, ...]) -> None:
    if tuple(size) != tuple(label_size):
        (h, w), (lh, lw) = size, label_size
        raise InvalidLabels(
            f"{image} is {h} x {w} (height x width) but {labels} is {lh} x {lw}; give a label map of exactly the image's size."
        )


def _refuse_extra(
    labels: dict[str, Path], images: dict[str, Path], label_folder: Path, image_folder: Path
) -> None:
    if extra := sorted(set(labels) - set(images)):
        raise InvalidDataset(
            f"{label_folder} holds label maps for {_listed(extra)}, but {image_folder} has no such images; "
            "give labels and images the same file names."
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED_STEMS} more" if len(names) > _NAMED_STEMS else ""
    return ", ".join(names[:_NAMED_STEMS]) + more
