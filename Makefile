# `make demo` and `make test` need Python >= 3.11 with pip, and nothing else: they make .venv and install into it.
# Another interpreter: make test PYTHON=python3.13. Some tests only: make test ARGS="tests/maths -k divergence".
.DEFAULT_GOAL := help
.PHONY: help demo test lint screenshots changelog system-libraries clean distclean

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
    "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
# Linux has a virtual screen; macOS and Windows show real windows.
ON_SCREEN := $(if $(filter Linux,$(shell uname -s)),env QT_QPA_PLATFORM=xcb LIBGL_ALWAYS_SOFTWARE=1 xvfb-run -a -s "-screen 0 1920x1200x24")

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: .venv/installed ## denoise the packaged example and write pictures to demo-output/
	$(BIN)/napari-gaintune demo --output demo-output

test: system-libraries .venv/installed-test ## run every test, those of the dock in a real viewer on a virtual screen
	$(ON_SCREEN) $(BIN)/python -m pytest $(ARGS)

lint: .venv/installed-test ## check style, types, import directions and the plugin manifest
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/npe2 validate napari-gaintune

screenshots: system-libraries .venv/installed-test ## draw the pictures of the documentation anew
	$(ON_SCREEN) $(BIN)/python scripts/screenshots.py

changelog: .venv/installed-test ## show what the fragments in changes/ will add to CHANGELOG.md
	$(BIN)/towncrier build --draft

clean: ## remove what was built, all but .venv
	rm -rf build dist demo-output .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	rm -rf .venv src/*.egg-info

system-libraries:
	@sh scripts/system-libraries

# An interpreter without ensurepip (Debian without python3-venv) still makes an environment if it has pip itself.
.venv/made:
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 found; name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "$(PYTHON) is older than Python 3.11; name another: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@if "$(PYTHON)" -c 'import ensurepip' 2>/dev/null; then "$(PYTHON)" -m venv .venv; else \
	    "$(PYTHON)" -m venv --without-pip .venv && "$(PYTHON)" -m pip --python $(BIN)/python install pip; fi || \
	    { echo "$(PYTHON) cannot make a virtual environment; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

.venv/installed: .venv/made setup.cfg pyproject.toml constraints.txt
	$(PIP_INSTALL) -e .
	@touch $@

.venv/installed-test: .venv/made setup.cfg pyproject.toml constraints.txt
	$(PIP_INSTALL) -e ".[test]"
	@touch .venv/installed $@
