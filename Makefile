# The one place that says how this project is set up, run and tested.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
UV_VERSION := 0.13.9
LOCK := pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	--python-version 3.11
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --no-deps
# Runs a command behind its title: a dot every two seconds, then the seconds it took.
STEP := step() { \
	printf '  %s ' "$$1"; shift; began=$$(date +%s); \
	(while sleep 2; do printf .; done) & dots=$$!; trap 'kill $$dots' EXIT; \
	"$$@" || exit; printf ' %s s\n' $$(($$(date +%s) - began)); \
	}; step

# Compiled once and kept, even where images turn this off: every process of the tests imports much.
unexport PYTHONDONTWRITEBYTECODE

# Workers that run tests. Tests wait much: more workers than cores keep those busy.
WORKERS = 3
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
COVERED = --cov --cov-report

# Types take as long as the others together: they come first, and the others run beside them.
CHECKS := check-types check-prose check-format check-lint check-schemas check-config check-metrics check-cli check-man check-rights

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: dev test test-fast test-system test-all check bench bench-check bench-page attacks chaos chaos-page faults simulate rolling platform console chart chart-cluster lock help clean $(CHECKS)

dev: $(READY) ## the whole system on this machine until Ctrl-C; ARGS="--port 9000" for options
	@exec $(BIN)/payrouter dev $(ARGS)

test: $(READY) ## unit and integration tests; ARGS="-k ledger" for a part, COVERAGE=1 to measure it
ifdef COVERAGE
	@$(PYTEST) --tiers unit $(COVERED)= --cov-config=.ci/coverage-unit.toml --cov-fail-under=0 $(ARGS)
	@$(PYTEST) --tiers integration $(COVERED)=term --cov-append $(ARGS)
else
	@$(PYTEST) --tiers unit,integration $(ARGS)
endif

test-fast: $(READY) ## unit tests alone: no broker, no database, no process
	@$(PYTEST) --tiers unit $(ARGS)

test-system: WORKERS = 4
test-system: $(READY) ## tests of running processes, on Apache Kafka and PostgreSQL
	@$(PYTEST) --tiers system $(ARGS)

test-all: $(READY) ## all tests
	@$(PYTEST) $(ARGS)

check: $(READY) ## format, lint, types, prose; schemas, generated pages, man page up to date
	@$(MAKE) -j2 $(CHECKS)

check-types:
	@$(BIN)/mypy

check-prose:
	@$(BIN)/python -m tests.prose

check-format:
	@$(BIN)/ruff format --check .

check-lint:
	@$(BIN)/ruff check .

check-schemas:
	@$(BIN)/python -m router.schemas --check

check-config:
	@$(BIN)/payrouter config schema | diff -u deploy/schemas/payrouter.toml.v1.json -
	@$(BIN)/payrouter config keys --markdown | diff -u docs/configuration.md -

check-metrics:
	@$(BIN)/payrouter metrics --markdown | diff -u docs/metrics.md -

check-cli:
	@$(BIN)/payrouter man --markdown | diff -u docs/cli.md -

check-rights:
	@$(BIN)/payrouter rights --markdown | diff -u docs/kafka-rights.md -

check-man:
	@$(BIN)/payrouter man | diff -u deploy/man/payrouter.1 -

bench: $(READY) ## benchmarks, 25 to 35 min: tables, build/bench.json; ARGS="--only edge", "--short"
	@$(BIN)/python -m tests.benchmarks $(ARGS)

bench-check: $(READY) ## compare the CPU of a delivery with others in one run, 30 s
	@$(BIN)/python -m tests.benchmarks.check $(ARGS)

bench-page: $(READY) ## write the figures of build/bench.json into docs/performance.md
	@$(BIN)/python -m tests.benchmarks.report.page

attacks: $(READY) ## attack a running edge; table and JSON; ARGS="--seconds 5 --only scrapes"
	@$(BIN)/python -m tests.parts.attacks $(ARGS)

chaos: $(READY) ## a whole deployment under seeded faults; ARGS="--seed 1 --deliveries 50000"
	@$(BIN)/python -m tests.parts.whole_chaos $(ARGS)

chaos-page: $(READY) ## write the table of build/chaos.json into docs/exactly-once.md
	@$(BIN)/python -m tests.parts.whole_chaos.page

faults: $(READY) ## the runs of single faults in their long form
	@PAYROUTER_CHAOS_LONG=1 $(BIN)/python -m pytest -m chaos $(ARGS)

simulate: $(READY) ## simulated schedules; SEED=7 describes one, ARGS="--schedules 100000", ARGS=--mutants
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED)) $(ARGS)

rolling: $(READY) ## upgrade a running system under load; ARGS="--from COMMIT --rate 50"
	@$(BIN)/python -m tests.parts.rolling $(ARGS)

platform: $(READY) ## a whole deployment from the chart's settings; takes each right away
	@$(BIN)/python -m tests.parts.platform $(ARGS)

console: $(READY) ## every page and action of a live console in a browser; writes docs/images/console-*.png
	@$(BIN)/python -m tests.parts.console.tour $(ARGS)

chart: $(READY) ## lint, render and package the Helm chart; write tests/samples/chart (helm or Go)
	@$(BIN)/python -m tests.parts.chart $(ARGS)

chart-cluster: $(READY) ## apply the chart to an API server built from its Go module; ARGS="--crds DIR"
	@$(BIN)/python -m tests.parts.chart.cluster $(ARGS)

lock: ## write both lock files again from pyproject.toml
	@$(PYTHON) -m venv build/uv
	@build/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@build/uv/bin/uv $(LOCK) --upgrade pyproject.toml --output-file requirements.lock
	@build/uv/bin/uv $(LOCK) --upgrade pyproject.toml --extra evaluation --group dev \
		--group bench --constraints requirements.lock --output-file requirements-dev.lock

clean: ## remove the environment, the caches and what was built; data directories stay
	@rm -rf .venv .kafka build dist htmlcov .coverage .coverage.* attacks.json
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): requirements-dev.lock pyproject.toml
	@echo "setting up .venv with $$($(PYTHON) --version); this takes about a minute"
	@$(STEP) "1/3 making the environment" $(PYTHON) -m venv .venv
	@$(STEP) "2/3 installing $$(grep -c '==' requirements-dev.lock) packages from PyPI" \
		$(INSTALL) --require-hashes -r requirements-dev.lock
	@$(STEP) "3/3 installing payrouter" $(INSTALL) --editable .
	@touch $@
