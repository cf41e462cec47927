# make build | run | test | check | e2e | lint | fmt | fuzz | bench | generate | cover | clean
# The program is built from Go, its pages with a script from npm where that can be reached; `make help` says what each target does.

SHELL := /bin/bash
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
FUZZTIME ?= 1m
TUS := 4.3.1
TUS_SHA512 := 64b7989a3ae4694d5f52c29b222f0930be76b80a1c8c466d071e032a346bab3ad96b43b8318c13e9d6fea2a78f96ca55f85c57240c8505cfcbe60c148b6385b2
AXE := 4.14.1
AXE_SHA512 := 1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
CONVERSE := 14.0.0
CONVERSE_SHA512 := 2c5520d37d230da955e3bbc8fefc953ea60f65f2585c56ee6eaf2fd1c1437b6cd735e786124dd4a74163fd64f34fab7ee9da3e700213a32ef77808fb44d0e3d9
UPLOT := 1.6.32
UPLOT_SHA512 := 2883159c6ebccefbb95d751b0b82d010f9e1c0ec41b8bc96d401eda66e882935c89a46cb824332fa369b8cb8122cc6ac36e186cd09bf7a9ded3a4c93c6989023
# What the page of chat loads; the script comes last, as make asks for it.
CONVERSE_FILES := converse.min.css emoji.json webfonts/baumans.ttf webfonts/muli.ttf chunkjs/locales/de-LC_MESSAGES-converse-po.js chunkjs/locales/dayjs/de-js.js converse.min.js
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

need_go := $(shell command -v $(GO) >/dev/null 2>&1 || echo missing)
ifeq ($(need_go),missing)
$(error Go is not installed (no "$(GO)" in PATH). Trivium needs Go 1.26 or newer: https://go.dev/doc/install)
endif

# The race detector needs a C compiler; without one the tests run without it, and say so.
RACE := $(shell command -v gcc >/dev/null 2>&1 && echo -race)

.PHONY: help build run test e2e check lint fmt screenshots fuzz bench bench-core generate web converse axe cover clean

help: ## this list
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

build: ## bin/trivium
	@$(MAKE) --no-print-directory web || echo "npm or its registry could not be reached: uploads in the browser cannot go on after a break (make web)"
	@echo "  go build -o bin/trivium ($(VERSION))"
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/trivium ./cmd/trivium

run: build ## build, then serve on loopback with data in ./var
	@./bin/trivium serve --dev

test: ## every test, under the race detector
	@test -n "$(RACE)" || echo "gcc is not installed: the tests run without the race detector (apt-get install gcc libc6-dev)"
	$(GO) test $(RACE) -shuffle=on -timeout 30m ./e2e ./web ./...
	@echo; echo "Programs from outside that some tests need:"; \
	for p in lftp curl chromium profanity tmux go-sendxmpp strace ncftpput tnftp wput rclone litmus cadaver versitygw pebble nginx caddy; do command -v $$p >/dev/null && echo "  $$p: there" || echo "  $$p: not installed, its tests were skipped"; done; \
	for m in slixmpp aioxmpp; do /usr/bin/python3 -c "import $$m" 2>/dev/null && echo "  $$m: there" || echo "  $$m: not installed, its tests were skipped"; done

e2e: ## the stories and attacks alone: the real binary, real clients
	$(GO) test $(RACE) -v -timeout 30m ./e2e/...

check: ## what CI does beside the tests
	@test -z "$$(gofmt -l .)" || { echo "gofmt these:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) mod verify
	@want=$$(awk '$$1=="modernc.org/libc"{print $$2}' "$$($(GO) list -m -f '{{.Dir}}' modernc.org/sqlite)/go.mod"); \
	have=$$($(GO) list -m -f '{{.Version}}' modernc.org/libc); \
	test "$$want" = "$$have" || { echo "modernc.org/libc is $$have, but sqlite was made for $$want: go get modernc.org/libc@$$want"; exit 1; }
	$(GO) generate ./...
	@git diff --exit-code --stat || { echo "generated files or formatting are not fresh: commit what 'make generate fmt' changed"; exit 1; }

lint: ## staticcheck, by a pinned version outside of go.mod
	$(GO) run $(STATICCHECK) ./...

fmt: ## gofmt
	gofmt -w $$(git ls-files '*.go')

generate: ## what is made from the code: docs/config.md, docs/cli.md
	$(GO) generate ./...

web: web/assets/vendor/tus.min.js web/assets/vendor/uplot.min.js converse ## third-party scripts of the pages, from npm

web/assets/vendor/tus.min.js:
	@mkdir -p bin/npm $(@D)
	@echo "  npm: $(@F)" && cd bin/npm && npm pack --silent tus-js-client@$(TUS) >/dev/null && \
	echo "$(TUS_SHA512)  tus-js-client-$(TUS).tgz" | sha512sum --check --quiet && \
	tar xzOf tus-js-client-$(TUS).tgz package/dist/tus.min.js | sed '/^\/\/# sourceMappingURL=/d' > $(CURDIR)/$@.new && mv $(CURDIR)/$@.new $(CURDIR)/$@

web/assets/vendor/uplot.min.js:
	@mkdir -p bin/npm $(@D)
	@echo "  npm: $(@F)" && cd bin/npm && npm pack --silent uplot@$(UPLOT) >/dev/null && \
	echo "$(UPLOT_SHA512)  uplot-$(UPLOT).tgz" | sha512sum --check --quiet && \
	tar xzOf uplot-$(UPLOT).tgz package/dist/uPlot.min.css > $(CURDIR)/$(@D)/uplot.min.css && \
	tar xzOf uplot-$(UPLOT).tgz package/dist/uPlot.iife.min.js > $(CURDIR)/$@.new && mv $(CURDIR)/$@.new $(CURDIR)/$@

axe: bin/tools/axe-$(AXE)/axe.min.js ## axe-core from npm, with which a test looks at the pages

bin/tools/axe-$(AXE)/axe.min.js:
	@mkdir -p $(@D)
	@echo "  npm: $(@F)" && cd $(@D) && npm pack --silent axe-core@$(AXE) >/dev/null && \
	echo "$(AXE_SHA512)  axe-core-$(AXE).tgz" | sha512sum --check --quiet && \
	tar xzOf axe-core-$(AXE).tgz package/axe.min.js > axe.min.js && rm axe-core-$(AXE).tgz

converse: web/assets/vendor/converse/converse.min.js.gz ## converse.js from npm, the chat in the browser: of its 24 MB what the page loads, packed

web/assets/vendor/converse/converse.min.js.gz:
	@rm -rf bin/npm/converse && mkdir -p bin/npm/converse $(@D)/webfonts $(@D)/chunkjs/locales/dayjs
	@echo "  npm: $(@F)" && cd bin/npm && npm pack --silent converse.js@$(CONVERSE) >/dev/null && \
	echo "$(CONVERSE_SHA512)  converse.js-$(CONVERSE).tgz" | sha512sum --check --quiet && \
	tar xzf converse.js-$(CONVERSE).tgz --strip-components=2 -C converse package/dist && rm converse.js-$(CONVERSE).tgz
	@set -e; cd bin/npm/converse; for f in $(CONVERSE_FILES); do \
	  sed '/^\/[*\/]# sourceMappingURL=/d' $$f | gzip -9n > $(CURDIR)/$(@D)/$$f.gz.new && mv $(CURDIR)/$(@D)/$$f.gz.new $(CURDIR)/$(@D)/$$f.gz; done
	@rm -rf bin/npm/converse

screenshots: ## the pictures of README and manual
	TRIVIUM_SHOTS=$(CURDIR)/docs/img $(GO) test -count=1 -run TestScreenshots ./e2e

fuzz: ## each fuzz target for FUZZTIME (1m)
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg 2>/dev/null | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg; done; done

bench-core: ## the benchmarks of the identity core: log-ins, decisions, sessions, audit rows
	$(GO) test ./identity ./tokens -p 1 -run '^$$' -bench 'ListFiltered|KickUser|Decision|AuditRows|BenchmarkLogin$$' -benchtime 2s

bench: build ## speed and memory; FIGURES=down,up picks some, FULL=1 takes all at length, UNPACK=1 fetches peers to compare with
	$(GO) build -o bin/bench ./e2e/bench
	bin/bench -bin bin/trivium $(if $(FULL),-full) $(if $(UNPACK),-unpack) $(if $(FIGURES),-figures $(FIGURES)) $(BENCHFLAGS)

cover: ## coverage of all tests
	@mkdir -p coverage
	$(GO) test -coverpkg=./... -coverprofile=coverage/all.out ./... && $(GO) tool cover -func=coverage/all.out | tail -1

clean: ## what build and run leave
	rm -rf bin coverage
