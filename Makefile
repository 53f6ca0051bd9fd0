# Every command that a contributor needs. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help check format lint test sim reality worlds bench serve deny playground

help: ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

check: ## Everything that CI runs: format, lint, test, sim, deny
	@./.ci/check

format: ## Format the code
	cargo fmt --all

lint: ## Formatting and clippy, warnings denied, also of what only simulations compile
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTFLAGS="--cfg madsim" CARGO_TARGET_DIR=$${SIM_TARGET_DIR:-target-sim} cargo clippy --locked --all-targets \
		-p vivarium-simtests -p vivarium-schema -p vivarium-consensus -p vivarium-storage -- -D warnings

test: ## All Rust tests
	cargo test --workspace --locked

sim: ## The simulation quick set: determinism, crash points, planted bugs
	./simtests/quick.sh

REALITY_SECONDS ?= 600
reality: ## Breaks real processes for REALITY_SECONDS=600: kill -9, SIGSTOP; as root full disks and cut cables too
	VIVARIUM_REALITY_SECONDS=$(REALITY_SECONDS) cargo test --locked -p vivarium-server --test reality -- --ignored --nocapture

ROUNDS ?= 500
worlds: ## ROUNDS=500: over 100,000 random operations, answered by the database and by plain loops
	VIVARIUM_DIFFERENTIAL_ROUNDS=$(ROUNDS) cargo test --release --locked -p vivarium-schema --test worlds -- --nocapture answers_are

bench: ## What keys, documents, commits, folds and reads cost in process; reads need CHINOOK=folder
	cargo test --release -p vivarium-storage --lib -- --ignored --nocapture costs
	cargo test --release -p vivarium-consensus --test node -- --ignored --nocapture cost
	cargo run --release -p vivarium-schema --example fold_rates
ifdef CHINOOK
	cargo run --release -p vivarium-schema --example read_costs -- $(CHINOOK)
endif

serve: ## A database in ./vivarium-data on 127.0.0.1:4000
	cargo run --release -- serve

playground: ## Builds the page into playground/dist, which is committed; needs Node
	cd playground && npm ci --silent --no-audit --no-fund --ignore-scripts && npm run --silent build

deny: ## Licences, bans and sources of all dependencies
	cargo fetch --quiet --locked
	cargo deny --offline check bans licenses sources
