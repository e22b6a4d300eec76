# Every target does its own set-up (.ci/setup): the virtual environment, the pinned packages, the system packages.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
BIN := .venv/bin
ARGS ?=
PACKAGES := eid reader_tools api

# Dozens of processes are started here; without cached bytecode each would compile the packages anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test coverage sweep whole interop fuzz lint compile bench load format lock clean

help: ## print this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

demo: ## an application goes the whole way to its card; verify it, refuse four frauds (ARGS="--in-process", "--pcsc", "--json")
	@.ci/setup runtime
	@$(BIN)/eid demo $(ARGS)

test: ## run all tests that need no real card reader (ARGS goes to pytest)
	@.ci/setup dev
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadgroup --quiet --ignore tests/interop $(ARGS)

coverage: ## the same, traced: branch coverage by module; takes half as long again
	@$(MAKE) test ARGS="$(PACKAGES:%=--cov=%) --cov-branch $(ARGS)"

sweep: ## of the tests that try one thing at very many places or on both databases, all; `make test` takes a sample of them
	@.ci/setup dev
	@EID_SWEEP=whole $(BIN)/python -m pytest --numprocesses 3 --quiet -m sweep --ignore tests/interop $(ARGS)

whole: ## all tests at all places: `make test` and `make sweep` in one run
	@EID_SWEEP=whole $(MAKE) test

interop: ## try our cards, terminals and documents against software that others wrote; a table says who has proven what
	@.ci/setup interop
	@EID_TEST_BOUNCYCASTLE=$$(command -v mvn > /dev/null && echo 1) $(BIN)/python -m pytest --numprocesses 3 --dist loadgroup --quiet tests/interop $(ARGS)

fuzz: ## coverage-guided fuzzing of every decoder and of the card (SECONDS=600 in all; ARGS="--only lds", "--corpus DIR")
	@.ci/setup fuzz
	@$(BIN)/python -W ignore -m tests.fuzz --seconds $(or $(SECONDS),600) $(ARGS)

lint: ## ruff, mypy --strict, import layers
	@.ci/setup dev
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports | sed '1,/^Contracts/d'

compile: ## write build/compiled, a copy in which Passive Authentication is machine code (docs/adr/0017)
	@.ci/setup dev
	@.ci/compile

bench: ## measure, each figure beside its ceiling of the same run
	@.ci/setup dev
	@.ci/compile
	@for script in benchmarks/bench_*.py; do echo "== $$script"; PYTHONPATH=$(CURDIR)/build/compiled $(BIN)/python "$$script" $(ARGS); done

load: ## the registry at a national load, on databases of its own; workers killed at random for ten minutes (KILLS=20 for a short run)
	@.ci/setup dev
	@for script in benchmarks/load_*.py; do echo "== $$script"; $(BIN)/python "$$script" $(ARGS); done
	@echo "== benchmarks/bench_status_lists.py"; $(BIN)/python benchmarks/bench_status_lists.py
	@echo "== tests/load/kill_workers.py"; $(BIN)/python -m tests.load.kill_workers --postgres --kills $(or $(KILLS),200)

format: ## rewrite the code in the one format
	@.ci/setup dev
	@$(BIN)/python -m ruff check --quiet --fix-only .
	@$(BIN)/python -m ruff format .

lock: ## resolve requirements/*.lock from pyproject.toml (ARGS=--upgrade takes newer versions)
	@.ci/setup dev
	@.ci/lock $(ARGS)

clean: ## remove .venv, caches and build output; var/, where cards and keys live, stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov build dist tests/interop/*/target
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
