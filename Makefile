# Each target does all of its own set-up: `make run` and `make test` work on a fresh clone.
SWIFT ?= swift
RELEASE := .build/release
SEEDS ?= 100000
PYTHON := examples/demo examples/origin/server.py bench/bench.py bench/systemd.py \
	bench/interception.py bench/reload.py

.DEFAULT_GOAL := build
PREFIX ?= /usr/local
export DESTDIR PREFIX

.PHONY: build release run test test-systemd bench bench-systemd bench-interception bench-reload install uninstall deb
.PHONY: check format man setup clean help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

setup: ## install what is missing (Debian, Ubuntu)
	@scripts/setup

build: setup ## debug build
	$(SWIFT) build

release: setup ## release build, the Swift runtime linked statically
	$(SWIFT) build -c release --static-swift-stdlib

run: release ## the demonstration: a leaked port, without and with fdsupervisord
	@examples/demo $(RELEASE)

test: setup ## every test
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --skip SystemdTests
	@scripts/test-systemd
	FDSUPERVISOR_SIMULATION_SEEDS=$(SEEDS) $(SWIFT) test --skip-build --filter SimulationTests

test-systemd: setup ## the tests under a real systemd, in a box of its own
	$(SWIFT) build --build-tests
	@scripts/test-systemd

bench: release ## benchmarks beside the peers that are installed
	@bench/bench.py --binaries $(RELEASE)

bench-systemd: release ## what clients notice of restarts and deaths, beside plain socket activation
	@bench/systemd.py --binaries $(RELEASE)

bench-interception: release ## what an intercepted bind costs, and what a server behind it answers
	@bench/interception.py --binaries $(RELEASE)

bench-reload: release ## from a change on disk to the first answer, beside the reloaders that are installed
	@bench/reload.py --binaries $(RELEASE)

install: ## install below PREFIX (/usr/local) and DESTDIR what `make release` built
	@test -x $(RELEASE)/fdsupervisord || $(MAKE) --no-print-directory release
	@scripts/install --binaries $(RELEASE)

uninstall: ## remove it again; the configuration stays
	@scripts/install --remove

deb: release ## a Debian package, in .build
	@scripts/make-deb --binaries $(RELEASE)

check: setup man ## format, warnings, man pages, scripts, our own rules
	$(SWIFT) format lint --recursive --strict Package.swift Sources Tests
	for script in .ci/run Tests/Box/systemd-box $$(find scripts -maxdepth 1 -type f); do bash -n $$script || exit 1; done
	for script in scripts/debian/p*; do sh -n $$script || exit 1; done
	if command -v aarch64-linux-gnu-gcc >/dev/null; then scripts/try-aarch64 --check; fi
	python3 -c 'import ast, sys; [ast.parse(open(name).read(), name) for name in sys.argv[1:]]' $(PYTHON)
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --filter Tidy

man: ## check the man pages
	@scripts/check-man docs/man/*.[1-8]

format: ## format the Swift sources
	$(SWIFT) format format --in-place --recursive Package.swift Sources Tests

clean: ## remove what was built
	$(SWIFT) package clean
