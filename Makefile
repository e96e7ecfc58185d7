# Everything a newcomer or CI runs. Each target makes the environment it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test lint proof bench clean
.DEFAULT_GOAL := test

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

demo: $(VENV)/.installed  ## train on 33,530 real reviews, evaluate, explain one
	$(BIN)/crossent demo

test: $(VENV)/.installed
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

proof:  ## check the derivation and its consequences with Coq, then that wrong statements are refused
	$(PYTHON) proof/check.py --mutations

# ARGS are those of python -m benchmarks: make bench ARGS="--only text --quick"
bench: .venv-bench/.installed  ## us and everyone, side by side
	.venv-bench/bin/python -m benchmarks $(ARGS)

.venv-bench/.installed: pyproject.toml $(wildcard benchmarks/requirements*.txt)
	$(PYTHON) -m benchmarks.install
	touch $@

clean:
	rm -rf $(VENV) .venv-bench* .pytest_cache .ruff_cache .mypy_cache dist
