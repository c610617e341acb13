# Two commands do everything on a fresh machine:   make demo   and   make test
# The set-up (virtual environment, system libraries where root on Debian, packages) runs once, and again when pyproject.toml changes.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY := $(BIN)/python
OUT ?= demo
ARGS ?=
# Processes that share the tests, by file: each takes about 1.5 GB.
JOBS ?= 2
# A window needs a display; a machine without one gets a virtual screen.
SCREEN = $(if $(filter Linux,$(shell uname -s 2>/dev/null)),$(if $(DISPLAY)$(WAYLAND_DISPLAY),,xvfb-run -a -s "-screen 0 1600x1200x24"))

# Threads that wait sleep: spinning ones make training several times slower beside other programs.
export OMP_WAIT_POLICY ?= PASSIVE

.DEFAULT_GOAL := help
.PHONY: help demo gui test check format bench ablation mini samples screenshots clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 13

demo: $(VENV)/.core ## Adapt a model to night streets; pictures, figures and the model go to demo/
	$(BIN)/semidavil demo --out $(OUT) $(ARGS)

gui: $(VENV)/.gui ## Open napari with the SemiDAViL window
	$(BIN)/napari -w semidavil-napari $(ARGS)

test: $(VENV)/.test ## Run all tests
	$(SCREEN) $(PY) -m pytest -n $(JOBS) --dist loadfile $(ARGS)

check: $(VENV)/.dev ## Formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev ## Format and mend what can be mended
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .

bench: $(VENV)/.core ## The CamVid table: make bench ARGS=/path/to/camvid
	$(PY) benchmarks/camvid.py $(ARGS)

ablation: $(VENV)/.core ## What each piece of the method is worth: make ablation ARGS="--camvid DIR"; docs/ablation.md
	$(PY) benchmarks/ablation.py $(ARGS)
	$(PY) benchmarks/report.py

mini: $(VENV)/.mini ## Rebuild the embedded vision-language model
	$(PY) -m semidavil_core.vlm.mini.recipe $(ARGS)

samples: $(VENV)/.core ## Render sample_data/ again
	$(PY) sample_data/render.py $(ARGS)

screenshots: $(VENV)/.gui ## Take the pictures of the window in docs/images again
	xvfb-run -a -s "-screen 0 1280x900x24" $(PY) docs/make_screenshots.py $(ARGS)

clean: ## Remove the environment and everything built
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

# --- set-up: each stamp is one set of packages -----------------------------------------------------------------------
$(VENV)/.made:
	$(if $(PYTHON),,$(error Python 3.11 or newer is needed; install it and run this again))
	PYTHON="$(PYTHON)" bash .ci/system-packages core
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	touch $@

$(VENV)/.core: pyproject.toml setup.py | $(VENV)/.made
	$(PY) -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.gui: pyproject.toml setup.py | $(VENV)/.made
	PYTHON="$(PYTHON)" bash .ci/system-packages gui
	$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[gui]"
	touch $@ $(VENV)/.core

$(VENV)/.test: pyproject.toml setup.py | $(VENV)/.made
	PYTHON="$(PYTHON)" bash .ci/system-packages gui
	$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[gui]" --group test
	touch $@ $(VENV)/.core $(VENV)/.gui

$(VENV)/.dev: pyproject.toml setup.py | $(VENV)/.made
	PYTHON="$(PYTHON)" bash .ci/system-packages gui
	$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[gui]" --group dev
	touch $@ $(VENV)/.core $(VENV)/.gui $(VENV)/.test

$(VENV)/.mini: pyproject.toml setup.py | $(VENV)/.core
	$(PY) -m pip install --quiet --disable-pip-version-check --group mini
	touch $@
