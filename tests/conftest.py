"""Shared fixtures; and torch before any window.

Once an OpenGL window of Mesa exists, torch's first optimiser step would load a second copy of LLVM (through triton) into the
process, which ends it. Loaded in this order both live together; the plugin itself keeps them in separate processes.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # read when torch is loaded: idle threads sleep, tests share the machine
os.environ.setdefault("QT_LOGGING_RULES", "*.debug=false")

import numpy as np
import pytest
import torch
from PIL import Image

with contextlib.suppress(ImportError):
    import triton  # noqa: F401

# Processes that share the tests share the cores too.
torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else min(2, torch.get_num_threads()))

CLASSES = [
    {"name": "ground", "prompts": ["ground", "road"], "value": 1, "color": "#804080"},
    {"name": "tree", "value": 4, "color": "#208020"},
    {"name": "sky", "value": 7, "color": "#80c0ff"},
]
COLORS = np.array([[100, 90, 90], [30, 120, 30], [120, 180, 250]])
VALUES = np.array([1, 4, 7], np.uint8)


def write_scene(folder: Path, name: str, seed: int, *, dark: bool, size: tuple[int, int] = (64, 80)) -> None:
    """One picture with its dense labels: sky over trees over ground."""
    rng = np.random.default_rng(seed)
    height, width = size
    rows = np.sort(rng.choice(np.arange(10, height - 10), 2, replace=False))
    indices = np.zeros(size, np.intp)
    indices[: rows[1]] = 1
    indices[: rows[0]] = 2
    image = COLORS[indices] * (0.4 if dark else 1.0) + rng.normal(0, 8, (height, width, 3))
    for part, content in (("images", np.clip(image, 0, 255).astype(np.uint8)), ("labels", VALUES[indices])):
        (folder / part).mkdir(parents=True, exist_ok=True)
        Image.fromarray(content).save(folder / part / f"{name}.png")


def write_strokes(target: Path, names: list[str]) -> None:
    """Scribbles: three columns of the dense labels, the rest 0, which is no class."""
    (target / "scribbles").mkdir()
    for name in names:
        labels = np.asarray(Image.open(target / "labels" / f"{name}.png"))
        strokes = np.zeros_like(labels)
        strokes[:, ::20] = labels[:, ::20]
        Image.fromarray(strokes).save(target / "scribbles" / f"{name}.png")


@pytest.fixture(scope="session")
def tiny_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample like those in ``sample_data/``, of a few tiny pictures of different sizes: bright source, dark target. Read only."""
    folder = tmp_path_factory.mktemp("tiny")
    for seed in range(3):
        write_scene(folder / "source", f"day{seed}", seed, dark=False)
        write_scene(folder / "target", f"night{seed}", 10 + seed, dark=True, size=(48 + 8 * seed, 72))
    write_scene(folder / "eval", "late", 20, dark=True)
    (folder / "source" / "classes.json").write_text(json.dumps(CLASSES))
    (folder / "classes.json").write_text(json.dumps(CLASSES))
    write_strokes(folder / "target", ["night0", "night1"])
    return folder
