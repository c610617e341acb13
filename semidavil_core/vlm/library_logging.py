"""open_clip logs through the root logger, whose first use attaches a handler to the whole application."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def root_logger_untouched() -> Iterator[None]:
    """While inside, give a root logger without handlers a silent one, so that nothing is attached to it for ever."""
    root, silent = logging.getLogger(), logging.NullHandler()
    root.addHandler(silent)
    try:
        yield
    finally:
        root.removeHandler(silent)
