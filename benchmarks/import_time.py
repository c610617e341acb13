"""How long napari waits for the plugin: to discover it (manifest), and to import its window; and that neither loads torch.

Run:  python benchmarks/import_time.py [REPEATS]
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "torchvision", "open_clip", "timm", "matplotlib.pyplot", "skimage", "tifffile")
CASES = {
    "numpy alone": ("", "import numpy"),
    "napari itself (its viewer and Qt)": ("", "import napari, napari.qt, napari.layers; napari.Viewer"),
    "discovery: the package and its manifest": (
        "import npe2, yaml",
        "import semidavil_napari; npe2.PluginManifest.from_file('semidavil_napari/napari.yaml')",
    ),
    "commands, as the palette does, after napari": (
        "import napari, napari.qt, napari.layers, napari.utils.notifications; napari.Viewer",
        "import semidavil_napari._commands",
    ),
    "the window, after napari": (
        "import napari, napari.qt, napari.qt.threading, napari.layers; napari.Viewer",
        "import semidavil_napari._dock_widget",
    ),
}
_MEASURE = """
import sys, time, json
{before}
began = time.perf_counter()
{measured}
seconds = time.perf_counter() - began
print(json.dumps([seconds, [name for name in {heavy!r} if name in sys.modules]]))
"""


def measure(before: str, measured: str) -> tuple[float, list[str]]:
    """Seconds of one import in a fresh interpreter, and the heavy packages that are loaded after it."""
    code = _MEASURE.format(before=before, measured=measured, heavy=HEAVY)
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, heavy = json.loads(ran.stdout.splitlines()[-1])
    return float(seconds), list(heavy)


def main() -> None:
    """Print a line for each case: the median and the slowest of some runs; the first run, which warms the disk cache, is not counted."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for name, case in CASES.items():
        measure(*case)
        runs = [measure(*case) for _ in range(repeats)]
        seconds, heavy = [s for s, _ in runs], runs[-1][1]
        loaded = f"loads {', '.join(heavy)}" if heavy else "loads nothing heavy"
        print(
            f"{name:<42} median {1000 * median(seconds):7.0f} ms   slowest {1000 * max(seconds):7.0f} ms   {loaded}"
        )


if __name__ == "__main__":
    main()
