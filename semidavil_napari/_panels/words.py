"""A label for sentences, in which the long names of files and layers may be broken, so that they never widen the window."""

from __future__ import annotations

import re
from typing import Final

from qtpy.QtWidgets import QLabel, QWidget

_LONGEST: Final = 20
"""Characters that stay together."""
_BREAK: Final = "\u200b"  # of no width; a line may end there


class Words(QLabel):
    """Wraps at spaces, and within what is longer than a line."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = ""
        self.setWordWrap(True)
        self.setText(text)

    def setText(self, text: str | None) -> None:
        """Show a sentence."""
        self._words = text or ""
        super().setText(breakable(self._words))

    def text(self) -> str:
        """The sentence, as it was given."""
        return self._words


def breakable(text: str) -> str:
    """A text whose long words may be broken, where there is a choice after a mark of punctuation."""
    return re.sub(rf"\S{{{_LONGEST},}}", lambda word: _broken(word.group()), text)


def _broken(word: str) -> str:
    parts = re.findall(rf"[^\W_]{{1,{_LONGEST}}}|[\W_]", word)
    return "".join(
        f"{part}{_BREAK}" if re.fullmatch(r"[\W_]", part) or len(part) == _LONGEST else part for part in parts
    )
