# The commands of the project; `make help` prints this list.
# Variables: PYTHON (the interpreter to build on), VENV (the environment), CONSTRAINTS (the versions in
# it), OUT (the demo's folder), RECIPE (the demo's options).
# CLIENTS is the environment of `make test-clients`.
#   make test PYTHON=python3.12 VENV=../venv

ifndef PYTHON
PYTHON := $(shell command -v python3.11 || command -v python3 || echo python3)
endif
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
OUT ?= runs/demo
# Cones that hold what is below a text, and groups above the captions: docs/guides/train.md says why.
RECIPE ?= --epochs 44 --held-out emojione,fluent3d --min-radius 0.4 --aperture-scale 0.85 --entail-weight 1 --exclude-weight 1 --chain-weight 0.2 --links all --compositional True

CLIENTS ?= .venv-clients
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check $(if $(CI),--quiet)
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 8

.NOTPARALLEL:
.PHONY: help demo test test-slow test-clients coverage mutation lint format types docs check experiments-quick experiments clean

help:  ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.installed-demo  ## Train MERU on real pictures, evaluate and plot it; into runs/demo; after Ctrl-C goes on
	$(BIN)/spaceforms train --model meru $(RECIPE) --out $(OUT) $(if $(wildcard $(OUT)/config.json),--resume)
	$(BIN)/spaceforms evaluate $(OUT)
	$(BIN)/spaceforms plot $(OUT)

test: $(VENV)/.installed-dev  ## Run the tests
	$(PYTEST)

test-slow: $(VENV)/.installed-dev  ## Run the tests that take over ten seconds each
	$(PYTEST) -m slow

# -P: in a checkout the room `datasets` would be found in the place of the library of that name.
test-clients: $(CLIENTS)/.installed  ## Run the tests with sentence-transformers, Lightning and others, in .venv-clients
	SPACEFORMS_ALL_CLIENTS=1 $(CLIENTS)/bin/python -P -m pytest -m clients tests/integrations

# What torch compiles is not seen: lines that it alone runs count as not covered.
coverage: $(VENV)/.installed-dev  ## Count the lines and branches of geometry and losses that tests run: 95 % or more
	$(PYTEST) --cov=manifolds --cov=losses --cov-branch --cov-fail-under=95 \
	  --cov-report=term-missing:skip-covered --cov-report=html tests/manifolds tests/losses

mutation: $(VENV)/.installed-dev  ## Put small faults into the library and count those the tests see; an hour
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/mutation.py --count 300 --seed 0 --minutes 40

lint: $(VENV)/.installed-dev  ## Check style, formatting and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev  ## Rewrite the sources in the house style
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

types: $(VENV)/.installed-dev  ## Check the types of the library (mypy, strict)
	$(BIN)/mypy

docs: $(VENV)/.installed-dev  ## Build the documentation into docs/_build/html; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

check: lint types docs  ## Everything CI does after the tests
	$(BIN)/python -m pytest -m slow tests/test_packaging.py

experiments-quick: $(VENV)/.installed-dev  ## The experiments cut down to some minutes; into runs/experiments
	$(BIN)/python experiments/run.py closure concepts cones embed hierarchy noise shares styles tcl uncertainty widths --quick
	$(BIN)/python experiments/report.py runs/experiments/quick --page runs/experiments/quick/results.md

experiments: $(VENV)/.installed-dev  ## All experiments, hours on two cores; rewrites docs/results.md and the pages on what decides
	$(BIN)/python experiments/run.py
	$(BIN)/python experiments/report.py
	$(BIN)/python experiments/settled.py

clean:  ## Remove what was built, and caches; environments and runs/ stay
	rm -rf build dist docs/_build docs/_pictures docs/_generated docs/gallery docs/api/*/ docs/derivations.md htmlcov .coverage* .pytest_cache .mypy_cache .ruff_cache \
	  .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -not -path './.venv-clients/*' -not -path './.ci-venv/*' -prune -exec rm -rf {} +

# -- environments ---------------------------------------------------------------------------------
# A stamp says which extras are in. It is older than pyproject.toml or the constraints when those
# changed, and absent when an installation was interrupted; then the installation is made again.

$(VENV)/.installed-demo: EXTRAS := train,plot
$(VENV)/.installed-dev: EXTRAS := dev

$(VENV)/.installed-demo $(VENV)/.installed-dev: pyproject.toml $(CONSTRAINTS) | $(BIN)/pip
	@echo "Installing spaceforms[$(EXTRAS)] into $(VENV): the first time takes some minutes."
	$(PIP) install --constraint $(CONSTRAINTS) setuptools
	$(PIP) install --constraint $(CONSTRAINTS) --no-build-isolation --editable ".[$(EXTRAS)]"
	@touch $@

$(CLIENTS)/.installed: pyproject.toml $(CONSTRAINTS) $(wildcard tests/integrations/requirements*.txt)
	@echo "Installing other libraries into $(CLIENTS): the first time takes some minutes."
	$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip --disable-pip-version-check install --constraint $(CONSTRAINTS) \
	  --requirement tests/integrations/requirements.txt setuptools
	$(CLIENTS)/bin/python -m pip --disable-pip-version-check install --constraint $(CONSTRAINTS) \
	  --no-deps --requirement tests/integrations/requirements-no-deps.txt
	$(CLIENTS)/bin/python -m pip --disable-pip-version-check install --constraint $(CONSTRAINTS) \
	  --no-build-isolation --editable ".[train,plot,search,optim,validation]"
	@touch $@

# venv makes pip last: an environment whose making was interrupted is made again.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "spaceforms needs Python 3.11 or later, and '$(PYTHON)' is not." \
	    "Name another: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make environments: its venv module is missing." \
	    "On Debian and Ubuntu it comes with the package python3-venv." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
