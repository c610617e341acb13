"""Whether results can be written: asked before long work begins, answered without leaving a trace."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from semidavil_core.errors import OutputNotWritable
from semidavil_core.export.bundle_files import MARKER, check_replaceable_zip, is_zip


def check_folder(folder: Path, *, marker: str | None = None) -> None:
    """Make sure that results can go to `folder`.

    Parameters
    ----------
    folder
        Need not exist yet.
    marker
        The folder will be replaced as a whole: one that holds other files but not this file is refused.

    Raises
    ------
    OutputNotWritable
        Something stands in the way.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputNotWritable(f"{folder} is a file; choose a folder for the results.")
    if marker and folder.is_dir() and any(folder.iterdir()) and not (folder / marker).is_file():
        raise OutputNotWritable(
            f"{folder} holds other files and is not replaced; choose a new or an empty folder."
        )
    _check_writable(folder.parent if marker else folder, folder)


def check_bundle(path: Path) -> None:
    """Make sure that a bundle, a folder or a .zip file, can go to `path`.

    Raises
    ------
    OutputNotWritable
        Something stands in the way.
    """
    if is_zip(path):
        check_replaceable_zip(path)
        check_file(path)
    else:
        check_folder(path, marker=MARKER)


def check_file(file: Path) -> None:
    """Make sure that `file` can be written.

    Raises
    ------
    OutputNotWritable
        It is a folder, or its folder cannot be written.
    """
    if file.is_dir():
        raise OutputNotWritable(f"{file} is a folder; choose a file name for the results.")
    _check_writable(file.parent, file)


def refuse_input_folder(out: Path, *inputs: Path | None) -> None:
    """Refuse to write among the images or labels that are read.

    Raises
    ------
    OutputNotWritable
        `out` is one of `inputs`, or their ``images`` or ``labels``.
    """
    taken = {
        p.resolve() for folder in inputs if folder for p in (folder, folder / "images", folder / "labels")
    }
    if out.resolve() in taken:
        raise OutputNotWritable(f"{out} is a folder that is read from; choose another one for the results.")


def _check_writable(folder: Path, wanted: Path) -> None:
    standing = folder.absolute()
    while not standing.exists():
        standing = standing.parent
    try:
        if not standing.is_dir():
            raise NotADirectoryError(f"{standing} is a file")
        handle, name = tempfile.mkstemp(dir=standing, prefix=".semidavil.")
        os.close(handle)
        Path(name).unlink()
    except OSError as error:
        raise OutputNotWritable(
            f"{wanted} cannot be written ({error.strerror or error}); choose a folder that you may write to."
        ) from error
