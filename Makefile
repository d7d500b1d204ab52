# `make demo` and `make test` need python3 (3.11) and make; everything else is installed by the first of them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
# Written when the environment holds exactly what the lock says.
INSTALLED := $(VENV)/.installed

export DO_NOT_TRACK := 1

.PHONY: scenarios help demo test dashboard dagster lint types sql unit bench clean format lock system-demo system-test system-bench

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: system-demo $(INSTALLED) ## Generate three companies, bill six months, publish, render invoices
	$(BIN)/ratehouse demo

test: system-test $(INSTALLED) lint ## Everything: structure, units, scenarios, pages, browser, orchestration, reliability, real data, S3
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

lint: $(INSTALLED) ## Style, types, who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	@$(MAKE) --jobs 2 --output-sync types sql

types: $(INSTALLED)
	$(BIN)/mypy

sql: $(INSTALLED)
	$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar dbt_project/models

unit: $(INSTALLED) ## The quick tests: structure, units
	$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/architecture tests/unit \
		--ignore tests/architecture/test_marts.py --ignore tests/unit/dashboards --ignore tests/unit/test_explain.py

scenarios: $(INSTALLED) ## The rules, each against the figures that must come out
	$(BIN)/python -m ratehouse.cli scenario run tests/scenarios

dashboard: $(INSTALLED) ## The finance dashboards, in a browser
	$(BIN)/streamlit run dashboards/finance/app.py

dagster: $(INSTALLED) ## The orchestration: assets, checks, schedules
	$(BIN)/python -m orchestration.dev

bench: system-bench $(INSTALLED) ## Measure speed against a hand-written floor
	$(BIN)/python -m tests.benchmarks

format: $(INSTALLED) ## Lay out Python
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(INSTALLED) ## Resolve pyproject.toml into requirements.lock (needs uv)
	uv pip compile pyproject.toml --group dev --generate-hashes --no-emit-index-url --no-emit-find-links -o requirements.lock

clean: ## Remove what was built; the environment and the data stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dbt_project/target dbt_project/logs logs

system-demo:
	@.ci/system-packages demo

system-bench:
	@.ci/system-packages bench

system-test:
	@.ci/system-packages test

$(INSTALLED): requirements.lock pyproject.toml
	.ci/install $(VENV)
	touch $@
