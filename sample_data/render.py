"""Rebuild all sample data: ``python sample_data/render.py``. Takes a few minutes on one core."""

from __future__ import annotations

from pathlib import Path

from render_cells import write_cells
from render_streets import write_streets

if __name__ == "__main__":
    here = Path(__file__).parent
    write_streets(here / "streets")
    write_cells(here / "cells")
