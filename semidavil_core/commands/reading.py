"""Reading every image once before long work begins, so that a damaged one is told of while nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator

from semidavil_core.control import RunControl
from semidavil_core.data.domains import Domain
from semidavil_core.events import Event, StageProgress, StageStarted


def iter_read(domain: Domain, control: RunControl, what: str = "images") -> Iterator[Event]:
    """Decode every image and label map; what fits the domain's cache is not read from disk again.

    Parameters
    ----------
    domain
        What to read.
    control
        A stop request ends the command here, where there is nothing to keep yet.
    what
        A word for the person, such as "source images".

    Raises
    ------
    InvalidImage, InvalidLabels
        A file is damaged, or holds values that are not allowed.
    KeyboardInterrupt
        A stop was requested.
    """
    yield StageStarted(f"reading {what}", len(domain), "images")
    for index in range(len(domain)):
        if control.stop_requested:
            raise KeyboardInterrupt
        _ = domain[index]
        yield StageProgress(index + 1)
