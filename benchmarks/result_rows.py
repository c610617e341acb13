"""Results as JSON lines: appended as they come, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class ResultFile:
    """One file of rows; several processes may append to it.

    Parameters
    ----------
    path
        Made at the first row.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self, **fields: Any) -> list[Row]:
        """All rows that have these values; a line that a kill cut short is left out."""
        if not self.path.is_file():
            return []
        read = [row for line in self.path.read_text("utf-8").splitlines() if (row := _read(line))]
        return [row for row in read if all(row.get(name) == value for name, value in fields.items())]

    def has(self, key: Mapping[str, Any]) -> bool:
        """Whether a row with the values of `key` is there."""
        return bool(self.rows(**key))

    def append(self, row: Row) -> None:
        """Add a row; fractions keep four digits, which is finer than any difference that counts."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        cut_short = self.path.is_file() and not self.path.read_bytes().endswith(b"\n")
        line = json.dumps(_rounded(row), separators=(",", ":"))
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write("\n" * cut_short + line + "\n")


def _read(line: str) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
