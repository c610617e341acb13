"""A bound on the engine's memory, so that a too large image ends a round with a sentence and not the whole desktop."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import suppress


def read_limit(arguments: Sequence[str]) -> float:
    """Gigabytes that ``--memory`` names; 0, or no such option: no limit."""
    parser = argparse.ArgumentParser("python -m semidavil_core.engine", add_help=False)
    parser.add_argument("--memory", type=float, default=0.0)
    return max(0.0, float(parser.parse_known_args(arguments)[0].memory))


def limit_memory(gigabytes: float) -> bool:
    """Refuse this process more memory of its own than this; True if the system can do so (Windows cannot)."""
    if gigabytes <= 0:
        return False
    try:
        import resource
    except ImportError:
        return False
    size = int(gigabytes * 2**30)
    # Data, not address space: a CUDA driver reserves hundreds of gigabytes of addresses that it never fills.
    with suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        unlimited = hard == resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_DATA, (size if unlimited else min(size, hard), hard))
        return True
    return False
