"""The last predictions of every round, kept small, so that before and after can be compared without the engine.

Filled in the background while a job's events pass; read by the window. A label map of a 2000 x 2000 image takes some 20 kB.
"""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from semidavil_core.classes import ClassSet
from semidavil_core.events import (
    Event,
    FinishReason,
    ModelChanged,
    PreviewReady,
    RoundFinished,
    RoundRestored,
    StageStarted,
)
from semidavil_napari._session import Stage

LIMIT: Final = 256 << 20
"""Bytes to keep at most; beyond it the oldest predictions are dropped."""
_LARGEST: Final = 1 << 26  # pixels of an image that is still unpacked within a blink


@dataclass(frozen=True)
class _Packed:
    shape: tuple[int, ...]
    content: bytes
    classes: ClassSet


class PredictionArchive:
    """Predictions by round and image.

    Parameters
    ----------
    limit
        Bytes to keep.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, str], _Packed] = OrderedDict()
        self._bytes = 0
        self._round = 0
        self._training = False

    def recorded(self, events: Iterable[Event], classes: ClassSet) -> Iterator[Event]:
        """Pass a job's events on and keep what they show; `classes` are those that predictions are indices into."""
        self._training = False
        for event in events:
            self._saw(event, classes)
            yield event

    def get(self, number: int, image: str) -> tuple[NDArray[np.uint8], ClassSet] | None:
        """Class indices (H, W) of an image as round `number` left them, and what they are indices into."""
        with self._lock:
            packed = self._kept.get((number, image))
        if packed is None:
            return None
        labels = np.frombuffer(zlib.decompress(packed.content), np.uint8).reshape(packed.shape)
        return labels, packed.classes

    def has(self, number: int) -> bool:
        """Whether any image is kept of a round."""
        with self._lock:
            return any(kept == number for kept, _ in self._kept)

    def clear(self) -> None:
        """Forget everything: other rounds are shown."""
        with self._lock:
            self._kept.clear()
            self._bytes = self._round = 0

    def _saw(self, event: Event, classes: ClassSet) -> None:
        match event:
            case ModelChanged():
                self._another_model(event.goes_on_from)
            case StageStarted():
                self._training = event.stage == Stage.ADAPT
            case RoundFinished() if event.round > 0:
                self._training = False
                if event.reason != FinishReason.RESTORED:
                    self._round = event.round
            case RoundRestored():
                self._round = event.round
            case PreviewReady() if not self._training and event.prediction.size <= _LARGEST:
                self._keep((self._round, event.image), event.prediction, classes)

    def _another_model(self, goes_on_from: int) -> None:
        """Predictions of earlier rounds stay where it goes on from one of them; the start is another one."""
        if not goes_on_from:
            self.clear()
            return
        with self._lock:
            for key in [key for key in self._kept if key[0] == 0]:
                self._bytes -= len(self._kept.pop(key).content)
            self._round = goes_on_from

    def _keep(self, key: tuple[int, str], labels: NDArray[np.uint8], classes: ClassSet) -> None:
        packed = _Packed(labels.shape, zlib.compress(np.ascontiguousarray(labels).data, 1), classes)
        with self._lock:
            if (old := self._kept.pop(key, None)) is not None:
                self._bytes -= len(old.content)
            self._kept[key] = packed
            self._bytes += len(packed.content)
            while self._bytes > self._limit and len(self._kept) > 1:
                self._bytes -= len(self._kept.popitem(last=False)[1].content)
