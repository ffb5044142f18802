# On a bare Debian 12 with Go, git, make and root: `make demo` shows it working, `make test` checks it all.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
MODULE  := github.com/tns-project/tns
LDFLAGS := -s -w -X $(MODULE)/cmd/internal/build.version=$(VERSION)
TOOLS   := bin/protoc-gen-go bin/protoc-gen-go-grpc bin/staticcheck bin/benchstat
FUZZTIME ?= 20s
# What has tests that the race detector cannot run.
DAMAGE := ./lifecycle/nve/store ./lifecycle/tes/store

# The tree may belong to another user than root, who runs this: then git tells go nothing.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

.NOTPARALLEL:

# PACKAGE:FILE, installed with apt-get where FILE is not there.
DEPS_LAB  := iproute2:ip iproute2:bridge iputils-ping:ping tcpdump:tcpdump nftables:nft procps:sysctl util-linux:nsenter curl:curl gobgpd:gobgp
DEPS_FRR  := frr:/usr/lib/frr/bgpd frr:vtysh
DEPS_QEMU := qemu-system-x86:qemu-system-x86_64 busybox-static:/bin/busybox kmod:depmod cpio:cpio
DEPS_TEST := $(DEPS_LAB) $(DEPS_FRR) $(DEPS_QEMU) gcc:gcc libc6-dev:/usr/include/stdio.h tshark:tshark \
	protobuf-compiler:protoc libprotobuf-dev:/usr/include/google/protobuf/timestamp.proto

.PHONY: help
help: ## Print this
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: build
build: ## Build bin/tesd, bin/nved and bin/tnsctl
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/tesd ./cmd/nved ./cmd/tnsctl

.PHONY: demo
demo: build ## Show a VM's whole life in network namespaces (root)
	@.ci/deps $(DEPS_LAB)
	@.ci/deps $(DEPS_FRR) || echo "FRR cannot be installed: the demo goes on with a reflector of our own"
	CGO_ENABLED=0 go build -o bin/ ./labs/reflector
	go run ./labs/run demo labs/demo

.PHONY: test
test: deps build lint check-generated ## Run every check and every test, with the race detector (root)
	CGO_ENABLED=0 go build -o bin/ ./labs/reflector
	go test ./.ci/noskip
	@mkdir -p bin && go build -o bin/noskip ./.ci/noskip
	go test -timeout 10m $(DAMAGE)
	go test -race -json -timeout 20m -count 1 ./... 2>&1 | bin/noskip # a result of before does not know what is in bin/

.PHONY: test-long
test-long: deps build ## Run the tests again and again in random order, then fuzz
	CGO_ENABLED=0 go build -o bin/ ./labs/reflector
	@mkdir -p bin && go build -o bin/noskip ./.ci/noskip
	TNS_TEST_LONG=1 go test -race -json -timeout 90m -count 5 -shuffle on ./... 2>&1 | bin/noskip
	.ci/fuzz 60s

.PHONY: bench
bench: LDFLAGS := -X $(MODULE)/cmd/internal/build.version=$(VERSION) # with symbols, for profiles
bench: build ## Measure FRR and ours side by side, into docs/performance (root; BENCH='-measure a,c -n 1000' for a part)
	@.ci/deps $(DEPS_LAB) $(DEPS_FRR)
	CGO_ENABLED=0 go build -o bin/ ./labs/reflector ./labs/bench
	bin/bench -version '$(VERSION)' $(BENCH)

.PHONY: bench-go
bench-go: ## Run the benchmarks of single packages
	go test -run '^$$' -bench . -benchmem ./...

BASE ?= HEAD~1
.PHONY: bench-compare
bench-compare: $(TOOLS) ## Compare the benchmarks of the pure packages with those of BASE (HEAD~1), in turns
	.ci/bench-compare '$(BASE)' $(if $(PATTERN),'$(PATTERN)')

.PHONY: fuzz
fuzz: ## Run each fuzz test for FUZZTIME (20s)
	.ci/fuzz $(FUZZTIME)

.PHONY: lint
lint: $(TOOLS) ## Check format, vet and staticcheck
	@unformatted=$$(gofmt -l . .ci/noskip); [ -z "$$unformatted" ] || { echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; }
	go vet ./... ./.ci/noskip
	go vet -tags vlan ./dataplane/linux/...
	bin/staticcheck ./... ./.ci/noskip
	bin/staticcheck -tags vlan ./dataplane/linux/...

.PHONY: generate
generate: $(TOOLS) ## Generate the code of the control API
	@.ci/deps protobuf-compiler:protoc libprotobuf-dev:/usr/include/google/protobuf/timestamp.proto
	PATH="$(CURDIR)/bin:$$PATH" go generate ./...

.PHONY: check-generated
check-generated: $(TOOLS) ## Check that the generated code is what its source says
	PATH="$(CURDIR)/bin:$$PATH" .ci/generated

.PHONY: figures
figures: ## Draw the figures of the documentation from the code
	go test ./lifecycle -update

.PHONY: deps
deps: ## Install the tools that the tests need
	@.ci/deps $(DEPS_TEST)

# The tools are pinned in a module of their own.
$(TOOLS) &: .ci/tools/go.mod .ci/tools/go.sum
	cd .ci/tools && GOBIN="$(CURDIR)/bin" go install tool
	@touch $(TOOLS)

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin dist
