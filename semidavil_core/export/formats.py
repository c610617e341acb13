"""What can be exported: a list that the window shows and that later formats are added to. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Needs(StrEnum):
    """Who makes an export."""

    MODEL = "model"
    """The engine, from the model alone."""
    IMAGES = "images"
    """The engine, by predicting every image."""
    NOTHING = "nothing"
    """The window, from images and strokes."""


@dataclass(frozen=True)
class ExportFormat:
    """One thing to tick."""

    key: str
    title: str
    """What a person reads."""
    explanation: str
    """One sentence more."""
    place: str
    """Where it goes below the chosen folder."""
    needs: Needs
    ticked: bool = False
    """Whether it is ticked to begin with."""


BUNDLE: Final = ExportFormat("bundle", "Model as a folder (bundle)", "The adapted model with all it needs: runs in napari, on the command line and in Python.", "model", Needs.MODEL, ticked=True)  # fmt: skip
BUNDLE_ZIP: Final = ExportFormat("bundle_zip", "Model as one .zip file", "The same in one file, to send or publish.", "model.zip", Needs.MODEL)  # fmt: skip
LABELS_PNG: Final = ExportFormat("labels_png", "Predictions as PNG", "One label map per image: its numbers are the class values, shown in the class colours.", "predictions", Needs.IMAGES, ticked=True)  # fmt: skip
LABELS_TIFF: Final = ExportFormat("labels_tiff", "Predictions as TIFF", "The same as TIFF, for Fiji and other tools.", "predictions", Needs.IMAGES)  # fmt: skip
CONFIDENCE: Final = ExportFormat("confidence", "Confidence maps", "One TIFF per image: how sure the model is at each pixel, 0 to 1.", "predictions/confidence", Needs.IMAGES)  # fmt: skip
PROBABILITIES: Final = ExportFormat("probabilities", "Probability maps", "One TIFF per image with a page for each class, 0 to 1.", "predictions/probabilities", Needs.IMAGES)  # fmt: skip
PROBABILITIES_BY_CLASS: Final = ExportFormat("probabilities_by_class", "Probability maps, one folder per class", "One TIFF per image and class, 0 to 1.", "predictions/probabilities", Needs.IMAGES)  # fmt: skip
DATASET: Final = ExportFormat("dataset", "Images and strokes as files", "What the commands need: images/, scribbles/ and classes.json.", "dataset", Needs.NOTHING)  # fmt: skip

FORMATS: Final = (BUNDLE, BUNDLE_ZIP, LABELS_PNG, LABELS_TIFF, CONFIDENCE, PROBABILITIES, PROBABILITIES_BY_CLASS, DATASET)  # fmt: skip
