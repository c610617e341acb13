"""Where the sample data that ships with the package lies."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from semidavil_core.errors import InvalidDataset

SAMPLE_NAMES: Final = ("cells", "streets")


def sample_folder(name: str) -> Path:
    """Folder of one sample: ``classes.json``, ``source/``, ``target/`` (with ``scribbles/``) and ``eval/``.

    Parameters
    ----------
    name
        ``"streets"`` (a colour camera by day to an infrared camera in a foggy night) or ``"cells"`` (phase contrast to fluorescence).

    Raises
    ------
    InvalidDataset
        There is no sample of that name, or this installation came without the samples.
    """
    if name not in SAMPLE_NAMES:
        raise InvalidDataset(
            f"There is no sample called {name!r}; the samples are {' and '.join(SAMPLE_NAMES)}."
        )
    package = Path(__file__).resolve().parent
    for parent in (package / "_samples", package.parent / "sample_data"):  # installed, then a clone
        if (parent / name).is_dir():
            return parent / name
    raise InvalidDataset(
        f"The sample {name!r} is not part of this installation; install semidavil-napari again."
    )


def sample_of_source(folder: Path) -> str | None:
    """Name of the sample whose labelled source lies in `folder`; None for any other folder."""
    with suppress(InvalidDataset):
        name = folder.parent.name
        return name if folder.resolve() == (sample_folder(name) / "source").resolve() else None
    return None
