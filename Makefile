# `make` lists the targets. Each makes what it needs; a second time costs nothing.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin

# Nothing is installed whose hash is not in a lock file, the build backend included. A lock is
# complete, so nothing is resolved: pip 23.2 would look for newer versions of a package with extras.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
INSTALL := $(PIP) --no-deps --require-hashes --requirement
INSTALL_PACKAGE := $(PIP) --no-deps --no-build-isolation --editable .

# The first of these that is 3.11 to 3.13 and can make a virtual environment is taken.
PYTHONS := python3.13 python3.12 python3.11 python3
PROBE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
NO_PYTHON := dctnet needs Python 3.11, 3.12 or 3.13 with its venv module \
	(on Debian and Ubuntu: apt-get install python3-venv); none of $(PYTHONS) is one.

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: $(VENV)/installed ## Make .venv, which holds the command dctnet

.PHONY: install-dev
install-dev: $(VENV)/installed-dev ## Add to it what tests and checks need

.PHONY: run
run: install ## Serve on http://127.0.0.1:8080
	@$(BIN)/dctnet serve

.PHONY: test
test: lint ## Check style and types, then run all tests with coverage
	$(BIN)/pytest --cov --cov-report=
	$(BIN)/python tests/coverage_floor.py

.PHONY: loadtest
loadtest: install-dev ## Load a server with 50 clients for 30 s: its own, or the one at DCTNET_URL
	@$(BIN)/python -m loadtest

.PHONY: native
native: ## Build the native runtime, with the C++ compiler on the PATH
	@$(MAKE) --no-print-directory -C service/native --jobs=$$(nproc)

.PHONY: native-sanitize
native-sanitize: ## Run the native runtime under the address, undefined and thread sanitizers
	@$(MAKE) --no-print-directory -C service/native --jobs=$$(nproc) sanitize

.PHONY: lint
lint: install-dev ## Check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

.PHONY: format
format: install-dev ## Rewrite the code in the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The largest set is solved first and binds the others, so that every lock has the same versions.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --no-emit-index-url --no-emit-find-links
SOLVE = $(COMPILE) pyproject.toml --group build
SAME := --constraint requirements/demo-model.txt

.PHONY: lock
lock: install ## Lock the dependencies anew (UPGRADE=--upgrade takes new versions)
	$(INSTALL) requirements/lock.txt
	$(SOLVE) --extra reference --group dev --group demo-model $(UPGRADE) -o requirements/demo-model.txt
	$(SOLVE) --extra reference --group dev $(SAME) -o requirements/dev.txt
	$(SOLVE) --extra reference $(SAME) -o requirements/reference.txt
	$(SOLVE) $(SAME) -o requirements/core.txt
	$(COMPILE) --group pyproject.toml:lock -o requirements/lock.txt

.PHONY: clean
clean: ## Remove all that the other targets made
	rm -rf service/native/build service/dctnet/runtimes/lib
	rm -rf $(VENV) build service/dctnet.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find service loadtest tests -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@for python in $(PYTHONS); do \
		if $$python -c '$(PROBE)' 2>/dev/null; then exec $$python -m venv --clear $(VENV); fi; \
	done; \
	echo '$(NO_PYTHON)' >&2; exit 1

$(VENV)/installed: requirements/reference.txt pyproject.toml | $(BIN)/python
	@echo 'Installing what dctnet runs on: TensorFlow is large, so the first time takes some minutes.'
	@$(INSTALL) requirements/reference.txt
	@$(INSTALL_PACKAGE)
	@touch $@

$(VENV)/installed-dev: requirements/dev.txt $(VENV)/installed
	@echo 'Installing the tools for tests and checks.'
	@$(INSTALL) requirements/dev.txt
	@touch $@
