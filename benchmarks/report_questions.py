"""The report's sections about suggestions, unknown classes, harm and calibration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from estimates import Estimate, points, table
from result_rows import Row
from scoring import CONFIDENCE_EDGES

Curve = Sequence[tuple[float, float]]
"""Strokes and score, point by point."""
_ROUNDS: Final = "Rounds of {budget}, after {prepare} of training on the source, {defaults}; {seeds}."


def strokes_to_reach(curve: Curve, level: float) -> float | None:
    """How many strokes a curve of (strokes, score) needs to reach `level`, between its points on a line; None if it never does."""
    for (few, low), (many, high) in pairwise(curve):
        if low >= level:
            return few
        if high >= level:
            return few + (many - few) * (level - low) / (high - low)
    return curve[-1][0] if curve and curve[-1][1] >= level else None


def share_of_strokes(suggested: Curve, random: Curve) -> float | None:
    """Strokes at suggestions over strokes at random places for the score that random ones end with; None if none were needed.

    Both are counted to the first time that the score is reached. Where suggestions do not get there, all of theirs count.
    """
    level = random[-1][1]
    theirs, needed = strokes_to_reach(random, level), strokes_to_reach(suggested, level)
    return (suggested[-1][0] if needed is None else needed) / theirs if theirs else None


def suggestion_section(rows: list[Row]) -> Iterator[str]:
    """Strokes at suggestions against strokes at random places."""
    yield "## Strokes where the tool suggests"
    yield (
        f"A simulated annotator paints at suggestions, or at random places (`benchmarks/suggestion.py`). {_setting(rows)} Every score is that of the "
        "same source-trained start, adapted with the same budget on the strokes so far. *Share*: how many strokes at suggestions it takes until "
        "the mIoU is reached that random ones end with, over how many random ones it takes; of each seed, and of the curves averaged over the seeds. "
        "A run of suggestions that does not get there counts with all its strokes, and is counted in the last column. *Forest*: a random forest on the "
        "strokes at random places, with the features of which one may lead a round."
    )
    yield table(
        ["data", "strokes", "mIoU random", "mIoU suggested", "mIoU forest", "share, %", "share of the mean curves, %", "did not get there"],
        [_suggestion_cells(data, _of(rows, data=data)) for data in _values(rows, "data")],
    )  # fmt: skip


def curves_of(rows: list[Row]) -> dict[str, list[list[tuple[float, float]]]]:
    """Curves of (strokes, mIoU) by placement, of the seeds that have both, in the order of the seeds."""
    by_seed = [{r["name"]: r["points"] for r in _of(rows, seed=s)} for s in sorted(_values(rows, "seed"))]
    whole = [found for found in by_seed if {"random", "suggested"} <= found.keys()]
    return {
        name: [[(p["strokes"], p["miou"]) for p in found[name]] for found in whole if name in found]
        for name in ("random", "suggested", "forest")
    }


def _suggestion_cells(data: str, rows: list[Row]) -> list[str]:
    curves = curves_of(rows)
    if not curves["random"]:
        return [data, *"–––––––"]
    pairs = list(zip(curves["suggested"], curves["random"], strict=True))
    short = sum(strokes_to_reach(suggested, random[-1][1]) is None for suggested, random in pairs)
    means = {name: _mean_curve(curves[name]) for name in ("random", "suggested")}
    of_means = share_of_strokes(means["suggested"], means["random"])
    return [
        data,
        f"{means['random'][-1][0]:g}",
        *(points(Estimate.of(c[-1][1] for c in curves[name])) for name in ("random", "suggested", "forest")),
        points(Estimate.of(share_of_strokes(*pair) for pair in pairs)),
        points(Estimate.of([of_means])),
        f"{short} of {len(pairs)}",
    ]


def _mean_curve(curves: Sequence[Curve]) -> Curve:
    rounds = min(len(curve) for curve in curves)
    means = np.mean([curve[:rounds] for curve in curves], 0)
    return [(float(strokes), float(score)) for strokes, score in means]


def open_vocabulary_section(rows: list[Row]) -> Iterator[str]:
    """Classes that the source never had."""
    yield "## A class that the source never had"
    yield (
        f"Each class in turn is unknown to the source and to the strokes; then its name is typed; then it gets one stroke per image on a few images "
        f"(`benchmarks/open_vocabulary.py`). {_setting(rows)} IoU in points. *Old classes*: how their mean IoU, on their own pixels, differs "
        "after the round with the new class and its strokes, from the same round without them, and from the model before any round; "
        "and what the name alone changes in it. *Fits others*: the mean share of another class's strokes that goes by the name from a probability of a half on."
    )
    body = []
    for data in _values(rows, "data"):
        here = _of(rows, data=data)
        names = _values(here, "name")
        body += [[data, name, *_open_cells(_of(here, name=name))] for name in names]
        body.append([data, "**mean of all**", *_open_cells(here)])
    titles = ["data", "class", "by name alone", "fits others", "with strokes", "strokes"]
    old = ("by the name alone", "against a round without", "against before any round")
    yield table([*titles, *(f"old classes, {against}" for against in old)], body)


def _open_cells(rows: list[Row]) -> list[str]:
    strokes = np.mean([row["strokes"] for row in rows])
    changes = (
        ("old_by_name", "old_before"),
        ("old_adapted_with", "old_adapted_without"),
        ("old_adapted_with", "old_before"),
    )
    return [
        points(Estimate.of(row["new_by_name"] for row in rows)),
        points(Estimate.of(row["false_alarms"] for row in rows)),
        points(Estimate.of(row["new_painted"] for row in rows)),
        f"{strokes:.1f}",
        *(points(Estimate.of(row[a] - row[b] for row in rows), signed=True) for a, b in changes),
    ]


def robustness_section(rows: list[Row]) -> Iterator[str]:
    """Whether a round does harm."""
    yield "## Does a round ever do harm?"
    silent = [row for row in rows if _fell(row) and not row["said_worse"]]
    yield (
        f"Default settings, a part of the strokes kept aside (`benchmarks/robustness.py`). {_setting(rows)} Before → after the round; *kept*: of the "
        "state that stands at the end, which is the one before if the tool went back. In "
        f"{len(silent)} of {len(rows)} runs the accuracy on the strokes kept aside fell by more than a point without the tool saying so"
        f"{_named(silent)}."
    )
    body = []
    for data in _values(rows, "data"):
        here = _of(rows, data=data)
        names = _values(here, "name")
        body += [[data, name, *_robustness_cells(_of(here, name=name))] for name in names]
    titles = ["data", "images", "kept-aside strokes right", "mIoU", "mIoU kept", "said that it got worse", "went back", "classes destroyed"]  # fmt: skip
    forest = any(row.get("forest_miou") is not None for row in rows)
    yield table([*titles, "mIoU of a forest"], body) if forest else table(titles, [c[:-1] for c in body])


def _fell(row: Row) -> bool:
    before, after = row["held_out_before"], row["held_out_after"]
    return before is not None and after is not None and before - after > 0.01


def _named(rows: list[Row]) -> str:
    names = [f"{row['data']} {row['name']}, seed {row['seed']}" for row in rows]
    return f" ({'; '.join(names)})" if names else ""


def _robustness_cells(rows: list[Row]) -> list[str]:
    def mean(key: str) -> str:
        return points(Estimate.of(row.get(key) for row in rows))

    lost = sorted({name for row in rows for name in row["destroyed"]})
    return [
        f"{mean('held_out_before')} → {mean('held_out_after')}",
        f"{mean('miou_before')} → {mean('miou_after')}",
        mean("miou_kept"),
        f"{sum(row['said_worse'] for row in rows)} of {len(rows)}",
        f"{sum(row['went_back'] for row in rows)} of {len(rows)}",
        ", ".join(lost) or "none",
        mean("forest_miou"),
    ]


def calibration_section(rows: list[Row]) -> Iterator[str]:
    """Accuracy by confidence."""
    yield "## What confidence means"
    yield (
        f"Share of right pixels by bin of confidence (`benchmarks/calibration.py`). {_setting(rows)} *Predictions* are those of the evaluation "
        "images, *pseudo-labels* those of target images without strokes. In brackets the share of all pixels in the bin. All pixels of all seeds together. "
        "A round fits one temperature to the strokes that it kept aside; *not calibrated* is the same model without it."
    )
    edges = [f"{100 * low:g} to {100 * high:g}" for low, high in pairwise(CONFIDENCE_EDGES)]  # fmt: skip
    body = []
    for data in _values(rows, "data"):
        for stage in _values(_of(rows, data=data), "name"):
            here = _of(rows, data=data, name=stage)
            ece = points(Estimate.of(row["ece"] for row in here))
            body.append([data, stage, "predictions", ece, *_bins(here, "prediction")])
            body.append([data, stage, "pseudo-labels", "", *_bins(here, "pseudo_labels")])
    yield table(["data", "model", "of", "calibration error", *edges], body)


def _bins(rows: list[Row], key: str) -> Iterator[str]:
    pixels = np.sum([row[key]["pixels"] for row in rows], 0)
    right = np.sum([row[key]["right"] for row in rows], 0)
    for count, correct in zip(pixels, right, strict=True):
        share = f" ({100 * count / pixels.sum():.0f} %)"
        yield f"{100 * correct / count:.0f}{share}" if count else "–"


SECTIONS: Final[dict[str, Callable[[list[Row]], Iterator[str]]]] = {
    "suggestion": suggestion_section,
    "open vocabulary": open_vocabulary_section,
    "robustness": robustness_section,
    "calibration": calibration_section,
}
"""By the rows' kind."""


def newest(rows: Iterable[Row]) -> list[Row]:
    """The rows of the budget that was used last; of several runs of one row the last."""
    found = list(rows)
    budget = {key: found[-1][key] for key in ("budget", "prepare")}
    last = {(row["data"], row["name"], row["seed"]): row for row in found if _matches(row, budget)}
    return list(last.values())


def _matches(row: Row, fields: dict[str, Any]) -> bool:
    return all(row[key] == value for key, value in fields.items())


def _of(rows: list[Row], **fields: Any) -> list[Row]:
    return [row for row in rows if _matches(row, fields)]


def _values(rows: list[Row], key: str) -> list[Any]:
    return list(dict.fromkeys(row[key] for row in rows))


def _setting(rows: list[Row]) -> str:
    seeds = len(_values(rows, "seed"))
    return _ROUNDS.format(
        budget=rows[0]["budget"],
        prepare=rows[0]["prepare"],
        defaults=_defaults(rows),
        seeds=f"{seeds} seed{'s' * (seeds != 1)}",
    )


def _defaults(rows: list[Row]) -> str:
    """What the defaults were, and of which data if not of all."""
    found = _values(rows, "defaults")
    if len(found) == 1:
        return str(found[0])
    by_data = ((defaults, _values(_of(rows, defaults=defaults), "data")) for defaults in found)
    return ", ".join(f"{defaults} ({', '.join(data)})" for defaults, data in by_data)
