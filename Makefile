# One verb each. `make` alone prints them; nothing but Python 3.11 or newer and make is needed beforehand.
# PYTHON chooses the interpreter (make demo PYTHON=python3.12); ARGS is handed on to pytest (make test ARGS="-k plan").

PYTHON ?= python3
ARGS ?=
ONLY ?= *

VENV := .venv
BIN := $(VENV)/bin
# The environment's own pip; where the system's Python could not put one in, the system's pip works on it from outside.
PIP = $(shell test -e $(BIN)/pip && echo $(BIN)/python -m pip || echo $(PYTHON) -m pip --python $(BIN)/python) \
	--disable-pip-version-check --no-input
# Only wheels, and only those whose hash is written down: nothing is compiled, and nothing unpinned is fetched.
INSTALL = $(PIP) install --quiet --require-hashes --only-binary :all:
COMPILE := $(BIN)/uv pip compile --quiet --no-config --system-certs --no-emit-index-url \
	--universal --fork-strategy fewest --python-version 3.11 --generate-hashes --custom-compile-command "make lock"

# The demonstration: the same faults and the same seed, with the two ways of acknowledging a write.
DEMO := $(BIN)/splitbrain run --on sim --nemesis partition --target leader --time-limit 30 --seed 11

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup demo test lint format type bench torture lock clean develop

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(VENV)/.installed ## make .venv, with exactly what requirements.lock names, and splitbrain in it

demo: setup ## the main job on the simulated ground, twice: promises kept, then broken and caught
	@echo "── 1 of 2: the leader is cut off again and again; a write is acknowledged once a majority has it"
	$(DEMO) --replication quorum
	@echo
	@echo "── 2 of 2: the same faults; a write is acknowledged once the leader has it (so this must find a violation)"
	$(DEMO) --replication async; test $$? -eq 1
	@echo
	@echo "Both came out as they should: the first kept its promises, the second broke them and was caught."
	@echo "The page of the second run: $$(cd store/latest && pwd -P)/report.html"

test: lint type ## all checks that this machine can run; the end names each skipped test and why
	$(BIN)/python -m pytest --no-fold-skipped $(ARGS)

lint: develop ## ruff: rules and layout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: develop ## lay the code out, and mend what ruff can mend by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

type: develop ## mypy --strict over the five packages
	$(BIN)/mypy

bench: develop ## measure: the programs in benchmarks/, one after another (ONLY=checkers: those in that folder)
	@set -e; for file in $(sort $(wildcard benchmarks/$(ONLY)/[a-z]*.py)); do \
		echo "== $$file"; $(BIN)/python "$$file"; \
	done

torture: develop ## the tests marked torture: the same laws, on far more random cases
	SPLITBRAIN_TORTURE=1 $(BIN)/python -m pytest --no-fold-skipped -m torture $(ARGS)

lock: develop ## write both locks anew from pyproject.toml; versions move only where they must (LOCK=--upgrade moves all)
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(COMPILE) $(LOCK) --output-file requirements.lock pyproject.toml -
	@$(COMPILE) $(LOCK) --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml

clean: ## remove what the targets made, .venv too; store/ with the runs stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The files below are stamps: each says that its step was done after its inputs last changed.

develop: $(VENV)/.developing

# A symbolic link whose interpreter was upgraded away counts as missing, so the environment is made anew then.
# Debian splits off ensurepip, which puts pip into an environment; where it is missing, the system's pip does as well.
$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "splitbrain needs Python 3.11 or newer, and there is no '$(PYTHON)'; name another with: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "splitbrain needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1); name another with: make PYTHON=python3.12"; exit 1; }
	@if $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then $(PYTHON) -m venv --clear $(VENV); \
	elif $(PYTHON) -c 'import venv' 2>/dev/null && $(PYTHON) -m pip --python $(PYTHON) --version >/dev/null 2>&1; then \
		$(PYTHON) -m venv --clear --without-pip $(VENV); \
	else echo "'$(PYTHON)' can neither make a virtual environment with pip in it nor has it a pip of its own; on Debian and Ubuntu: apt install python3-venv"; exit 1; \
	fi || { rm -rf $(VENV); exit 1; }

$(VENV)/.locked: requirements.lock $(BIN)/python
	@echo "Installing what requirements.lock names into $(VENV)"
	@$(INSTALL) -r requirements.lock
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.locked
	@$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.developing: requirements-dev.lock $(VENV)/.installed
	@echo "Installing what requirements-dev.lock names into $(VENV)"
	@$(INSTALL) -r requirements-dev.lock
	@touch $@
