# `make` lists the targets. Each target makes its prerequisites; a second run costs nothing.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
NATIVE := service/dctnet/runtimes/lib
ZIG := .tools/zig/ziglang/zig

# glibc version of the wheels: that of their dependencies' wheels.
GLIBC := 2.28

# Only packages with a hash in a lock file are installed, the build backend included. The locks are
# complete, so pip resolves nothing: pip 23.2 would look for newer versions of a package with extras.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
INSTALL := $(PIP) --no-deps --require-hashes --requirement
INSTALL_PACKAGE := $(PIP) --no-deps --no-build-isolation --editable .

# Candidates for .venv: the first that is 3.11 to 3.13 and has venv.
PYTHONS := python3.13 python3.12 python3.11 python3
PROBE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
NO_PYTHON := dctnet needs Python 3.11, 3.12 or 3.13 with its venv module \
	(on Debian and Ubuntu: apt-get install python3-venv); none of $(PYTHONS) is one.

include tools.mk

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: $(VENV)/installed $(NATIVE)/built ## Install the runtime dependencies and the command dctnet into .venv

.PHONY: install-reference
install-reference: $(VENV)/installed-reference ## Add TensorFlow (2 GB) to .venv: fetch and convert models

.PHONY: install-dev
install-dev: $(VENV)/installed-dev $(NATIVE)/built ## Add TensorFlow, tests and linters to .venv

.PHONY: run
run: install ## Start the server on http://127.0.0.1:8080
	@$(BIN)/dctnet serve

# Test processes: two per CPU, because half of them wait for servers, timeouts and the browser; at
# most 8, because each takes up to 1 GB.
PROCESSES = $(shell n=$$(nproc); echo $$((n > 4 ? 8 : 2 * n)))

.PHONY: test
test: lint install-dev chart-tools $(axe) ## Run the linters, then all tests with coverage
	$(BIN)/pytest --numprocesses=$(PROCESSES) --cov --cov-report=
	$(BIN)/python tests/coverage_floor.py

.PHONY: test-unit
test-unit: install-dev ## Run the unit tests: the inner loop, less than a minute
	$(BIN)/pytest tests/unit --numprocesses=$(PROCESSES)

.PHONY: e2e
e2e: install-dev .tools/bin/helm ## Test the chart in the cluster of kubectl's current context
	@$(E2E_CLUSTER:%=% run) $(BIN)/pytest tests/e2e

.PHONY: availability
availability: export E2E_AVAILABILITY_S ?= 7200
availability: install-dev .tools/bin/helm ## Measure availability under disruptions in the cluster, for 2 h
	@$(E2E_CLUSTER:%=% run) $(BIN)/pytest tests/e2e/test_availability.py

.PHONY: loadtest
loadtest: install ## Load-test a new server, or the one at DCTNET_URL, with 50 clients for 30 s
	@$(BIN)/python -m loadtest

.PHONY: single-host-test
single-host-test: install-dev ## Test single-host/ with real nginx and supervisord
	$(BIN)/pytest tests/single_host

NATIVELY := $(MAKE) --no-print-directory --silent -C service/native

.PHONY: native
native: $(NATIVE)/built ## Build the native runtime with g++, clang++ or zig

.PHONY: native-aarch64
native-aarch64: $(ZIG) ## Test the native runtime for aarch64 under qemu, against this machine's images
	@$(NATIVELY) write CARTOONS=build/answers
	@$(NATIVELY) compare CARTOONS=build/answers ARCHITECTURE=aarch64

.PHONY: native-sanitize
native-sanitize: ## Test the native runtime under the address, undefined and thread sanitizers
	@$(MAKE) --no-print-directory -C service/native --jobs=$$(nproc) sanitize

.PHONY: wheel
wheel: wheel-x86_64 wheel-aarch64 ## Build wheels for x86-64 and aarch64 into dist/, with zig

.PHONY: zig
zig: $(ZIG) ## Install zig, a C++ compiler, into .tools/

.PHONY: tools
tools: $(TOOLS) ## Install helm, all linters and test tools into .tools/bin/

.PHONY: chart-tools
chart-tools: $(CHART_TOOLS) ## Install the tools and Kubernetes schemas that the chart tests need

.PHONY: chart-lint
chart-lint: install-dev $(TOOLS) ## Lint chart, Dockerfile and workflows, and render the chart with Helm 3
	$(BIN)/pytest tests/chart/test_linters.py

.PHONY: chart-docs
chart-docs: .tools/bin/helm-docs .tools/bin/helm-values-schema-json ## Generate the chart's README and values.schema.json from values.yaml
	@cd helm/dctnet && $(CURDIR)/.tools/bin/helm-values-schema-json
	@.tools/bin/helm-docs --log-level=warning --chart-search-root=helm --sort-values-order=file

.PHONY: manifests
manifests: install-dev .tools/bin/helm ## Render k8s/manifests/ from the chart
	@$(BIN)/python k8s/render.py

.PHONY: promises
promises: $(BIN)/python ## Generate docs/promises.md from the tests' promise markers
	@$(BIN)/python -m tests.support.promises

.PHONY: openapi
openapi: $(BIN)/python ## Convert the OpenAPI document from YAML to the JSON that the server reads
	@$(BIN)/python -m tests.support.openapi_json

.PHONY: dashboards
dashboards: $(BIN)/python ## Generate the chart's Grafana dashboards from tests/support/dashboards.yaml
	@$(BIN)/python -m tests.support.dashboards

# Container engine: the first of these on the PATH. BUILD_FLAGS are its own options.
ENGINES := docker podman buildah
ENGINE = $(firstword $(foreach name,$(ENGINES),$(if $(shell command -v $(name)),$(name))))
NO_ENGINE := No container engine found: install one of $(ENGINES), or set ENGINE.
IMAGE := dctnet
TARGET := runtime
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' service/dctnet/__init__.py)
TAG = $(VERSION)$(patsubst %,-%,$(filter-out runtime,$(TARGET)))
REVISION = $(shell git describe --always --dirty --abbrev=40 --exclude='*')

# Base image: the Dockerfile's, pinned by digest, or another one, such as a mirror's or a local one.
BASE = $(shell sed -n 's/^FROM \(.*\) AS pinned$$/\1/p' Dockerfile)

# Size budget: what the target `runtime` may add to its base image, in MB.
IMAGE_BUDGET := 360

# Bytes of the image's files, because engines measure an image's size differently.
BYTES = $(ENGINE) run --rm --user 0 --network none --no-healthcheck --entrypoint du $(1) \
	--bytes --summarize --exclude=/proc --exclude=/sys --exclude=/dev /

# Only Docker's format keeps the HEALTHCHECK; podman and buildah need the option for it.
.PHONY: image
image: ## Build the container image of TARGET=runtime, tensorflow, or with-model and MODEL=FOLDER
	$(if $(ENGINE),,$(error $(NO_ENGINE)))
	$(if $(MODEL),,$(if $(filter with-model,$(TARGET)),\
		$(error The target with-model needs a converted model: name its folder by MODEL)))
	$(ENGINE) build $(if $(filter docker,$(notdir $(ENGINE))),,--format docker) \
		--target $(TARGET) --tag $(IMAGE):$(TAG) $(if $(MODEL),--build-context model=$(MODEL)) \
		--build-arg BASE=$(BASE) --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
		--build-arg SOURCE=$(SOURCE) $(BUILD_FLAGS) .

.PHONY: image-size
image-size: ## Print the container image's size above its base image; fail over the budget
	$(if $(filter-out buildah,$(notdir $(ENGINE))),,$(error image-size needs docker or podman.))
	@before=$$($(call BYTES,$(BASE))) && after=$$($(call BYTES,$(IMAGE):$(TAG))) && \
	after=$${after%%[!0-9]*} && added=$$((after - $${before%%[!0-9]*})) && \
	echo "$(IMAGE):$(TAG) is $$((after / 1000000)) MB: $$((added / 1000000)) MB more than $(BASE)" && \
	if [ $(TARGET) = runtime ] && [ $$added -gt $(IMAGE_BUDGET)000000 ]; then \
		echo 'That is more than its budget of $(IMAGE_BUDGET) MB.' >&2; exit 1; \
	fi

.PHONY: image-test
image-test: install-dev image ## Build the container images of all targets, and test them in containers
	@$(MAKE) --no-print-directory image TARGET=tensorflow
	@rm -rf build/comic && $(BIN)/python -m tests.support.shipped build/comic
	@$(MAKE) --no-print-directory image TARGET=with-model MODEL=build/comic
	@$(MAKE) --no-print-directory image-size
	CONTAINER_ENGINE=$(ENGINE) IMAGE=$(IMAGE):$(VERSION) $(BIN)/pytest tests/image

.PHONY: lint
lint: $(VENV)/installed-dev ## Check style, format, types, directions of imports, spelling and wording
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	PYTHONPATH=service $(BIN)/lint-imports --no-cache --no-logo
	git ls-files -z | xargs -0 $(BIN)/codespell
	$(BIN)/python tests/banned_phrases.py

.PHONY: format
format: install-dev ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The largest set is resolved first and constrains the others, so all locks have the same versions.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --no-emit-index-url --no-emit-find-links
SOLVE = $(COMPILE) pyproject.toml --group build
SAME := --constraint requirements/shipped-styles.txt

.PHONY: lock
lock: install ## Update the lock files from pyproject.toml (UPGRADE=--upgrade for new versions)
	$(INSTALL) requirements/lock.txt
	$(SOLVE) --extra reference --extra tracing --extra heic --group dev --group shipped-styles $(UPGRADE) -o requirements/shipped-styles.txt
	$(SOLVE) --extra reference --extra tracing --extra heic --group dev $(SAME) -o requirements/dev.txt
	$(SOLVE) --extra reference $(SAME) -o requirements/reference.txt
	$(SOLVE) --extra tracing $(SAME) -o requirements/tracing.txt
	$(SOLVE) --extra heic $(SAME) -o requirements/heic.txt
	$(SOLVE) $(SAME) -o requirements/core.txt
	$(COMPILE) --group pyproject.toml:lock -o requirements/lock.txt
	$(COMPILE) --group pyproject.toml:zig -o requirements/zig.txt
	$(COMPILE) --group pyproject.toml:go -o requirements/go.txt
	$(COMPILE) --group pyproject.toml:hadolint -o requirements/hadolint.txt
	$(COMPILE) --group pyproject.toml:zizmor -o requirements/zizmor.txt
	$(COMPILE) --group pyproject.toml:axe --no-deps -o requirements/axe.txt
	$(COMPILE) --group pyproject.toml:kubernetes-schemas --no-deps -o requirements/kubernetes-schemas.txt

.PHONY: clean
clean: ## Remove everything that the other targets made
	rm -rf service/native/build service/dctnet/runtimes/lib
	rm -rf $(VENV) .tools build dist service/dctnet.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find service loadtest tests -name __pycache__ -prune -exec rm -rf {} +

# Without a compiler ONNX Runtime is the fallback, and the next `make` tries again.
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

# Outside .venv, which it would double in size.
$(ZIG): requirements/zig.txt | $(BIN)/python
	@echo 'Installing zig, a C++ compiler of 411 MB, into .tools.'
	@rm -rf .tools/zig
	@$(INSTALL) requirements/zig.txt --retries 1 --target .tools/zig
	@touch $@

# Built from a copy, because the package's folder has this machine's libraries.
.PHONY: wheel-x86_64 wheel-aarch64
wheel-x86_64 wheel-aarch64: wheel-%: $(VENV)/installed $(ZIG)
	@echo 'Building the wheel for $*.'
	@rm -rf build/wheel/$* && mkdir -p build/wheel/$*/service
	@cp LICENSE README.md pyproject.toml setup.py build/wheel/$*
	@cp -R loadtest build/wheel/$* && cp -R service/dctnet build/wheel/$*/service && rm -rf build/wheel/$*/$(NATIVE)
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
	@echo 'Installing the runtime dependencies.'
	@$(INSTALL) requirements/core.txt
	@$(INSTALL_PACKAGE)
	@touch $@

$(VENV)/installed-reference: requirements/reference.txt $(VENV)/installed
	@echo 'Installing TensorFlow and the conversion tools: this takes some minutes.'
	@$(INSTALL) requirements/reference.txt
	@touch $@

$(VENV)/installed-dev: requirements/dev.txt $(VENV)/installed
	@echo 'Installing TensorFlow, tests and linters: this takes some minutes.'
	@$(INSTALL) requirements/dev.txt
	@touch $@
