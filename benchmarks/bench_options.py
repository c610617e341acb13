"""What all benchmarks can be told on the command line, and the budget and clock that follow from it.

A budget in seconds means seconds of the processor by default (``--clock cpu``, with one thread): what else the machine does takes
nothing from a method, and a method whose steps cost more gets fewer of them. ``--steps`` gives every method the same number instead.
"""

from __future__ import annotations

import os

# Before torch is loaded: idle threads must not spin beside another process.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from semidavil_core.adaptation.schedule import Clock
from semidavil_core.settings import Budget

RESULTS: Final = Path(__file__).with_name("results.jsonl")
DATA_SETS: Final = ("streets", "cells", "camvid")


@dataclass(frozen=True)
class BenchBudget:
    """A budget and the clock that it is counted by."""

    budget: Budget
    clock: str = "cpu"
    """``cpu``: seconds of the processor; ``wall``: seconds of the clock on the wall."""

    @property
    def now(self) -> Clock:
        """Tells the seconds."""
        return time.process_time if self.clock == "cpu" else time.monotonic

    def __str__(self) -> str:
        """As results name it: ``30 cpu s``, ``30 wall s`` or ``200 steps``."""
        steps, seconds = self.budget.steps, self.budget.seconds
        return f"{seconds:g} {self.clock} s" if steps is None else f"{steps} steps"


def parser_of(description: str | None, *, seconds: float, prepare_seconds: float) -> argparse.ArgumentParser:
    """A parser with the options that all benchmarks share.

    Parameters
    ----------
    description
        The script's docstring.
    seconds, prepare_seconds
        Defaults of the budgets of a round and of source preparation.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", nargs="+", default=list(DATA_SETS), choices=DATA_SETS, help="which data sets")
    add("--camvid", type=Path, metavar="DIR", help="where CamVid lies; left out without")
    add(
        "--also", type=Path, nargs="*", default=[], metavar="DIR", help="further data sets, laid out likewise"
    )
    add("--strokes", default="", help="folder of strokes within target/, if not the usual one")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--seconds", type=float, default=seconds, help="of a round")
    add("--steps", type=int, help="of a round, in place of seconds")
    add("--prepare-seconds", type=float, default=prepare_seconds, help="of training on the source")
    add("--prepare-steps", type=int, help="of training on the source, in place of seconds")
    add("--clock", choices=("cpu", "wall"), default="cpu", help="what a second is")
    add("--threads", type=int, default=1)
    add("--vlm", default="mini")
    add("--results", type=Path, default=RESULTS, help="JSON-lines file that rows are appended to")
    add("--work", type=Path, default=Path("build/benchmarks"), help="keeps source-trained models")
    return parser


def apply(options: argparse.Namespace) -> None:
    """Set the number of threads.

    Raises
    ------
    SystemExit
        Seconds of the processor would count several threads together.
    """
    if options.clock == "cpu" and options.threads != 1:
        raise SystemExit(
            f"--clock cpu adds up the seconds of all {options.threads} threads; use --threads 1 or --clock wall."
        )
    torch.set_num_threads(options.threads)


def round_budget(options: argparse.Namespace) -> BenchBudget:
    """The budget of a round."""
    return BenchBudget(Budget(options.seconds, options.steps), options.clock)


def prepare_budget(options: argparse.Namespace) -> BenchBudget:
    """The budget of source preparation."""
    return BenchBudget(Budget(options.prepare_seconds, options.prepare_steps), options.clock)
