# Two commands do everything: `make demo` shows the province live, `make test` proves it.
# The fastest Python here of the version that python3 has; PYTHON=/path/to/python chooses another.
PYTHON ?= $$(python3 deploy/dev/python.py)
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

# A part that cannot be had skips its tests and says why; IOC_TEST_REQUIRE makes that a failure.
FETCH  := $(BIN)/python deploy/dev/servers.py fetch || true

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-cluster test coverage e2e check fmt lock bench clean

help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.run: requirements/run.txt pyproject.toml
	@echo "==> environment in $(VENV): $$(grep -c '==' requirements/run.txt) locked packages to run the IOC"
	@test -x $(BIN)/python || { python="$(PYTHON)" && "$$python" -m venv $(VENV); }
	@$(PIP) install --no-deps --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q ioc connectors alerts geo simulators
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@echo "==> environment in $(VENV): $$(grep -c '==' requirements/dev.txt) locked packages to test the IOC"
	@$(PIP) install --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

setup: $(VENV)/.dev ## make the environment with everything for development

demo: $(VENV)/.run ## the simulated province with its live wall, embedded log and database
	@$(BIN)/ioc demo

demo-cluster: $(VENV)/.run ## the same on Kafka and TimescaleDB, one process per role
	@$(BIN)/python deploy/dev/cluster.py

test: $(VENV)/.dev ## every test, on real Kafka, TimescaleDB, MQTT and Chromium
	@$(FETCH)
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

coverage: $(VENV)/.dev ## every test, and which lines none of them reaches (build/coverage)
	@$(FETCH)
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term:skip-covered --cov-report=html

e2e: $(VENV)/.dev ## the whole program and the wall in a real browser
	@$(FETCH)
	@$(BIN)/python -m pytest tests/e2e

check: $(VENV)/.dev ## format, lint, types, import contracts
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fmt: $(VENV)/.dev ## format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: $(VENV)/.dev ## write requirements/*.txt anew from pyproject.toml
	@deploy/dev/lock.sh

bench: $(VENV)/.dev ## measure; prints medians and ratios, writes build/bench.json
	@$(FETCH)
	@$(BIN)/python -m tests.benchmarks

clean: ## remove what was built (not the data in var/)
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache
