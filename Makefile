# `make` lists the targets. Each makes what it needs; a second time costs nothing.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
NATIVE := service/dctnet/runtimes/lib
ZIG := .tools/zig/ziglang/zig

# What a wheel asks of the machine: the C library that its dependencies' wheels ask for too.
GLIBC := 2.28

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

include tools.mk

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: $(VENV)/installed $(NATIVE)/built ## Make .venv, which holds the command dctnet

.PHONY: install-reference
install-reference: $(VENV)/installed-reference ## Add what fetches and prepares models: TensorFlow is large

.PHONY: install-dev
install-dev: $(VENV)/installed-dev $(NATIVE)/built ## Add to it what tests and checks need

.PHONY: run
run: install ## Serve on http://127.0.0.1:8080
	@$(BIN)/dctnet serve

# Twice as many as there are CPUs, for half of them wait for servers, timeouts and the browser;
# no more than 8, each of which takes up to 1 GB.
PROCESSES = $(shell n=$$(nproc); echo $$((n > 4 ? 8 : 2 * n)))

.PHONY: test
test: lint install-dev chart-tools $(axe) ## Check style and types, then run all tests with coverage
	$(BIN)/pytest --numprocesses=$(PROCESSES) --cov --cov-report=
	$(BIN)/python tests/coverage_floor.py

.PHONY: test-unit
test-unit: install-dev ## Run the unit tests alone, in less than a minute
	$(BIN)/pytest tests/unit --numprocesses=$(PROCESSES)

.PHONY: e2e
e2e: install-dev .tools/bin/helm ## Install the chart in the cluster of kubectl's current context, and try it there
	@$(E2E_CLUSTER:%=% run) $(BIN)/pytest tests/e2e

.PHONY: loadtest
loadtest: install-dev ## Load a server with 50 clients for 30 s: its own, or the one at DCTNET_URL
	@$(BIN)/python -m loadtest

.PHONY: single-host-test
single-host-test: install-dev ## Try single-host with real nginx and supervisord
	$(BIN)/pytest tests/single_host

NATIVELY := $(MAKE) --no-print-directory --silent -C service/native

.PHONY: native
native: $(NATIVE)/built ## Build the native runtime, with the C++ compiler on the PATH or zig

.PHONY: native-aarch64
native-aarch64: $(ZIG) ## Run it for aarch64 under qemu, and compare its images with this machine's
	@$(NATIVELY) write CARTOONS=build/answers
	@$(NATIVELY) compare CARTOONS=build/answers ARCHITECTURE=aarch64

.PHONY: native-sanitize
native-sanitize: ## Run the native runtime under the address, undefined and thread sanitizers
	@$(MAKE) --no-print-directory -C service/native --jobs=$$(nproc) sanitize

.PHONY: wheel
wheel: wheel-x86_64 wheel-aarch64 ## Build a wheel for x86-64 and one for aarch64 into dist, by zig

.PHONY: zig
zig: $(ZIG) ## Install zig, a C++ compiler, into .tools

.PHONY: tools
tools: $(TOOLS) ## Put helm and all other programs that tests and linters need into .tools/bin

.PHONY: chart-tools
chart-tools: $(CHART_TOOLS) ## Only those that the tests of the chart need, and Kubernetes' schemas

.PHONY: chart-lint
chart-lint: install-dev $(TOOLS) ## Check chart, Dockerfile and workflows by their linters, and with Helm 3
	$(BIN)/pytest tests/chart/test_linters.py

.PHONY: chart-docs
chart-docs: install-dev .tools/bin/helm-docs ## Write the chart's README and its schema's texts from the values' comments
	$(BIN)/python helm/describe.py
	@.tools/bin/helm-docs --log-level=warning --chart-search-root=helm --sort-values-order=file

.PHONY: manifests
manifests: install-dev .tools/bin/helm ## Render k8s/manifests from the chart
	@$(BIN)/python k8s/render.py

.PHONY: promises
promises: $(BIN)/python ## Write docs/promises.md from the marker of the tests that prove a promise
	@$(BIN)/python -m tests.support.promises

# The image: by the first of these engines that is here, with whatever BUILD_FLAGS it needs to.
ENGINES := docker podman buildah
ENGINE = $(firstword $(foreach name,$(ENGINES),$(if $(shell command -v $(name)),$(name))))
NO_ENGINE := There is none of $(ENGINES) to build an image with: install one, or name it by ENGINE.
IMAGE := dctnet
TARGET := runtime
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' service/dctnet/__init__.py)
TAG = $(VERSION)$(patsubst %,-%,$(filter-out runtime,$(TARGET)))
REVISION = $(shell git describe --always --dirty --abbrev=40 --exclude='*')

# What the target `runtime` may add to its base image, in millions of bytes.
IMAGE_BUDGET := 360

# Of what is in it: engines differ in what they call an image's size.
BYTES = $(ENGINE) run --rm --user 0 --network none --no-healthcheck --entrypoint du $(1) \
	--bytes --summarize --exclude=/proc --exclude=/sys --exclude=/dev /

# Only Docker's format keeps the HEALTHCHECK, and only Docker has it without being asked.
.PHONY: image
image: ## Build the image of TARGET=runtime, tensorflow, or with-model and MODEL=FOLDER
	$(if $(ENGINE),,$(error $(NO_ENGINE)))
	$(if $(MODEL),,$(if $(filter with-model,$(TARGET)),\
		$(error The target with-model takes a prepared model: name its folder by MODEL)))
	$(ENGINE) build $(if $(filter docker,$(notdir $(ENGINE))),,--format docker) \
		--target $(TARGET) --tag $(IMAGE):$(TAG) $(if $(MODEL),--build-context model=$(MODEL)) \
		--build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) --build-arg SOURCE=$(SOURCE) \
		$(BUILD_FLAGS) .

.PHONY: image-size
image-size: ## Say how much it adds to its base image; fail where that is over the budget
	$(if $(filter-out buildah,$(notdir $(ENGINE))),,$(error It takes docker or podman to look into an image.))
	@base=$$(sed -n 's/^ARG BASE=//p' Dockerfile) && \
	before=$$($(call BYTES,$$base)) && after=$$($(call BYTES,$(IMAGE):$(TAG))) && \
	after=$${after%%[!0-9]*} && added=$$((after - $${before%%[!0-9]*})) && \
	echo "$(IMAGE):$(TAG) is $$((after / 1000000)) MB: $$((added / 1000000)) MB more than $$base" && \
	if [ $(TARGET) = runtime ] && [ $$added -gt $(IMAGE_BUDGET)000000 ]; then \
		echo 'That is more than its budget of $(IMAGE_BUDGET) MB.' >&2; exit 1; \
	fi

.PHONY: image-test
image-test: install-dev image ## Build the images of all targets, and try them for real
	@$(MAKE) --no-print-directory image TARGET=tensorflow
	@$(MAKE) --no-print-directory image TARGET=with-model MODEL=service/dctnet/models/demo
	@$(MAKE) --no-print-directory image-size
	CONTAINER_ENGINE=$(ENGINE) IMAGE=$(IMAGE):$(VERSION) $(BIN)/pytest tests/image

.PHONY: lint
lint: $(VENV)/installed-dev ## Check style, format and types
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
lock: install ## Lock the dependencies again (UPGRADE=--upgrade takes new versions)
	$(INSTALL) requirements/lock.txt
	$(SOLVE) --extra reference --extra tracing --group dev --group demo-model $(UPGRADE) -o requirements/demo-model.txt
	$(SOLVE) --extra reference --extra tracing --group dev $(SAME) -o requirements/dev.txt
	$(SOLVE) --extra reference $(SAME) -o requirements/reference.txt
	$(SOLVE) --extra tracing $(SAME) -o requirements/tracing.txt
	$(SOLVE) $(SAME) -o requirements/core.txt
	$(COMPILE) --group pyproject.toml:lock -o requirements/lock.txt
	$(COMPILE) --group pyproject.toml:zig -o requirements/zig.txt
	$(COMPILE) --group pyproject.toml:go -o requirements/go.txt
	$(COMPILE) --group pyproject.toml:hadolint -o requirements/hadolint.txt
	$(COMPILE) --group pyproject.toml:axe --no-deps -o requirements/axe.txt
	$(COMPILE) --group pyproject.toml:kubernetes-schemas --no-deps -o requirements/kubernetes-schemas.txt

.PHONY: clean
clean: ## Remove all that the other targets made
	rm -rf service/native/build service/dctnet/runtimes/lib
	rm -rf $(VENV) .tools build dist service/dctnet.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find service loadtest tests -name __pycache__ -prune -exec rm -rf {} +

# Without a compiler ONNX Runtime computes in its place, and the next `make` tries again.
$(NATIVE)/built: $(wildcard service/native/*.cpp service/native/*.h) service/native/Makefile \
		| $(BIN)/python
	@mkdir -p $(@D)
	@if $(NATIVELY) compiler 2>/dev/null || $(MAKE) --silent $(ZIG) 2>/dev/null; then \
		echo 'Building the native runtime.'; \
		$(NATIVELY) --jobs=$$(nproc) && touch $@; \
	else \
		echo 'The native runtime is left out, and ONNX Runtime computes in its place: no C++ compiler' \
			'takes its source (apt-get install g++), and zig cannot be installed (make zig).' >&2; \
	fi

# Outside the environment, which it would make twice as large.
$(ZIG): requirements/zig.txt | $(BIN)/python
	@echo 'Installing zig, a C++ compiler of 411 MB, into .tools.'
	@rm -rf .tools/zig
	@$(INSTALL) requirements/zig.txt --retries 1 --target .tools/zig
	@touch $@

# From a copy of the package, whose folder has libraries that are for this machine alone.
.PHONY: wheel-x86_64 wheel-aarch64
wheel-x86_64 wheel-aarch64: wheel-%: $(VENV)/installed $(ZIG)
	@echo 'Building the wheel for $*.'
	@rm -rf build/wheel/$* && mkdir -p build/wheel/$*/service
	@cp LICENSE README.md pyproject.toml setup.py build/wheel/$*
	@cp -R service/dctnet build/wheel/$*/service && rm -rf build/wheel/$*/$(NATIVE)
	@$(NATIVELY) --jobs=$$(nproc) ARCHITECTURE=$* GLIBC=$(GLIBC) \
		LIBRARIES=$(CURDIR)/build/wheel/$*/$(NATIVE)
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist \
		--config-settings=--build-option=--plat-name=manylinux_$(subst .,_,$(GLIBC))_$* build/wheel/$*

$(BIN)/python:
	@for python in $(PYTHONS); do \
		if $$python -c '$(PROBE)' 2>/dev/null; then exec $$python -m venv --clear $(VENV); fi; \
	done; \
	echo '$(NO_PYTHON)' >&2; exit 1

$(VENV)/installed: requirements/core.txt pyproject.toml | $(BIN)/python
	@echo 'Installing what dctnet runs on.'
	@$(INSTALL) requirements/core.txt
	@$(INSTALL_PACKAGE)
	@touch $@

$(VENV)/installed-reference: requirements/reference.txt $(VENV)/installed
	@echo 'Installing what fetches and prepares models: TensorFlow is large, so it takes some minutes.'
	@$(INSTALL) requirements/reference.txt
	@touch $@

$(VENV)/installed-dev: requirements/dev.txt $(VENV)/installed
	@echo 'Installing the reference and the tools for tests: it takes some minutes.'
	@$(INSTALL) requirements/dev.txt
	@touch $@
