"""Image-caption pairs from a table or from text files beside the images."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.data.channels import Channels
from semidavil_core.data.image_files import find_images, read_image, stem
from semidavil_core.errors import InvalidDataset

_FILE_KEYS: Final = ("file", "filename", "file_name", "filepath", "image", "path")
_CAPTION_KEYS: Final = ("caption", "title", "text", "description")


@dataclass(frozen=True)
class CaptionedImages:
    """Images that each have a sentence."""

    pairs: tuple[tuple[Path, str], ...]
    """Image file and caption; an image may occur with several captions."""
    channels: Channels | None = None
    """Which channels are shown as red, green and blue."""

    def __len__(self) -> int:
        return len(self.pairs)

    def image(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 of one pair."""
        return read_image(self.pairs[index][0], self.channels)


def read_pairs(images: Path | str, captions: Path | str, channels: Channels | None = None) -> CaptionedImages:
    """Read image-caption pairs.

    Parameters
    ----------
    images
        Folder of images.
    captions
        CSV or TSV with a header naming a file and a caption column, JSON lines or a JSON list with such keys, a JSON object from
        file to caption, or a folder of ``.txt`` files with the images' stems.
    channels
        Which channels are shown as red, green and blue.

    Raises
    ------
    InvalidDataset
        The table is unreadable, names images that are not there, or leaves fewer than two pairs.
    """
    captions = Path(captions)
    found = find_images(images)
    rows = _from_texts(captions) if captions.is_dir() else _from_table(captions)
    pairs, missing = [], []
    for name, caption in rows:
        path = found.get(stem(Path(name)))
        if path is None:
            missing.append(name)
        elif caption.strip():
            pairs.append((path, " ".join(caption.split())))
    if missing:
        raise InvalidDataset(
            f"{captions} names {len(missing)} images that {images} does not hold, e.g. {missing[0]}."
        )
    if len(pairs) < 2:
        raise InvalidDataset(
            f"{captions} gives {len(pairs)} image-caption pairs; contrastive training needs at least 2."
        )
    return CaptionedImages(tuple(pairs), channels)


def _from_texts(folder: Path) -> list[tuple[str, str]]:
    try:
        return [(f.name, f.read_text(encoding="utf-8")) for f in sorted(folder.glob("*.txt"))]
    except (OSError, ValueError) as error:
        raise InvalidDataset(
            f"The captions in {folder} cannot be read ({error}); save them as UTF-8 text."
        ) from error


def _from_table(path: Path) -> list[tuple[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        entries = _json_entries(text) if path.suffix.lower() in (".json", ".jsonl") else _csv_entries(text)
    except (OSError, ValueError, csv.Error) as error:
        raise InvalidDataset(
            f"The captions {path} cannot be read ({error}); give CSV, TSV, JSON or JSON lines in UTF-8."
        ) from error
    return [_named(entry, path, row) for row, entry in enumerate(entries, start=1)]


def _csv_entries(text: str) -> list[Mapping[str, Any]]:
    header = text.partition("\n")[0]
    return list(csv.DictReader(text.splitlines(), delimiter="\t" if "\t" in header else ","))


def _json_entries(text: str) -> Iterable[Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(content, dict) and not set(content) & set(_FILE_KEYS):
        return [{"file": name, "caption": caption} for name, caption in content.items()]
    return content if isinstance(content, list) else [content]


def _named(entry: Any, path: Path, row: int) -> tuple[str, str]:
    if isinstance(entry, Mapping):
        file = next((entry[k] for k in _FILE_KEYS if isinstance(entry.get(k), str)), None)
        caption = next((entry[k] for k in _CAPTION_KEYS if isinstance(entry.get(k), str)), None)
        if file is not None and caption is not None:
            return file, caption
    raise InvalidDataset(
        f"Row {row} of {path} has no file and caption; name the columns 'file' and 'caption'."
    )
