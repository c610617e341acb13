"""A cache of arrays that forgets the longest unused ones once they exceed a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ImageCache:
    """Least-recently-used cache of arrays, bounded in bytes; safe to share between threads.

    Parameters
    ----------
    max_bytes
        How much is kept at most. 0 keeps nothing.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._arrays: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.RLock()

    @property
    def bytes_used(self) -> int:
        """How much is kept now."""
        return self._bytes

    def get(self, key: Hashable, read: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """The array of `key`, from memory or from `read`; one that is larger than the whole cache is not kept."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]
            array = read()
            if array.nbytes <= self.max_bytes:
                self._keep(key, array)
            return array

    def _keep(self, key: Hashable, array: NDArray[Any]) -> None:
        self._arrays[key] = array
        self._bytes += array.nbytes
        while self._bytes > self.max_bytes:
            _, oldest = self._arrays.popitem(last=False)
            self._bytes -= oldest.nbytes
