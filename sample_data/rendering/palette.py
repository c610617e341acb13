"""The classes of both data sets: names, prompts, colours and label values.

The colours of a set were chosen by a search for the largest smallest difference (CIEDE2000) between any two of them, as people see
them with normal sight, protanopia, deuteranopia and tritanopia, light enough for strokes on a dark image.
"""

from __future__ import annotations

from typing import TypedDict

IGNORE = 255


class ClassEntry(TypedDict):
    """One entry of ``classes.json``."""

    name: str
    prompts: list[str]
    color: str
    value: int


def _entry(value: int, name: str, color: str, *prompts: str) -> ClassEntry:
    return ClassEntry(name=name, prompts=[name, *prompts], color=color, value=value)


SKY, BUILDING, POLE, ROAD, SIDEWALK, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = range(11)

STREET_CLASSES = [
    _entry(SKY, "sky", "#17dad6", "clouds"),
    _entry(BUILDING, "building", "#797a8d", "house", "shop front", "brick wall"),
    _entry(POLE, "pole", "#f5f80e", "lamp post", "column"),
    _entry(ROAD, "road", "#a090fd", "asphalt", "street surface", "lane marking"),
    _entry(SIDEWALK, "sidewalk", "#d7f9d9", "pavement", "footpath"),
    _entry(TREE, "tree", "#5b957b", "bush", "vegetation", "grass"),
    _entry(SIGN, "traffic sign", "#e12c18", "traffic light", "sign board"),
    _entry(FENCE, "fence", "#7a4a54", "railing", "barrier"),
    _entry(CAR, "car", "#255a84", "van", "truck", "bus"),
    _entry(PEDESTRIAN, "pedestrian", "#fd8f4e", "person", "people walking"),
    _entry(BICYCLIST, "bicyclist", "#9e00ff", "cyclist", "person riding a bicycle"),
]
STREET_RARE = (POLE, SIGN, PEDESTRIAN, BICYCLIST)

BACKGROUND, CELL, NUCLEUS, DIVIDING, DEBRIS = range(5)

CELL_CLASSES = [
    _entry(BACKGROUND, "background", "#404040", "empty medium", "culture dish"),
    _entry(CELL, "cell", "#009203", "cytoplasm", "cell body"),
    _entry(NUCLEUS, "nucleus", "#8850ff", "cell nucleus"),
    _entry(DIVIDING, "dividing cell", "#fd8ea9", "mitotic cell", "mitosis"),
    _entry(DEBRIS, "debris", "#f0f12e", "dirt", "dead cell fragments"),
]
CELL_RARE = (DIVIDING, DEBRIS)
