# Two commands do everything on a fresh machine: `make dream` and `make test`.
# A second run installs nothing: each stamp is newer than what it was made from.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PROMPT ?= a lighthouse in a storm
SEED   ?= 7
RECIPE ?= siren
TAKE   ?=
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: dream test check lint types bench docs clean help

help:
	@echo "make dream [PROMPT=...] [RECIPE=...] [SEED=...]  set up, then make a picture from words"
	@echo "make test                                        set up, then run every test"
	@echo "make check                                       what CI runs: tests, lint, types, fresh install"
	@echo "make bench                                       print every benchmark's table"
	@echo "make docs                                        build the documentation into site/"

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Dreamplate needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

# torch goes in first and by itself, so that nothing else decides which build it is.
$(VENV)/.stamp-run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet -c constraints.txt torch
	$(BIN)/pip install --quiet -c constraints.txt -e '.[scorer,world]'
	@touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp-run
	$(BIN)/pip install --quiet -c constraints.txt -e '.[scorer,world,test]'
	@touch $@

$(VENV)/.stamp-lint: $(VENV)/.stamp-test
	$(BIN)/pip install --quiet -c constraints.txt -e '.[lint]'
	@touch $@

$(VENV)/.stamp-docs: $(VENV)/.stamp-run
	$(BIN)/pip install --quiet -c constraints.txt -e '.[docs]'
	@touch $@

dream: $(VENV)/.stamp-run
	$(BIN)/dreamplate dream "$(PROMPT)" --recipe $(RECIPE) --seed $(SEED) $(if $(TAKE),--take "$(TAKE)")

test: $(VENV)/.stamp-test
	$(BIN)/python -m pytest

lint: $(VENV)/.stamp-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.stamp-lint
	$(BIN)/mypy

check:
	bash .ci/run

bench: $(VENV)/.stamp-test
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs: $(VENV)/.stamp-docs
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
