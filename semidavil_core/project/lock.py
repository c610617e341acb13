"""One window per project: a lock that the operating system frees by itself when its owner dies."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from semidavil_core.errors import ProjectInUse

LOCK: Final = ".lock"
_BYTE: Final = 2**30  # which byte Windows locks: far behind the text, so that others can read that
_log = logging.getLogger(__name__)


class ProjectLock:
    """Holds a folder for this process until :meth:`release`, or until the process ends in whatever way.

    Parameters
    ----------
    folder
        The project.

    Raises
    ------
    ProjectInUse
        Another window, of this or another process, holds it.
    OSError
        The folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._stream: IO[str] | None = (folder / LOCK).open("a+", encoding="utf-8")
        try:
            _lock(self._stream)
        except BlockingIOError as error:
            holder = _holder(self._stream)
            self.release()
            raise ProjectInUse(
                f"The project {folder} is open already{holder}; close it there first, or work on a copy of the folder."
            ) from error
        with suppress(OSError):  # a full disk: the lock itself stands, only its note is missing
            self._stream.truncate(0)
            json.dump({"pid": os.getpid(), "host": socket.gethostname()}, self._stream)
            self._stream.flush()

    def release(self) -> None:
        """Let others open the project; without effect after the first time."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with suppress(OSError):
                stream.close()


def _lock(stream: IO[str]) -> None:
    """Take the lock or raise `BlockingIOError`; where the file system knows no locks, nobody is kept out."""
    try:
        if sys.platform == "win32":
            import msvcrt

            stream.seek(_BYTE)
            try:
                msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
            except PermissionError as error:
                raise BlockingIOError from error
        else:
            import fcntl

            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        _log.warning("%s cannot be locked (%s); open the project in one window only.", stream.name, error)


def _holder(stream: IO[str]) -> str:
    try:
        stream.seek(0)
        told = json.loads(stream.read(4096))
        where = "" if told["host"] == socket.gethostname() else f" on {told['host']}"
        return f" in the process {int(told['pid'])}{where}"
    except (OSError, ValueError, KeyError, TypeError):
        return " in another window"
