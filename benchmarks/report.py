"""Make docs/ablation.md and its pictures from the results.

Usage
-----
    python benchmarks/report.py [--results benchmarks/results.jsonl] [--out docs/ablation.md]

What a person wrote between the marks of the conclusions stays as it is; everything else is made anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ablation_results import AblationResults
from bench_options import RESULTS
from report_ablation import ablation_sections, without_gain, without_loss
from report_plots import draw, draw_suggestion
from report_questions import SECTIONS, newest
from result_rows import ResultFile, Row

BEGIN: Final = "<!-- conclusions, written by hand -->"
END: Final = "<!-- end of the conclusions -->"
UNWRITTEN: Final = "*Not written yet.*"
_ROOT: Final = Path(__file__).parents[1]

NO_GAIN: Final = (
    "Neither mIoU nor the recall of rare classes over all data is better than the default's with 95 % confidence: what such a change adds "
    "did not help."
)
NO_LOSS: Final = "Neither is worse with 95 % confidence: what such a change takes away is not shown to help, which is not to say that it does not."
MIXED: Final = "**Not all rows were run with the same code**: there are {count} versions of what trains and predicts among them (`code` in the rows)."
INTRODUCTION: Final = """# What each piece is worth

Each piece of the method changed alone, with the same network, the same source-trained start and the same budget. Made by
`python benchmarks/report.py` from `benchmarks/results.jsonl`; do not edit anything but the conclusions.

A second is a second of the processor with one thread (`cpu s`) unless it says otherwise: what else ran on the machine takes nothing from
a row, and a row whose steps cost more gets fewer of them. Every start model is trained once for a data set and a seed; rows that change the
network or the preparation train a start of their own with the same budget. The scores come from evaluation images that no training
sees; *pseudo-labels right* is the share of right labels on target images without strokes, against dense labels that no training sees. No strokes
are kept aside, so the confidence has the temperature of a model that was never measured, except in the rows that say otherwise.

    make ablation ARGS="--camvid DIR"                       # the rows that are missing, then this page
    python benchmarks/suggestion.py --camvid DIR            # strokes at suggestions
    python benchmarks/open_vocabulary.py --camvid DIR       # classes that the source never had
    python benchmarks/robustness.py --camvid DIR --forest   # harm under corruption
    python benchmarks/calibration.py --camvid DIR           # what confidence means
    python benchmarks/report.py                             # this page

The seeds vary the new layers, the batches and the start model; the strokes are the same for all, so the intervals say nothing of other
strokes. Left out: the dense modes of the tower, since `mini` is convolutional and has but one, and transformers with weights are no part of
the package; complementary feature dropout, which the product does not have. The random trunk is trained whole, batch statistics measured
on the source; the ImageNet trunk, which is `mini`'s, gets a new head that is trained with it.

{conclusions}"""


def report(rows: list[Row], images: Path, conclusions: str) -> str:
    """The whole document; pictures are written to `images`."""
    parts = [INTRODUCTION.format(conclusions=f"## Conclusions\n\n{BEGIN}\n{conclusions}\n{END}")]
    if len(versions := {row.get("code") for row in rows}) > 1:
        parts.append(MIXED.format(count=len(versions)))
    parts += _ablation_parts([row for row in rows if row["kind"] == "ablation"], images)
    for kind, section in SECTIONS.items():
        mine = [row for row in rows if row["kind"] == kind]
        if mine:
            parts += section(newest(mine))
            parts += _picture(kind, newest(mine), images)
    return "\n\n".join(parts) + "\n"


def _picture(kind: str, rows: list[Row], images: Path) -> Iterator[str]:
    if kind == "suggestion":
        draw_suggestion(rows, images / "ablation_suggestion.png")
        yield "![mIoU by the number of strokes, at suggestions and at random places](images/ablation_suggestion.png)"


def _ablation_parts(rows: list[Row], images: Path) -> Iterator[str]:
    for number, results in enumerate(AblationResults.split(rows)):
        plots = draw(results, images, f"_{number + 1}" if number else "")
        yield from ablation_sections(results, plots)
        yield from _listed("Changes that show no gain", without_gain(results), NO_GAIN)
        yield from _listed("Changes that show no loss", without_loss(results), NO_LOSS)


def _listed(title: str, lines: list[str], explanation: str) -> Iterator[str]:
    if lines:
        yield f"### {title}"
        yield explanation
        yield "\n".join(f"- {line}" for line in lines)


def written(document: Path) -> str:
    """The conclusions that `document` has by now."""
    if not document.is_file():
        return UNWRITTEN
    text = document.read_text("utf-8")
    if BEGIN not in text or END not in text:
        return UNWRITTEN
    return text.split(BEGIN, 1)[1].split(END, 1)[0].strip("\n") or UNWRITTEN


def main() -> None:
    """Read the results and write the document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--out", type=Path, default=_ROOT / "docs/ablation.md")
    options = parser.parse_args()
    rows = ResultFile(options.results).rows()
    if not rows:
        raise SystemExit(f"{options.results} holds no results; run benchmarks/ablation.py first.")
    text = report(rows, options.out.parent / "images", written(options.out))
    options.out.write_text(text, encoding="utf-8")
    print(f"{options.out}: {len(rows)} rows")


if __name__ == "__main__":
    main()
