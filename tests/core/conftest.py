"""A tiny vision-language model, and a bundle that starts from it."""

from __future__ import annotations

from typing import Any

import pytest

from semidavil_core.adaptation import session as session_module
from semidavil_core.export.bundle import Bundle
from semidavil_core.model.from_language import segmenter_from_language
from semidavil_core.vlm.loading import Vlm, load_vlm
from tests.core.tiny_names import Everywhere
from tests.core.tiny_tower import CLASSES, SMALL
from tests.core.tiny_vlm import write_folder


@pytest.fixture(scope="module")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> Vlm:
    return load_vlm(str(write_folder(tmp_path_factory.mktemp("vlm") / "tiny")))


@pytest.fixture(scope="module")
def bundle(vlm: Vlm) -> Bundle:
    return Bundle(segmenter_from_language(vlm, CLASSES, settings=SMALL), CLASSES, vlm.reference)


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The untouched model of a session calls everything by the newest name."""

    def build(_: Any, classes: Any, **__: Any) -> Any:
        return Everywhere(len(classes))

    monkeypatch.setattr(session_module, "segmenter_from_language", build)
