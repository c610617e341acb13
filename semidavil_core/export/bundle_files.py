"""Where a bundle's files lie: in a folder, or in one .zip file. Reads and writes both without knowing what is in them.

A .zip that a person opens comes from anywhere, so nothing is ever unpacked to disk: the few names that a bundle has are read into
memory, no path inside the archive is followed, and what would unpack to far more than it weighs is refused.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from semidavil_core.atomic_files import replaced_folder, written_file
from semidavil_core.classes import ClassSet
from semidavil_core.errors import InvalidBundle, InvalidClasses, OutputNotWritable

MARKER: Final = "config.json"
FORMAT: Final = "semidavil-bundle"
WEIGHTS: Final = "weights.safetensors"
ZIP_SUFFIX: Final = ".zip"
_MEGABYTE: Final = 2**20
_LARGEST_TEXT: Final = 16 * _MEGABYTE
_LARGEST_WEIGHTS: Final = 16 * 1024 * _MEGABYTE
_HARMLESS: Final = 64 * _MEGABYTE  # below this a compression ratio says nothing bad
_STEEPEST: Final = 20  # weights hardly shrink; an archive of zeros shrinks a thousandfold
_MOST_MEMBERS: Final = 10_000


def is_zip(path: Path) -> bool:
    """Whether `path` means a bundle in one file."""
    return path.suffix.lower() == ZIP_SUFFIX


class BundleFiles:
    """The files of one bundle, by name.

    Parameters
    ----------
    path
        A folder, or a .zip file that holds the files at its root or in one folder.

    Raises
    ------
    InvalidBundle
        There is no bundle, the archive is damaged, or it holds more than a bundle does.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._members: dict[str, zipfile.ZipInfo] | None = None
        if self.path.is_file() and is_zip(self.path):
            self._members = self._listed()
        if not self.has(MARKER):
            raise InvalidBundle(
                f"{self.path} is not a SemiDAViL bundle: it has no {MARKER}; choose the folder or the .zip file that holds it."
            )

    @property
    def folder(self) -> Path | None:
        """The folder that the files lie in; None for a .zip."""
        return self.path if self._members is None else None

    def where(self, name: str) -> str:
        """How to name a file in a message."""
        return str(self.path / name) if self._members is None else f"{name} in {self.path}"

    def has(self, name: str) -> bool:
        """Whether there is a file called `name`."""
        return (self.path / name).is_file() if self._members is None else name in self._members

    def read(self, name: str) -> bytes:
        """The content of one file.

        Raises
        ------
        InvalidBundle
            It is missing, damaged, or unpacks to far more than a bundle's file can hold.
        """
        if not self.has(name):
            raise InvalidBundle(
                f"{self.path} is not a SemiDAViL bundle: it has no {name}; export the bundle again."
            )
        try:
            return (self.path / name).read_bytes() if self._members is None else self._unpacked(name)
        except (OSError, EOFError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
            raise InvalidBundle(
                f"{self.where(name)} cannot be read ({error}); export the bundle again."
            ) from error

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON object.

        Raises
        ------
        InvalidBundle
            As :meth:`read`, or it is no JSON object.
        """
        try:
            content = json.loads(self.read(name).decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise InvalidBundle(
                f"{self.where(name)} is damaged ({error}); export the bundle again."
            ) from error
        if not isinstance(content, dict):
            raise InvalidBundle(f"{self.where(name)} is damaged (no JSON object); export the bundle again.")
        return content

    def read_classes(self) -> ClassSet:
        """The class set.

        Raises
        ------
        InvalidBundle
            ``classes.json`` cannot be read.
        InvalidClasses
            It breaks a rule.
        """
        where = self.where("classes.json")
        try:
            entries = json.loads(self.read("classes.json").decode("utf-8-sig"))
        except ValueError as error:
            raise InvalidClasses(
                f"{where} cannot be read as a classes file ({error}); give a JSON list of classes."
            ) from error
        return ClassSet.from_json(entries, where=where)

    def _listed(self) -> dict[str, zipfile.ZipInfo]:
        """The archive's members by their plain names."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                infos = [info for info in archive.infolist() if not info.is_dir()]
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise InvalidBundle(
                f"{self.path} is damaged or no .zip file ({error}); copy or export the bundle again."
            ) from error
        if len(infos) > _MOST_MEMBERS:
            raise InvalidBundle(
                f"{self.path} holds {len(infos)} files, which no bundle does; it is not opened."
            )
        names = [info.filename for info in infos]
        inside = "" if MARKER in names else next((n[: -len(MARKER)] for n in names if _one_down(n)), "")
        return {i.filename.removeprefix(inside): i for i in infos if i.filename.startswith(inside)}

    def _unpacked(self, name: str) -> bytes:
        assert self._members is not None
        info = self._members[name]
        largest = _LARGEST_WEIGHTS if name == WEIGHTS else _LARGEST_TEXT
        steep = info.file_size > max(_HARMLESS, _STEEPEST * info.compress_size)
        if info.file_size > largest or steep:
            raise InvalidBundle(
                f"{self.where(name)} would unpack to {info.file_size / _MEGABYTE:.0f} MB from {info.compress_size / _MEGABYTE:.1f} MB, "
                "which no bundle does; it is not opened."
            )
        with zipfile.ZipFile(self.path) as archive, archive.open(info) as stream:
            content = stream.read(info.file_size)
            if stream.read(1):
                raise zipfile.BadZipFile("it is longer than it says")
        return content


def _one_down(name: str) -> bool:
    """Whether `name` is the marker inside one folder: people zip folders by hand."""
    parts = name.split("/")
    return len(parts) == 2 and parts[1] == MARKER


def is_bundle(path: Path | str) -> bool:
    """Whether a folder or .zip file says that it is a SemiDAViL bundle; false for anything unreadable."""
    try:
        return BundleFiles(path).read_json(MARKER).get("format") == FORMAT
    except InvalidBundle:
        return False


def bundle_classes(path: Path | str) -> ClassSet:
    """The class set of a bundle, without its weights.

    Raises
    ------
    InvalidBundle
        There is no bundle, or it is damaged.
    InvalidClasses
        Its ``classes.json`` breaks a rule.
    """
    return BundleFiles(path).read_classes()


@contextmanager
def replaced_bundle(path: Path) -> Iterator[Path]:
    """Give a temporary folder to fill with a bundle's files; on success they stand at `path`, as a folder or, by its ending, a .zip.

    Raises
    ------
    OutputNotWritable
        It cannot be written, or something stands there that is no bundle.
    """
    if not is_zip(path):
        with replaced_folder(path, marker=MARKER) as folder:
            yield folder
        return
    check_replaceable_zip(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    except OSError as error:
        raise OutputNotWritable(
            f"{path} cannot be written ({error.strerror or error}); choose a folder that you may write to."
        ) from error
    try:
        yield folder
        with written_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for file in sorted(p for p in folder.rglob("*") if p.is_file()):
                archive.write(file, file.relative_to(folder).as_posix())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_replaceable_zip(path: Path) -> None:
    """Refuse to put a bundle in the place of what is none.

    Raises
    ------
    OutputNotWritable
        A folder, or a file that is no bundle, stands there.
    """
    if path.is_dir():
        raise OutputNotWritable(f"{path} is a folder; choose another name for the .zip file.")
    with suppress(OSError):
        if path.is_file() and path.stat().st_size and not is_bundle(path):
            raise OutputNotWritable(f"{path} is another file and is not replaced; choose a new name.")
