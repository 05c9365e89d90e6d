# Everything is done by the go command and bin/ovbench; the targets only spell out how they are called.

GO          ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
BENCH       ?= .
FUZZTIME    ?= 30s
PYTHON      ?= python3
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null)

# ONNX Runtime is reached through cgo, which Go would silently turn off where there is no C compiler.
export CGO_ENABLED = 1

.DEFAULT_GOAL := help

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# What the program says of its version, and no paths of this machine.
BUILD = $(GO) build -trimpath -ldflags '$(STRIP) -X ovbench/bench/engine.Version=$(VERSION)'

.PHONY: build
build: tools ## build bin/ovbench
	@test -x bin/ovbench || echo "building bin/ovbench: a minute or two the first time, longer where modules must be fetched"
	$(BUILD) -o bin/ovbench ./bench

.PHONY: install
install: tools ## put ovbench where go install puts programs (GOBIN, or GOPATH/bin)
	@bin=$$($(GO) env GOBIN); bin=$${bin:-$$($(GO) env GOPATH)/bin}; mkdir -p "$$bin" && \
		$(BUILD) -o "$$bin/ovbench" ./bench && echo "installed $$bin/ovbench"

# The C compilers of the machines that archives are made for; one that is not here leaves its archive out.
CC_amd64 ?= x86_64-linux-gnu-gcc
CC_arm64 ?= aarch64-linux-gnu-gcc

.PHONY: dist
dist: STRIP = -s -w
dist: tools ## archives for Linux in out/dist, with the licences of what is inside
	@set -e; for target in "amd64 $(CC_amd64)" "arm64 $(CC_arm64)"; do \
		set -- $$target; arch=$$1 cc=$$2 dir=out/dist/ovbench-$(VERSION)-linux-$$1; \
		command -v $$cc >/dev/null || { echo "left out: linux/$$arch, as $$cc is not here (Debian: gcc-$${cc%-gcc})"; continue; }; \
		rm -rf $$dir && mkdir -p $$dir/licences; \
		GOOS=linux GOARCH=$$arch CC=$$cc $(BUILD) -o $$dir/ovbench ./bench; \
		cp README.md LICENSE reports/results/FORMAT.md $$dir; cp "$$($(GO) env GOROOT)/LICENSE" $$dir/licences/go 2>/dev/null || true; \
		$(GO) version -m $$dir/ovbench | awk '$$1 == "dep" { print $$2 }' | while read -r module; do \
			from=$$($(GO) list -m -f '{{.Dir}}' "$$module") to=$$dir/licences/$$(echo "$$module" | tr / _); mkdir -p "$$to"; \
			find "$$from" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' -o -iname 'patents*' \) -exec cp {} "$$to" \; ; \
			chmod -R u+w "$$to"; rmdir "$$to" 2>/dev/null && { echo "make: $$module has no licence file" >&2; exit 1; } || true; \
		done; \
		tar -C out/dist --owner=0 --group=0 --sort=name -czf $$dir.tar.gz $${dir##*/}; rm -r $$dir; echo $$dir.tar.gz; \
	done

.PHONY: setup
setup: build ## fetch libonnxruntime into the user's cache, unless there is one
	bin/ovbench setup

.PHONY: demo
demo: setup ## run the built-in suites and leave a report in out/demo/report
	rm -rf out/demo
	@echo "measuring four small suites, then drawing their report: under a minute on two idle cores"
	bin/ovbench run demo demo_explain demo_interactive demo_tags --out out/demo
	bin/ovbench report out/demo/demo out/demo/demo_explain out/demo/demo_interactive out/demo/demo_tags --format md,html,pdf,png --out out/demo/report
	@echo
	@echo "Done. Next: open out/demo/report/report.html"

# Pictures that the built-in model is trained and judged on, and how many.
SPLITS = train:60000 dev:400 val:400 heldout:400

.PHONY: train-demo
train-demo: build ## train the built-in model again (Python, about an hour), into out/train/model
	rm -rf out/train && mkdir -p out/train
	for s in $(SPLITS); do bin/ovbench shapes --layout npy --split $${s%:*} --images $${s#*:} --out out/train/data/$${s%:*} || exit 1; done
	$(PYTHON) -m venv out/train/venv
	out/train/venv/bin/pip install -q -r runners/clip/demo/requirements.txt
	PATH=$(CURDIR)/out/train/venv/bin:$$PATH sh runners/clip/demo/train.sh out/train/data out/train/model

.PHONY: test
test: setup ## run the tests; those whose data is absent say so and are skipped
	$(GO) test -timeout 30m ./...

.PHONY: slurm
slurm: setup ## run the test that needs a Slurm (Debian packages slurm-wlm, munge), which it starts by itself
	OVBENCH_SLURM=1 $(GO) test -count=1 -run Slurm ./bench

.PHONY: crash
crash: setup ## kill runs and merges at random moments, KILLS of them (60 if not set), and go on
	OVBENCH_CRASH=$(or $(KILLS),60) OVBENCH_PARITY=1 $(GO) test -count=1 -run Crashes -v -timeout 60m ./bench

.PHONY: parity
parity: setup ## run the tests with nothing skipped
	OVBENCH_PARITY=1 $(GO) test ./...

.PHONY: check
check: tools ## formatting, vet, staticcheck, and the module files
	@unformatted=$$("$$($(GO) env GOROOT)/bin/gofmt" -l .) && { test -z "$$unformatted" || \
		{ echo "make: run gofmt -w on: $$unformatted" >&2; exit 1; }; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) mod tidy -diff
	$(GO) mod verify

.PHONY: bench
bench: setup ## run the benchmarks; BENCH=regexp chooses
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

.PHONY: fuzz
fuzz: setup ## run each fuzz target for FUZZTIME, 30s if not set
	@list=$$($(GO) test -list '^Fuzz' ./...) || { echo "$$list" >&2; exit 1; }; \
	echo "$$list" | awk '/^Fuzz/ { name[n++] = $$1 } /^ok/ { while (n > 0) print name[--n], $$2 }' | \
	while read -r name package; do \
		echo "$(GO) test -run '^$$' -fuzz '^$$name$$' -fuzztime $(FUZZTIME) $$package"; \
		$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$package" || exit 1; \
	done

.PHONY: clean
clean: ## remove what was built and measured here; the user's cache stays
	rm -rf bin out

.PHONY: tools
tools:
	@command -v $(GO) >/dev/null || { echo "make: $(GO) is not installed: get Go 1.26 or newer, https://go.dev/dl, or set GO=path" >&2; exit 1; }
	@cc=$$($(GO) env CC) && { command -v $${cc%% *} >/dev/null || \
		{ echo "make: the C compiler $$cc is not installed, and cgo needs one: install gcc, or set CC" >&2; exit 1; }; }
