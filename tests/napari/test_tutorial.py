"""The tutorial speaks of buttons as they are called in the window, and its pictures are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import semidavil_napari
from semidavil_core.classes import ClassSet
from semidavil_core.samples import sample_folder
from tests.napari.test_plugin import has_sample

REPOSITORY = Path(__file__).parents[2]
TUTORIAL = REPOSITORY / "docs" / "tutorial.md"


def plain(text: str) -> str:
    return " ".join(text.split())


def test_what_is_bold_in_the_tutorial_stands_in_the_window() -> None:
    if not has_sample("streets"):
        pytest.skip("the sample is not part of this installation")
    sources = sorted(Path(semidavil_napari.__file__).parent.rglob("*.py"))
    texts = {
        plain(text) for path in sources for text in re.findall(r'"([^"\n]+)"', path.read_text("utf-8"))
    } | set(ClassSet.read(sample_folder("streets")).names)
    bold = {plain(words) for words in re.findall(r"\*\*(.+?)\*\*", TUTORIAL.read_text("utf-8"), re.DOTALL)}
    assert len(bold) > 15
    unknown = [
        words
        for words in bold
        if not any(text == words or text.startswith(words.removesuffix("…")) for text in texts)
    ]
    assert unknown == []


@pytest.mark.parametrize("page", ["docs/tutorial.md", "README.md"])
def test_its_pictures_and_links_lead_somewhere(page: str) -> None:
    file = REPOSITORY / page
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", file.read_text("utf-8"))
    local = [target for target in targets if "://" not in target]
    assert local
    assert [target for target in local if not (file.parent / target).exists()] == []


def test_the_pictures_are_small() -> None:
    pictures = [TUTORIAL.parent / "images" / f"{name}.png" for name in ("empty", "painted", "training", "result", "export")]  # fmt: skip
    assert all(picture.stat().st_size < 250_000 for picture in pictures)
