# `make demo` needs the user's install alone; tests and lint add the developer's tools to it.
# Every target sets up what it needs first: Python >= 3.11 and make are enough to begin with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
USER_INSTALL := $(VENV)/.installed
DEV_INSTALL := $(VENV)/.installed-dev
PROXY := .venv-litellm

PYTEST := $(BIN)/python -m pytest
PARALLEL := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# A room is a folder below tests/evals or tests/flows: `make check ROOM=gate`, or ROOM=flows/evaluation for one of two.
ROOM_TESTS = $(if $(ROOM),$(sort $(wildcard tests/$(ROOM) tests/evals/$(ROOM) tests/flows/$(ROOM))))

# pip, with the names of what it collects, eight a line, instead of some lines for each package.
PIP_INSTALL = { $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --constraint constraints.txt
SHORTENED = ; echo $$? >$(VENV)/.status; } | awk ' \
	/^Collecting/ { sub(/[^A-Za-z0-9._-].*/, "", $$2); names = names "  " $$2; n++ } \
	names && (n == 8 || /^Installing/) { print names; names = ""; n = 0; fflush() } \
	/^Installing collected/ { print "  installing " (NF - 3) " packages"; fflush() }'; \
	exit "$$(cat $(VENV)/.status)"

# Without kept bytecode each of the many processes that tests begin compiles the project anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-changed check lint format litellm-proxy bench clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(DEV_INSTALL)  ## make .venv with pinned dependencies and the developer's tools

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Gatewright needs Python >= 3.11; set PYTHON=/path/to/python3.11"; exit 3; }
	@echo "== $(VENV): an environment with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(USER_INSTALL): pyproject.toml constraints.txt | $(BIN)/python
	@echo "== $(VENV): Gatewright and the libraries it needs; some minutes the first time"
	@$(PIP_INSTALL) --editable . $(SHORTENED)
	@touch $@

$(DEV_INSTALL): $(USER_INSTALL)
	@echo "== $(VENV): the extras and the developer's tools"
	@$(PIP_INSTALL) --editable '.[dev]' $(SHORTENED)
	@touch $@

demo: $(USER_INSTALL)  ## the whole story on the embedded platform: two promotions and one refusal
	$(BIN)/gatewright demo

test: $(DEV_INSTALL)  ## every test, the slow ones too
	$(PYTEST) $(PARALLEL)

test-fast: $(DEV_INSTALL)  ## without the slow tests, about a minute
	$(PYTEST) $(PARALLEL) -m "not slow"

test-changed: $(DEV_INSTALL)  ## the fast tests that your change can reach; the first time all of them
	$(PYTEST) $(PARALLEL) --testmon -m "not slow" || test $$? = 5  # 5: nothing to run

ifdef ROOM
check: $(DEV_INSTALL)
	@test -n "$(ROOM_TESTS)" || { echo "no tests for the room '$(ROOM)'; rooms:" $(patsubst tests/%/,%,$(wildcard tests/evals/*/ tests/flows/*/)); exit 3; }
	$(PYTEST) $(PARALLEL) $(ROOM_TESTS)
else
check: lint test-fast  ## lint and the fast tests; with ROOM=gate every test of that room alone
endif

lint: $(DEV_INSTALL)  ## ruff (format and lint), who may import whom, and strict mypy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

format: $(DEV_INSTALL)  ## let ruff put the code in form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

litellm-proxy: $(PROXY)/.installed  ## a real LiteLLM proxy (700 MB) beside .venv, for the one test that needs it

$(PROXY)/.installed:
	test -x $(PROXY)/bin/python || $(PYTHON) -m venv $(PROXY)
	$(PROXY)/bin/python -m pip install --quiet --disable-pip-version-check 'litellm[proxy]==1.104.8'
	@touch $(PROXY)/.installed

bench: $(DEV_INSTALL)  ## the promotion on real utterances, both ways round (needs a data set; see tests/bench)
	$(BIN)/python tests/bench/clinc_promotion.py

clean:  ## remove the environment and what the demo left
	rm -rf $(VENV) $(PROXY) .gatewright build *.egg-info
