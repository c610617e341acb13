"""Choosing some of many: the samples with strokes, and every n-th of a sequence."""

from __future__ import annotations

from semidavil_core.data.domains import Domain


def painted_indices(domain: Domain) -> list[int]:
    """Indices of the samples of `domain` that have a stroke."""
    return [index for index in range(len(domain)) if domain[index].is_painted]


def evenly(count: int, at_most: int) -> slice:
    """The slice that takes every n-th of `count` items, from the first one on, with the least n that gives no more than `at_most`.

    Parameters
    ----------
    count
        How many items there are.
    at_most
        How many are wanted at most, 1 or more.
    """
    return slice(None, None, max(1, -(-count // at_most)))
