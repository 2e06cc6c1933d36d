# streamrec: everything needs Python 3.11 or later and GNU make, nothing else. `make` lists the targets.

# The first of these that is 3.11 or 3.12 (for later ones there is no wheel with a Redis server), else python3.
PYTHON ?= $(shell for python in python3 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$python && exit; \
	done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo kafka test test-fast test-kafka soak lint format watch clean

help: ## this list
	@echo "streamrec: job recommendations from event streams"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PYTHON=python3.12 chooses the interpreter for .venv; ARGS goes to the command: make demo ARGS='--rate 500'"

demo: $(VENV)/.local ## everything on this machine, live in the terminal; Ctrl-C ends it
	@exec $(BIN)/streamrec demo $(ARGS)

kafka: $(VENV)/.local ## Apache Kafka on this machine at 127.0.0.1:9092; needs Java 17 and Maven; `ops/kafka/stop` stops it
	@$(BIN)/streamrec kafka start $(ARGS)

test: lint ## the whole test suite, lint, types, import contract
	@echo "pytest: tests that need no server, on all cores"
	@$(BIN)/python -m pytest -q -n auto -m "not servers and not e2e" $(ARGS)
	@echo "pytest: tests with Redis or the embedded broker, two at a time"
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "(servers or e2e) and not kafka and not alone" $(ARGS)
	@echo "pytest: the same on Apache Kafka, two at a time"
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "kafka and not alone and not control" $(ARGS)
	@echo "pytest: tests that measure time, on both brokers, one at a time"
	@$(BIN)/python -m pytest -m "alone" $(ARGS)

test-fast: $(VENV)/.dev ## tests that need no server, in under a minute
	@$(BIN)/python -m pytest -q -n auto -m "not servers and not e2e and not slow" --hypothesis-profile quick $(ARGS)

test-kafka: $(VENV)/.dev ## the tests that run on Apache Kafka, all of them
	@$(BIN)/python -m pytest -m kafka $(ARGS)

soak: $(VENV)/.dev ## the long forms of the tests of faults, fuzzing and memory: hours
	@$(BIN)/python -m pytest -m soak --long -s $(ARGS)

lint: $(VENV)/.dev ## style, format, types, import contract
	@echo "ruff check"; $(BIN)/ruff check --quiet .
	@echo "ruff format --check"; $(BIN)/ruff format --check --quiet . || { echo "make format mends it"; exit 1; }
	@echo "mypy"; $(BIN)/mypy
	@echo "lint-imports"; $(BIN)/lint-imports

format: $(VENV)/.dev ## mend style and format where that can be done by itself
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .

watch: $(VENV)/.dev ## write what is generated in ops/: dashboards, metrics.md
	@$(BIN)/python -m ops.dashboards

clean: ## remove .venv, caches, what the demo wrote, and Apache Kafka with its data
	@test ! -x $(BIN)/streamrec || $(BIN)/streamrec kafka stop
	rm -rf $(VENV) .streamrec .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find streamrec tests -name __pycache__ -type d -prune -exec rm -rf {} +

# What is installed is remembered by a stamp, so that the second `make demo` starts at once.
$(VENV)/.local: pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV): about a minute the first time"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV), with the tools for development: about a minute the first time"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.local

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "streamrec needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | head -n 1)." >&2; \
		echo "Name another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
