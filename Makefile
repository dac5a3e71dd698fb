# Everything a newcomer types. `make setup` makes .venv with pinned dependencies; the rest stands on it.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-engine test-provider test-long simulate mutants bench bench-quick lint types contracts permissions corpus docs clean

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
DISASTERS_SECONDS ?= 120
PARALLEL ?= 3
# Test files at once, each with what it needs for itself: on two cores one of three waits. PARALLEL=0 runs them in this order, in one process.
PROVIDER := $(shell sed -n 's/^pulumi_aws==//p' constraints.txt)
PYTEST := $(BIN)/python -m pytest -n $(PARALLEL) --dist loadfile

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: .venv/ready  ## make .venv with pilotlight and its pinned dependencies

.venv/ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer on the path. Install one, or name it: make setup PYTHON=/path/to/python3.11" >&2; exit 3; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11. Name a newer one: make setup PYTHON=/path/to/python3.11" >&2; exit 3; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch .venv/ready

demo: setup  ## a workload survives the loss of its region, on this machine, in under two minutes
	$(BIN)/pilotlight demo $(DEMO)

test: setup  ## the whole quick suite
	$(PYTEST) $(TESTS)
	@echo "The tests of Pulumi's own engine were left out: make test-engine runs them."

test-engine: setup  ## the stacks through Pulumi's own engine, which is built first (needs Go)
	pulumi=$${PILOTLIGHT_PULUMI:-$$(scripts/build_pulumi.sh)} && PILOTLIGHT_PULUMI="$$pulumi" $(PYTEST) -m engine tests/engine tests/deploy

test-provider: setup  ## the stacks through Pulumi's real AWS provider, where there is one on the path
	@provider=$$(command -v pulumi-resource-aws) || { echo "Pulumi's real AWS provider was left out: no pulumi-resource-aws is on the path. 'pulumi plugin install resource aws $(PROVIDER)' puts it into ~/.pulumi/plugins/resource-aws-v$(PROVIDER)."; exit 0; }; \
	pulumi=$${PILOTLIGHT_PULUMI:-$$(scripts/build_pulumi.sh)} && PILOTLIGHT_PROVIDER="$$provider" PILOTLIGHT_PULUMI="$$pulumi" $(PYTEST) -m engine tests/engine

test-long: setup  ## many seeds, whole demos
	$(PYTEST) -m long $(TESTS)

simulate: setup  ## whole disasters, and recovery points of random worlds: make simulate DISASTERS=10000 SEEDS=200, or SEED=17
	PYTHONPATH=tests:tests/simulation $(BIN)/python tests/simulation/simulate.py --seconds $(DISASTERS_SECONDS) $(if $(DISASTERS),--disasters $(DISASTERS)) $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m pytest -q -s tests/simulation/test_simulation.py tests/simulation/test_protection.py

mutants: setup  ## small faults in the safety code, and whether the tests notice: make mutants MUTANTS=200 SEED=1 ONLY=runtime/runs/run.py
	$(BIN)/python scripts/mutants.py --mutants $(or $(MUTANTS),200) --seed $(or $(SEED),1) --only "$(ONLY)"

bench: setup  ## ratios against named peers and limits, in build/bench and docs/benchmarks.md; peers come from the package registries
	@failed=0; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || failed=1; done; $(BIN)/python benchmarks/measuring/page.py; exit $$failed

bench-quick: setup  ## the same at a tenth of the size, once each: whether they run at all
	@for script in benchmarks/*.py; do echo "== $$script"; BENCH_QUICK=1 $(BIN)/python $$script || exit 1; done

lint: setup  ## ruff: lint and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup  ## mypy --strict
	$(BIN)/mypy

contracts: setup  ## who may import whom
	$(BIN)/lint-imports

permissions: setup  ## record anew what the deployer and the operator need: src/pilotlight/stacks/people.json
	PYTHONPATH=tests $(BIN)/python tests/iam/people_world.py

corpus:  ## checkpoints by the newest frameworks, and what changed: make corpus KEEP=1 keeps them (gigabytes)
	$(PYTHON) scripts/write_checkpoints.py $(if $(KEEP),--keep) $(LAYOUTS)

docs: setup  ## write the generated references anew
	$(BIN)/python -m pilotlight.cli.reference

clean:  ## remove what setup made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build
