"""Keeping the model hub's client from the network for the length of one call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants

_lock = threading.RLock()


@contextmanager
def downloads_allowed(allowed: bool) -> Iterator[None]:
    """Let the hub's client use only what is cached unless `allowed`; the process is as before afterwards."""
    if allowed:
        yield
        return
    with _lock:
        before = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = (
            True  # what the variable of that name sets at import; every request asks it
        )
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE = before
