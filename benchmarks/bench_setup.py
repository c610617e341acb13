"""What a benchmark works with, made from its command line: the vision-language model, budgets, start models and results."""

from __future__ import annotations

import argparse
import hashlib
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import bench_options
from bench_options import BenchBudget
from data_sets import DataSet
from result_rows import ResultFile, Row
from start_models import StartModels, short_hash

import semidavil_core
from semidavil_core.adaptation.session import AdaptationSession
from semidavil_core.data.domains import Domain
from semidavil_core.export.bundle import Bundle
from semidavil_core.model.model_settings import ModelSettings
from semidavil_core.settings import AdaptSettings
from semidavil_core.vlm.loading import Vlm, load_vlm

_DEFAULTS: Final = (
    f"guidance {'mutual' if ModelSettings().mutual else 'one way'}, "
    f"pseudo-labels weighed {AdaptSettings().confidence}"
)
"""What the defaults were that rows are compared with, as far as it has changed since the first rows."""
_TRAINING: Final = ("data", "vlm", "model", "losses", "metrics", "inference", "adaptation", "settings.py")


@dataclass(frozen=True)
class Spent:
    """Readings of two clocks, in seconds."""

    cpu: float
    wall: float

    @classmethod
    def now(cls) -> Spent:
        """The present readings."""
        return cls(time.process_time(), time.monotonic())


@cache
def code_version() -> str:
    """Eight digits that change with any line of the code that trains or predicts: rows of two versions should not be compared."""
    digest = hashlib.blake2b(digest_size=4)
    root = Path(semidavil_core.__file__).parent
    for part in _TRAINING:
        files = [root / part] if part.endswith(".py") else sorted((root / part).rglob("*.py"))
        for file in files:
            digest.update(file.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class BenchSetup:
    """Shared by all rows of a run."""

    vlm: Vlm
    budget: BenchBudget
    """Of a round."""
    prepare: BenchBudget
    starts: StartModels
    results: ResultFile

    @classmethod
    def of(cls, options: argparse.Namespace) -> BenchSetup:
        """Load and open what `options` name; sets the number of threads."""
        bench_options.apply(options)
        code_version()  # now, before somebody edits a file
        vlm = load_vlm(options.vlm, allow_download=False)
        prepare = bench_options.prepare_budget(options)
        return cls(
            vlm=vlm,
            budget=bench_options.round_budget(options),
            prepare=prepare,
            starts=StartModels(vlm, prepare, options.work),
            results=ResultFile(options.results),
        )

    def key(self, kind: str, data: DataSet, seed: int, settings: AdaptSettings, more: Any = None) -> Row:
        """What tells a row apart from others of its `kind`; `config` changes with the settings, the data and `more`."""
        return {
            "kind": kind,
            "data": data.name,
            "seed": seed,
            "budget": str(self.budget),
            "prepare": str(self.prepare),
            "vlm": self.vlm.reference.spec,
            "defaults": _DEFAULTS,
            "config": short_hash(settings, [data.fingerprint, more]),
        }

    def spent(self, since: Spent) -> Row:
        """Seconds of processor and wall since then, and which code was run."""
        now = Spent.now()
        return {"cpu_s": now.cpu - since.cpu, "wall_s": now.wall - since.wall, "code": code_version()}

    def session(
        self, bundle: Bundle, target: Domain, source: Domain | None, settings: AdaptSettings
    ) -> AdaptationSession:
        """A session whose seconds are those of the budget's clock."""
        return AdaptationSession(bundle, target=target, source=source, settings=settings, now=self.budget.now)
