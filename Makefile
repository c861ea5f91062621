# make setup   the environment in .venv, with the command .venv/bin/ketune
# make demo    fit, ketamine and report on shipped data: fits/demo/report.html
# make test    lint, types and all tests
# make lint    lint and types only

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ketune-ready
WORKERS ?= 2

.PHONY: setup demo test lint check
.DEFAULT_GOAL := setup

setup: $(READY)

# Made anew only when what is to be installed has changed: the package itself is installed as a link to src.
$(READY): pyproject.toml
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# One line on what is missing and how to get it.
check:
	@missing=; \
	command -v g++ >/dev/null || missing="$$missing g++"; \
	command -v make >/dev/null || missing="$$missing make"; \
	if ! command -v '$(PYTHON)' >/dev/null; then missing="$$missing python3 python3-venv"; \
	elif ! '$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null; then missing="$$missing python3-venv"; fi; \
	if [ -n "$$missing" ]; then \
	    echo "missing:$$missing; install with: sudo apt-get install$$missing" >&2; exit 1; fi; \
	'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "$(PYTHON) is older than Python 3.11; name a newer one: make setup PYTHON=python3.11" >&2; exit 1; }

demo: setup
	$(BIN)/ketune demo --output fits/demo --overwrite

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

test: lint
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
