# Two commands matter: `make demo` and `make test`. Both set up what they need first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PROXY := .venv-litellm

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast lint format litellm-proxy bench clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP)  ## make .venv with pinned dependencies

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Gatewright needs Python >= 3.11; set PYTHON=/path/to/python3.11"; exit 3; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)  ## the whole story on the embedded platform: two promotions and one refusal
	$(BIN)/gatewright demo

test: $(STAMP)  ## every test, the slow ones too
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-fast: $(STAMP)  ## without the slow tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder -m "not slow"

lint: $(STAMP)  ## ruff (format and lint) and strict mypy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMP)  ## let ruff put the code in form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

litellm-proxy: $(PROXY)/.installed  ## a real LiteLLM proxy (700 MB) beside .venv, for the one test that needs it

$(PROXY)/.installed:
	test -x $(PROXY)/bin/python || $(PYTHON) -m venv $(PROXY)
	$(PROXY)/bin/python -m pip install --quiet --disable-pip-version-check 'litellm[proxy]==1.104.8'
	@touch $(PROXY)/.installed

bench: $(STAMP)  ## the promotion on real utterances, both ways round (needs a data set; see tests/bench)
	$(BIN)/python tests/bench/clinc_promotion.py

clean:  ## remove the environment and what the demo left
	rm -rf $(VENV) $(PROXY) .gatewright build *.egg-info
