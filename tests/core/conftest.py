"""A tiny vision-language model, and a bundle that starts from it."""

from __future__ import annotations

import pytest

from semidavil_core.export.bundle import Bundle
from semidavil_core.model.from_language import segmenter_from_language
from semidavil_core.vlm.loading import Vlm, load_vlm
from tests.core.tiny_tower import CLASSES, SMALL
from tests.core.tiny_vlm import write_folder


@pytest.fixture(scope="module")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> Vlm:
    return load_vlm(str(write_folder(tmp_path_factory.mktemp("vlm") / "tiny")))


@pytest.fixture(scope="module")
def bundle(vlm: Vlm) -> Bundle:
    return Bundle(segmenter_from_language(vlm, CLASSES, settings=SMALL), CLASSES, vlm.reference)
