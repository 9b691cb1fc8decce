# Every target stands alone: it makes .venv, installs what it needs, and runs.
PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
BIN    := $(VENV)/bin
PINS   := pyproject.toml constraints.txt

.PHONY: help demo test lint bench docs clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## real models -> fields -> closed, coloured meshes -> demo/index.html (ARGS=--short for a quick one)
	$(BIN)/isofield demo -o demo $(ARGS)
	@echo "Open $(CURDIR)/demo/index.html"

test: $(VENV)/.dev  ## the tests (ARGS="-m slow" for the slow ones)
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev  ## style, types, and a report of sizes
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python tools/sizes.py

bench: $(VENV)/.bench  ## every benchmark, then docs/results.md
	for script in $$(ls benchmarks/*.py | grep -Ev 'common|plain_renderer|geogen_(vs_eg3d|toy)|completion|inversion|space_(ablations|beyond|real)'); do $(BIN)/python $$script || exit 1; done

docs: $(VENV)/.docs  ## the documentation as a site in docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "Open $(CURDIR)/docs/_build/html/index.html"

clean:  ## remove what the targets made
	rm -rf $(VENV) demo docs/_build build dist

# One stamp for each set of extras; a changed pyproject.toml or constraints.txt installs again.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "isofield needs Python 3.10 or newer; run: make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)

EXTRAS.demo  := texture
EXTRAS.dev   := dev
EXTRAS.bench := texture,compare
EXTRAS.docs  := docs

$(VENV)/.demo $(VENV)/.dev $(VENV)/.bench $(VENV)/.docs: $(VENV)/.%: $(PINS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS.$*)]"
	@touch $@
