"""The ablation's rows, read from the results: by row, data set and seed, and compared with their base."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ablation_rows import DEFAULT, ROWS, AblationRow
from estimates import Estimate
from result_rows import Row

RowName = tuple[str, str]
"""Group and name."""
_DEFAULT: Final[RowName] = (DEFAULT.group, DEFAULT.name)
_OWN_BASE: Final[dict[str, RowName]] = {"without the source": ("without the source", "default")}


@dataclass(frozen=True)
class AblationResults:
    """Rows of one budget and of the same defaults."""

    budget: str
    prepare: str
    defaults: str
    """In a few words, those of them that were not always so."""
    rows: dict[tuple[str, str, str, int], Row]
    """By group, name, data set and seed."""

    @classmethod
    def split(cls, rows: Iterable[Row]) -> list[AblationResults]:
        """Rows apart by budget and defaults, in the order of their first row; where one was run several times, the last one counts."""
        found: dict[tuple[str, str, str], AblationResults] = {}
        for row in rows:
            common = (row["budget"], row["prepare"], row["defaults"])
            results = found.setdefault(common, cls(*common, {}))
            results.rows[row["group"], row["name"], row["data"], row["seed"]] = row
        return list(found.values())

    @property
    def data(self) -> list[str]:
        """Data sets in the order of their first row."""
        return list(dict.fromkeys(key[2] for key in self.rows))

    @property
    def seeds(self) -> list[int]:
        """All seeds."""
        return sorted({key[3] for key in self.rows})

    @property
    def groups(self) -> list[str]:
        """Groups that have a row, in the order of ``ablation_rows``."""
        here = {key[0] for key in self.rows}
        return [group for group in dict.fromkeys(row.group for row in ROWS) if group in here]

    def names(self, group: str) -> list[RowName]:
        """Rows of a group that have results, its default among them."""
        listed: list[RowName] = []
        for row in ROWS:
            if row.group == group:
                name = self.stands_for(row)
                if name not in listed and self._has(name):
                    listed.append(name)
        if base_of(group) not in listed and self._has(base_of(group)):
            listed.insert(0, base_of(group))
        return listed

    def stands_for(self, row: AblationRow) -> RowName:
        """Whose results a row has: its own, or those of the default if it is that, and was when these rows were run."""
        own = (row.group, row.name)
        return _DEFAULT if row.is_default and not self._has(own) else own

    def title(self, name: RowName, group: str) -> str:
        """How a table of `group` calls a row; the default by what it means there."""
        if name != base_of(group):
            return name[1]
        here = (row for row in ROWS if row.group == group and row.is_default and row is not DEFAULT)
        meant = [row.name for row in here if not self._has((row.group, row.name))]
        return f"**{meant[0]} (default)**" if meant else "**default**"

    def measured(self, name: RowName, data: str, key: str) -> Estimate | None:
        """A figure over the seeds."""
        return Estimate.of(self._value(name, data, seed, key) for seed in self.seeds)

    def steps(self, name: RowName, data: str) -> float | None:
        """Mean number of steps."""
        found = [r["steps"] for seed in self.seeds if (r := self.rows.get((*name, data, seed)))]
        return sum(found) / len(found) if found else None

    def change(self, name: RowName, data: Sequence[str], key: str) -> Estimate | None:
        """How much a figure differs from that of the base, over pairs of the same data set and seed."""
        pairs = (
            (self._value(name, d, s, key), self._value(base_of(name[0]), d, s, key))
            for d in data
            for s in self.seeds
        )
        return Estimate.of(a - b for a, b in pairs if a is not None and b is not None)

    def _has(self, name: RowName) -> bool:
        return any(key[:2] == name for key in self.rows)

    def _value(self, name: RowName, data: str, seed: int, key: str) -> float | None:
        row = self.rows.get((*name, data, seed))
        return None if row is None else row.get(key)


def base_of(group: str) -> RowName:
    """The row that the rows of a group are compared with."""
    return _OWN_BASE.get(group, _DEFAULT)
