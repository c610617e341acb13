"""The only file with architecture numbers: what is added to the tower, and its sizes."""

from __future__ import annotations

from dataclasses import dataclass

from semidavil_core.errors import InvalidSettings
from semidavil_core.settings import Settings


@dataclass(frozen=True)
class ModelSettings(Settings):
    """What is added to the tower."""

    key_dim: int = 128
    """Width of the guidance's keys and values."""
    width: int = 64
    """Channels of the decoder's coarse levels; a multiple of 8."""
    fine_width: int = 32
    """Channels of the decoder's two finest levels; a multiple of 8."""
    query_dim: int = 64
    """Width in which pixels and classes are compared."""
    mutual: bool = False
    """Whether features guide the class embeddings too, as the paper has it, or language the features alone."""

    def __post_init__(self) -> None:
        for name in ("key_dim", "width", "fine_width", "query_dim"):
            self._require(name, 8, 1024)
        self._require_flag("mutual")
        for name in ("width", "fine_width"):  # 8 groups are normalised, each of more than one channel
            if getattr(self, name) % 8 or getattr(self, name) < 16:
                raise InvalidSettings(
                    f"The setting {name} is {getattr(self, name)}; allowed are multiples of 8 from 16 to 1024."
                )
