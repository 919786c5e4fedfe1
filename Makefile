# What one does with this repository. `make help` lists it.

TARGET := $(or $(CARGO_TARGET_DIR),target)
VENV := $(TARGET)/venv
PYTHON := $(VENV)/bin/python
# What `make up` hands to `quorate up`, and `make integration` to pytest.
ARGS :=
PYTEST_ARGS :=
BENCH_ARGS :=
# How long `make unit` lets each fuzzer go on.
QUORATE_FUZZ_SECONDS ?= 60
export QUORATE_FUZZ_SECONDS

.PHONY: help up build test install lint unit simulate simulate-volume integration soak soak-aurora growth differential bench bench-dynamodb bench-elasticache bench-aurora flame clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## Install what is missing, build, run a region in the foreground (ARGS="--region eu-west-1").
	@scripts/install up
	cargo build --release --package quorate
	@exec $(TARGET)/release/quorate up $(ARGS)

build: ## Build the program as the tests run it.
	cargo build --package quorate

test: install lint unit integration ## Install what is missing, then run every check and test.

install:
	@scripts/install test

lint: ## Formatting, clippy with warnings denied, the repository's own rules.
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo fmt --manifest-path tests/rust-sdk/Cargo.toml --check
	cargo fmt --manifest-path examples/caches/Cargo.toml --check
	cargo xtask tidy

# Building cargo-nextest takes longer than the tests gain by it, so it is used where it is there.
unit: ## The tests of the crates.
	@if cargo nextest --version >/dev/null 2>&1; then \
		echo 'cargo nextest run --workspace --profile ci'; \
		cargo nextest run --workspace --profile ci; \
	else \
		echo 'cargo-nextest is not installed: cargo test --workspace'; \
		cargo test --workspace --quiet; \
	fi

# The replicas' simulator is built for speed: it runs a process for each seed.
simulate: ## Replicas in simulated time, by seed (SEEDS=1000 FROM=1; SEED=7 for one of them, with its story).
ifdef SEED
	SEED=$(SEED) STORY=1 cargo test --release --package quorate-replica-simulator one_seed -- --nocapture
else
	SEEDS=$(or $(SEEDS),1000) FROM=$(or $(FROM),1) cargo test --release --package quorate-replica-simulator \
		every_promise -- --nocapture
endif

simulate-volume: ## The volume's protocol in simulated time, by seed (SEEDS=10000 FROM=1; SEED=7 for one of them, with its story).
ifdef SEED
	SEED=$(SEED) cargo test --release --package quorate-volume-simulator one_seed -- --nocapture
else
	SEEDS=$(or $(SEEDS),10000) FROM=$(or $(FROM),1) cargo test --release --package quorate-volume-simulator \
		every_promise -- --nocapture
endif

integration: build $(VENV)/ready ## The real program, driven from outside (PYTEST_ARGS="-k failover").
	QUORATE_BIN=$(abspath $(TARGET))/debug/quorate scripts/integration $(PYTHON) $(PYTEST_ARGS)

soak: ## Kill all nodes at random moments, twenty times: nothing acknowledged is lost.
	QUORATE_SOAK_ROUNDS=20 $(MAKE) integration PYTEST_ARGS="-k all_nodes_killed_at_random_moments"

soak-aurora: ## Kill all nodes at random moments and start four of six, then three: twenty times with each engine (ROUNDS=20).
	QUORATE_AURORA_ROUNDS=$(or $(ROUNDS),20) $(MAKE) integration PYTEST_ARGS="-s -k rounds_of_killing_all_nodes"

growth: ## Let a table grow to a million items under load while it splits: nothing is lost or repeated.
	QUORATE_GROWTH_ITEMS=1000000 $(MAKE) integration PYTEST_ARGS="-s -k table_grows_while_it_splits"

differential: build $(VENV)/ready ## Compare DynamoDB's answers with another implementation's (PEER=PATH ARGS="--seed 7").
	QUORATE_BIN=$(abspath $(TARGET))/debug/quorate $(PYTHON) tests/differential/compare_servers.py --peer $(PEER) $(ARGS)

$(VENV)/ready: tests/requirements.txt
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
	@touch $@

bench: install $(VENV)/ready ## The figures of docs/benchmarks.md, in one run (BENCH_ARGS="--only failover").
	cargo build --release --package quorate
	$(PYTHON) bench/bench.py --quorate $(TARGET)/release/quorate $(BENCH_ARGS)

bench-dynamodb: install $(VENV)/ready ## DynamoDB's figures (BENCH_ARGS="--dynoxide PATH --only ratios").
	cargo build --release --package quorate --bin quorate --example dynamodb_load
	$(PYTHON) bench/dynamodb.py --quorate $(TARGET)/release/quorate \
		--load $(TARGET)/release/examples/dynamodb_load $(BENCH_ARGS)

bench-elasticache: install $(VENV)/ready ## ElastiCache's figures (BENCH_ARGS="--only failover --failovers 3").
	cargo build --release --package quorate
	$(PYTHON) bench/elasticache.py --quorate $(TARGET)/release/quorate $(BENCH_ARGS)

bench-aurora: install $(VENV)/ready ## Aurora's figures (BENCH_ARGS="--only failover --failovers 3").
	cargo build --release --package quorate
	$(PYTHON) bench/aurora.py --quorate $(TARGET)/release/quorate $(BENCH_ARGS)

flame: install $(VENV)/ready ## A flame graph of one DynamoDB operation, into docs (BENCH_ARGS="--op put").
	cargo build --release --package quorate --bin quorate --example dynamodb_load
	$(PYTHON) bench/flame.py --quorate $(TARGET)/release/quorate \
		--load $(TARGET)/release/examples/dynamodb_load $(BENCH_ARGS)

clean: ## Remove what was built. Regions' data is not touched.
	cargo clean
	rm -rf $(VENV)
