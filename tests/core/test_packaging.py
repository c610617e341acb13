"""What is installed is what is needed: the embedded model, the samples, the window's manifest."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from semidavil_core.samples import SAMPLE_NAMES

REPOSITORY = Path(__file__).parents[2]
FOLDERS = {
    "semidavil_core._samples": REPOSITORY / "sample_data",
    "semidavil_core.vlm.mini": REPOSITORY / "semidavil_core/vlm/mini",
}
MEGABYTE = 10**6


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def packaged(project: dict[str, Any], package: str) -> set[Path]:
    """The files that `package`'s patterns take along."""
    patterns = project["tool"]["setuptools"]["package-data"][package]
    return {path for pattern in patterns for path in FOLDERS[package].glob(pattern) if path.is_file()}


def test_every_sample_file_is_installed_and_they_stay_small(project: dict[str, Any]) -> None:
    taken = packaged(project, "semidavil_core._samples")
    wanted = {
        p for name in SAMPLE_NAMES for p in (REPOSITORY / "sample_data" / name).rglob("*") if p.is_file()
    }
    assert wanted
    assert wanted <= taken
    assert sum(p.stat().st_size for p in wanted) <= 8 * MEGABYTE


def test_the_embedded_model_is_installed_and_stays_small(project: dict[str, Any]) -> None:
    taken = packaged(project, "semidavil_core.vlm.mini")
    assert {"open_clip_config.json", "open_clip_model.safetensors"} <= {p.name for p in taken}
    assert sum(p.stat().st_size for p in taken) <= 30 * MEGABYTE


def test_the_base_installation_has_no_window(project: dict[str, Any]) -> None:
    base = " ".join(project["project"]["dependencies"]).lower()
    assert not any(name in base for name in ("napari", "qt", "magicgui"))
    assert any(need.startswith("napari") for need in project["project"]["optional-dependencies"]["gui"])


def test_the_manifest_of_the_window_is_where_the_entry_point_says(project: dict[str, Any]) -> None:
    package, file = project["project"]["entry-points"]["napari.manifest"]["semidavil-napari"].split(":")
    assert (REPOSITORY / package / file).is_file()
