# What there is to do: `make help`.

HOST ?= localhost
CARGO ?= cargo

.PHONY: help demo test bench bench-peers fuzz soak run-server run-peer1 run-peer2 clean

help: ## say what there is to do
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z0-9-]*\):.*## /  \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'
	@echo "The peers connect to the server on HOST=$(HOST)."

demo: ## show a server and two peers at work: eight scenarios with their printouts
	@$(CARGO) build --quiet
	@$(CARGO) test --quiet --test demo

test: ## check everything: formatting, lints, tests, docs
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --quiet -- -D warnings
	$(CARGO) test --quiet
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --quiet

bench: ## measure the release binaries over loopback, about a minute
	@$(CARGO) bench --quiet --bench bench

bench-peers: ## compare with Redis and nginx, where they are installed
	@$(CARGO) bench --quiet --bench peers

run-server: ## run the index server on port 7734
	@$(CARGO) run --quiet --release --bin server

run-peer1: ## run a peer that shares rfcs/ (RFCs 2345 and 3457)
	@$(CARGO) run --quiet --release --bin peer -- --host $(HOST) --dir rfcs

run-peer2: ## run a peer that shares rfcs/peer2/ (RFCs 123 and 3457)
	@$(CARGO) run --quiet --release --bin peer -- --host $(HOST) --dir rfcs/peer2

clean: ## remove what was built
	$(CARGO) clean
