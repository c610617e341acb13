"""The classes of both data sets: names, prompts, colours and label values."""

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
    _entry(SKY, "sky", "#87ceeb", "clouds"),
    _entry(BUILDING, "building", "#b04030", "house", "shop front", "brick wall"),
    _entry(POLE, "pole", "#f5d742", "lamp post", "column"),
    _entry(ROAD, "road", "#6b4a8a", "asphalt", "street surface", "lane marking"),
    _entry(SIDEWALK, "sidewalk", "#d68fd6", "pavement", "footpath"),
    _entry(TREE, "tree", "#3c8c3c", "bush", "vegetation", "grass"),
    _entry(SIGN, "traffic sign", "#ff8c1a", "traffic light", "sign board"),
    _entry(FENCE, "fence", "#c8a878", "railing", "barrier"),
    _entry(CAR, "car", "#2050d0", "van", "truck", "bus"),
    _entry(PEDESTRIAN, "pedestrian", "#e0303a", "person", "people walking"),
    _entry(BICYCLIST, "bicyclist", "#20c0c0", "cyclist", "person riding a bicycle"),
]
STREET_RARE = (POLE, SIGN, PEDESTRIAN, BICYCLIST)

BACKGROUND, CELL, NUCLEUS, DIVIDING, DEBRIS = range(5)

CELL_CLASSES = [
    _entry(BACKGROUND, "background", "#404040", "empty medium", "culture dish"),
    _entry(CELL, "cell", "#4caf50", "cytoplasm", "cell body"),
    _entry(NUCLEUS, "nucleus", "#3f7fff", "cell nucleus"),
    _entry(DIVIDING, "dividing cell", "#ff5fa2", "mitotic cell", "mitosis"),
    _entry(DEBRIS, "debris", "#f0b429", "dirt", "dead cell fragments"),
]
CELL_RARE = (DIVIDING, DEBRIS)
