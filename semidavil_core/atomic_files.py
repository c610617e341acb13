"""Writing so that a kill at any moment leaves the old file or the new one, never half of either."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from semidavil_core.errors import OutputNotWritable


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` through a temporary sibling, flushed to disk and renamed.

    Raises
    ------
    OutputNotWritable
        The folder cannot be made or written, or the disk is full; an older file stays as it was.
    """
    with written_file(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def written_file(path: Path) -> Iterator[Path]:
    """Give a temporary sibling file to write, for content that is too large for memory; on success it takes `path`'s place.

    Raises
    ------
    OutputNotWritable
        The folder cannot be made or written, or the disk is full; an older file stays as it was.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:32]}.")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise _not_writable(path, error) from error
    finally:
        if temporary is not None:
            with suppress(OSError):  # after a success there is nothing left under this name
                temporary.unlink()


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented UTF-8 JSON, atomically."""
    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


@contextmanager
def replaced_folder(folder: Path, *, marker: str) -> Iterator[Path]:
    """Give a temporary sibling folder to fill; on success it takes `folder`'s place, on failure nothing changes.

    Parameters
    ----------
    folder
        Where the finished folder shall stand.
    marker
        A file that tells one of our own folders: an older folder is replaced only if it is empty or holds it.

    Raises
    ------
    OutputNotWritable
        The parent cannot be written, the disk is full, or `folder` holds something that is not ours to replace.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputNotWritable(f"{folder} is a file, not a folder; choose a new or an empty folder.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / marker).is_file():
        raise OutputNotWritable(
            f"{folder} holds other files and is not replaced; choose a new or an empty folder."
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise _not_writable(folder, error) from error
    try:
        yield temporary
        _flush(temporary)
        temporary.chmod(0o755)
        _swap(temporary, folder)
    except OSError as error:
        raise _not_writable(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, folder: Path) -> None:
    if not folder.exists():
        new.replace(folder)
        return
    old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.old."))
    try:
        folder.replace(old / "previous")
        try:
            new.replace(folder)
        except OSError:
            (old / "previous").replace(folder)
            raise
    finally:
        if folder.exists():  # never throw away the only copy
            shutil.rmtree(old, ignore_errors=True)


def _flush(folder: Path) -> None:
    """Bring the contents of all files to the disk before the folder gets its name."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())


def _not_writable(path: Path, error: OSError) -> OutputNotWritable:
    return OutputNotWritable(
        f"{path} cannot be written ({error.strerror or error}); choose a folder that you may write to and that has room."
    )
