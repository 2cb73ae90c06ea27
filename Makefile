# `make help` lists the targets.

HOST ?= localhost
CARGO ?= cargo
PREFIX ?= /usr/local
# Cargo's build directory.
TARGET_DIR = $(or $(CARGO_TARGET_DIR),target)

# Cargo says nothing here, so that what follows stands alone.
BUILDING = echo "Building, which takes about a minute the first time..." >&2

.PHONY: help demo demo-di demo-dht picture test test-web picture-web bench bench-peers experiment compare fuzz soak run-server run-peer1 run-peer2 built release man \
	completions install uninstall clean

help: ## list the targets
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z0-9-]*\):.*## /  \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'
	@echo "The peers connect to the server on HOST=$(HOST)."

demo: ## show a server and two peers at work: eight scenarios with their printouts
	@$(BUILDING)
	@$(CARGO) test --quiet --test demo

demo-di: ## show a registration server and two peers of a distributed index at work
	@$(BUILDING)
	@$(CARGO) test --quiet --test demo -- distributed

demo-dht: ## show an introducer and two peers of a hash table at work
	@$(BUILDING)
	@$(CARGO) test --quiet --test demo -- dht

picture: ## draw the picture in README from a real session
	@UPDATE_EXPECT=1 $(CARGO) test --quiet --test it documents::picture

# Most tests wait for programs and use little CPU.
test: export RUST_TEST_THREADS ?= 12
test: ## check everything: formatting, lints, tests, docs
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --quiet -- -D warnings
	$(CARGO) test --quiet
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --quiet

# What drives the browser comes from the npm registry, once.
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
WEB_MODULES = playwright-core@1.65.1 axe-core@4.14.1

test-web: ## check the page in Chromium with real programs, where Chromium and Node.js are installed
	@if [ -z "$(CHROMIUM)" ] || ! command -v npm >/dev/null; then \
		echo "test-web is skipped: it needs Chromium and Node.js (Debian: apt install chromium nodejs npm)"; exit 0; fi; \
	mkdir -p "$(TARGET_DIR)/web" && \
	(cd "$(TARGET_DIR)/web" && npm install --silent --prefer-offline --no-audit --no-fund --no-save --no-package-lock --prefix . $(WEB_MODULES)) && \
	$(CARGO) build --quiet --bins && \
	CHROMIUM="$(CHROMIUM)" node --test --test-reporter=spec $(WEB_TESTS) tests/web/page.test.mjs

picture-web: export PICTURE = src/manual/web.webp
picture-web: WEB_TESTS = --test-name-pattern=picture
picture-web: test-web ## take the picture of the page for README

bench: ## measure the release binaries over loopback, about a minute
	@$(CARGO) bench --quiet --bench bench

experiment: release ## measure one server against many peers; tables and curves in target/experiment
	@"$(TARGET_DIR)/release/peer" experiment --out "$(TARGET_DIR)/experiment"

compare: release ## compare the kinds of index; tables and curves in target/compare
	@"$(TARGET_DIR)/release/peer" experiment --compare --out "$(TARGET_DIR)/compare"

bench-peers: ## compare with Redis and nginx, where they are installed
	@$(CARGO) bench --quiet --bench peers

# Coverage instrumentation for libFuzzer, with the stable compiler.
FUZZ_TIME ?= 30
FUZZ_TARGETS ?= control conversations frames head requests responses session terms title
FUZZ_FLAGS = -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
	-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
	-Cdebug-assertions -Ccodegen-units=1

fuzz: ## fuzz every parser, FUZZ_TIME=30 seconds each (needs a C++ compiler)
	@host=$$(rustc -vV | sed -n 's/^host: //p'); \
	for target in $(FUZZ_TARGETS); do \
		mkdir -p target/fuzz/corpus/$$target || exit 1; \
		RUSTFLAGS="$(FUZZ_FLAGS)" $(CARGO) build --quiet --release --manifest-path tests/fuzz/Cargo.toml \
			--target-dir target/fuzz --target $$host --bin $$target || exit 1; \
		log=target/fuzz/$$target.log; \
		target/fuzz/$$host/release/$$target target/fuzz/corpus/$$target tests/fuzz/seeds/$$target \
			-max_total_time=$(FUZZ_TIME) -max_len=16384 -print_final_stats=1 \
			-artifact_prefix=target/fuzz/ >$$log 2>&1 || { tail -n 40 $$log; exit 1; }; \
		echo "$$target: $$(sed -n 's/^stat::number_of_executed_units: *//p' $$log) executions"; \
	done

# Variables on make's command line reach the test through the environment.
soak: ## start, stop and kill peers and a server for SOAK_TIME=120 seconds (SOAK_INDEX=distributed or dht)
	@$(CARGO) test --quiet --release --test soak

run-server: built ## run the index server on port 7734
	@"$(TARGET_DIR)/debug/server"

run-peer1: built ## run a peer that shares rfcs/ (RFCs 2345 and 3457)
	@"$(TARGET_DIR)/debug/peer" --host $(HOST) --dir rfcs

run-peer2: built ## run a peer that shares rfcs/peer2/ (RFCs 123 and 3457)
	@"$(TARGET_DIR)/debug/peer" --host $(HOST) --dir rfcs/peer2

built:
	@$(BUILDING)
	@$(CARGO) build --quiet --bins

release:
	@$(CARGO) build --quiet --release --bins --target-dir "$(TARGET_DIR)"

# Remove the pages of commands that no longer exist.
man: release ## write the man pages into target/man
	@rm -f "$(TARGET_DIR)"/man/*.[17]
	@"$(TARGET_DIR)/release/server" man "$(TARGET_DIR)/man"
	@"$(TARGET_DIR)/release/peer" man "$(TARGET_DIR)/man"

completions: release ## write the completions for bash, zsh and fish into target/completions
	@mkdir -p $(foreach shell,bash zsh fish,"$(TARGET_DIR)/completions/$(shell)")
	@for program in server peer; do \
		"$(TARGET_DIR)/release/$$program" completions bash >"$(TARGET_DIR)/completions/bash/$$program" && \
		"$(TARGET_DIR)/release/$$program" completions zsh >"$(TARGET_DIR)/completions/zsh/_$$program" && \
		"$(TARGET_DIR)/release/$$program" completions fish >"$(TARGET_DIR)/completions/fish/$$program.fish" \
			|| exit 1; \
	done

# The files that `make install` writes below PREFIX and `make uninstall` removes. A test compares
# the man pages with those that the programs write.
ROOT = $(DESTDIR)$(PREFIX)
PROGRAMS = server peer
MAN_PAGES = server.1 server-completions.1 peer.1 peer-add.1 peer-completions.1 peer-experiment.1 \
	peer-find.1 peer-get.1 peer-grade-class.1 peer-grade-peer.1 peer-grade-printout.1 peer-grade-server.1 peer-grade.1 \
	peer-list.1 peer-lookup.1 peer-send.1 peer-share.1 peer-status.1 peer-stop.1
TOPICS = background choosing dht distributed framed grading limits options protocol scripting security session speed web
TOPIC_PAGES = $(TOPICS:%=p2pci-%.7)
UNITS = lib/systemd/system/p2pci-server.service lib/systemd/user/p2pci-peer.service
INSTALLED = $(PROGRAMS:%=bin/%) $(MAN_PAGES:%=share/man/man1/%) $(TOPIC_PAGES:%=share/man/man7/%) \
	$(PROGRAMS:%=share/bash-completion/completions/%) $(PROGRAMS:%=share/zsh/site-functions/_%) \
	$(PROGRAMS:%=share/fish/vendor_completions.d/%.fish) $(UNITS)

install: man completions ## install the release programs below PREFIX=/usr/local (with DESTDIR as its prefix)
	@install -d $(foreach folder,$(sort $(dir $(INSTALLED))),"$(ROOT)/$(folder)")
	@for unit in $(UNITS); do \
		name=$$(basename $$unit); \
		sed 's|@PREFIX@|$(PREFIX)|' src/systemd/$$name >"$(TARGET_DIR)/$$name" && \
		install -m 644 "$(TARGET_DIR)/$$name" "$(ROOT)/$$unit" || exit 1; \
	done
	@to="$$(cd "$(ROOT)/" && pwd)" && cd "$(TARGET_DIR)" && \
	(cd release && install -m 755 $(PROGRAMS) "$$to/bin") && \
	(cd man && install -m 644 $(MAN_PAGES) "$$to/share/man/man1") && \
	(cd man && install -m 644 $(TOPIC_PAGES) "$$to/share/man/man7") && \
	cd completions && \
	install -m 644 $(PROGRAMS:%=bash/%) "$$to/share/bash-completion/completions" && \
	install -m 644 $(PROGRAMS:%=zsh/_%) "$$to/share/zsh/site-functions" && \
	install -m 644 $(PROGRAMS:%=fish/%.fish) "$$to/share/fish/vendor_completions.d"

uninstall: ## remove what `make install` with the same PREFIX and DESTDIR has installed
	@if cd "$(ROOT)/" 2>/dev/null; then rm -f $(INSTALLED); fi

clean: ## remove what was built
	$(CARGO) clean
