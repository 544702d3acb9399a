# The two commands of the README are `make demo` and `make test`; both do all of their own set-up.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check suite interop bench docs notebooks format clean
.DEFAULT_GOAL := help

help:  ## List the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

$(STAMP)-demo: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[demo]"
	@touch $@

$(STAMP)-dev: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

$(STAMP)-bench: $(STAMP)-dev pyproject.toml
	$(BIN)/python -m pip install --quiet --group bench
	@touch $@

$(STAMP)-interop: $(STAMP)-dev pyproject.toml
	$(BIN)/python -m pip install --quiet --group interop
	@touch $@

$(STAMP)-docs: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --group docs
	@touch $@

demo: $(STAMP)-demo  ## Install and run the demo pipeline on the embedded PostgreSQL
	$(BIN)/djflow demo

test: $(STAMP)-dev $(STAMP)-docs  ## Install, check and run the whole test suite
	$(MAKE) --no-print-directory --jobs=2 check suite

check: $(STAMP)-dev docs  ## Lint, types, layers, dependencies, the documentation
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/pyright
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/pyright --verifytypes djflow --ignoreexternal | tail -n 3
	$(BIN)/lint-imports
	$(BIN)/deptry src

suite: $(STAMP)-dev  ## Run the tests
	$(BIN)/pytest --numprocesses=3

interop: $(STAMP)-interop  ## Run the tests in which DataJoint itself takes part
	DJFLOW_TEST_DATAJOINT_PYTHON=$(abspath $(BIN))/python $(BIN)/pytest tests/interop

bench: $(STAMP)-bench  ## Print the benchmarks' ratios
	$(BIN)/python -m benchmarks

docs: $(STAMP)-docs  ## Build the documentation in site/; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

notebooks: $(STAMP)-dev  ## Run the tutorials and keep what they show
	DJFLOW_STORE_NOTEBOOKS=1 $(BIN)/pytest tests/documents/test_notebooks.py

format: $(STAMP)-dev  ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:  ## Remove what the commands made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis demo-output
