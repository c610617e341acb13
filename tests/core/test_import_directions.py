"""The house rule: imports point up the pipeline, and the core never meets Qt or napari."""

from __future__ import annotations

import ast
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
CORE = REPOSITORY / "semidavil_core"

# From the seam down the pipeline; a module may import what stands on an earlier line, or on its own.
LEVELS = (
    ("errors", "class_colours"),
    ("classes", "control", "events", "settings", "atomic_files", "samples", "devices"),
    ("requests",),
    ("data",),
    ("vlm",),
    ("model",),
    ("losses",),
    ("metrics",),
    ("inference",),
    ("export",),
    ("adaptation",),
    ("project",),
    ("engine",),
    ("plots", "demo"),
    ("commands",),
    ("cli",),
    ("__main__",),
)
LEVEL_OF = {name: level for level, names in enumerate(LEVELS) for name in names}
WINDOW_PACKAGES = {
    "PyQt5",
    "PyQt6",
    "PySide2",
    "PySide6",
    "magicgui",
    "napari",
    "pyqtgraph",
    "qtpy",
    "superqt",
    "vispy",
}
HEAVY_PACKAGES = {
    "matplotlib",
    "open_clip",
    "scipy",
    "skimage",
    "sklearn",
    "timm",
    "torch",
    "torchvision",
    "transformers",
}

CORE_FILES = sorted(p for p in CORE.rglob("*.py") if "_samples" not in p.parts)


def part_of(path: Path) -> str:
    """The folder or module of the core that `path` belongs to."""
    first = path.relative_to(CORE).parts[0]
    return first.removesuffix(".py")


def imported_modules(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def imported_parts(path: Path) -> set[str]:
    modules = [m.split(".") for m in imported_modules(path) if m.startswith("semidavil_core.")]
    return {m[1] for m in modules if m[1] in LEVEL_OF}


@pytest.mark.parametrize("path", CORE_FILES, ids=lambda p: str(p.relative_to(CORE)))
def test_imports_point_up_the_pipeline(path: Path) -> None:
    own = part_of(path)
    if own == "__init__":
        assert imported_parts(path) == set(), "the package itself stays light"
        return
    assert own in LEVEL_OF, (
        f"{own} has no place in the pipeline; give it one in this test and in CONTRIBUTING.md"
    )
    downwards = {name for name in imported_parts(path) if LEVEL_OF[name] > LEVEL_OF[own]}
    assert not downwards, f"{own} must not import {downwards}, which come later in the pipeline"


@pytest.mark.parametrize("path", CORE_FILES, ids=lambda p: str(p.relative_to(CORE)))
def test_the_core_names_no_window_package(path: Path) -> None:
    named = {module.split(".")[0] for module in imported_modules(path)}
    assert not named & (WINDOW_PACKAGES | {"semidavil_napari"})


def test_the_check_sees_an_import_in_the_wrong_direction(tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text("def late():\n    from semidavil_core.engine.client import Engine\n")
    assert imported_parts(file) == {"engine"}
    assert LEVEL_OF["engine"] > LEVEL_OF["data"]


def test_levels_name_each_part_once() -> None:
    names = [name for names in LEVELS for name in names]
    assert len(names) == len(set(names))
    assert all(first != second for first, second in pairwise(LEVELS))


def loaded_after(statement: str) -> set[str]:
    """Top-level packages in a fresh interpreter after `statement`."""
    code = f"{statement}\nimport sys; print('\\n'.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    return set(ran.stdout.split())


def test_importing_the_core_is_light() -> None:
    loaded = loaded_after("import semidavil_core")
    assert not loaded & (WINDOW_PACKAGES | HEAVY_PACKAGES | {"numpy"})


def test_importing_the_seam_and_the_command_line_loads_no_torch() -> None:
    loaded = loaded_after(
        "import semidavil_core.cli, semidavil_core.events, semidavil_core.requests, semidavil_core.settings, semidavil_core.engine.client"
    )
    assert not loaded & (WINDOW_PACKAGES | HEAVY_PACKAGES)


def test_importing_every_module_of_the_core_loads_no_window_package() -> None:
    modules = [
        ".".join(p.relative_to(REPOSITORY).with_suffix("").parts)
        for p in CORE_FILES
        if p.name != "__main__.py"
    ]
    needs_extras = ("semidavil_core.vlm.mini.",)  # made with packages that only `make mini` installs
    wanted = sorted(m.removesuffix(".__init__") for m in modules if not m.startswith(needs_extras))
    loaded = loaded_after("\n".join(f"import {module}" for module in wanted))
    assert not loaded & (WINDOW_PACKAGES | {"semidavil_napari"})
