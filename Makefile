# One command for everything. Each target makes its own virtual environment in .venv when there is none, and
# brings it up to date when pyproject.toml has changed; otherwise it says nothing about it.
#
#   make demo     a season of a hotel group's customers through the shipped journeys
#   make test     the whole test suite            make test ARGS="-k quiet_hours -x"
#   make test-rabbitmq   the processes over RabbitMQ, where rabbitmq-server is installed
#   make test-long   the same in full: what make test takes a part of    make test-long ARGS=tests/faults
#   make real     all bookings and orders of the shared data, where make test takes a part of them
#   make latency  from an event to its mail, in milliseconds
#   make check    style, types, layers, documents
#   make format   lets ruff rewrite what it can
#   make bench    speed and memory, with ratios
#   make chaos    a hundred deaths of the process, and every book compared    make chaos ARGS=20
#   make chaos-production   the same for PostgreSQL, Redis, workers, beats and APIs    make chaos-production ARGS="20 SEED"
#   make clean    removes .venv and every cache

.DEFAULT_GOAL := test
.PHONY: demo test test-long test-rabbitmq real latency check format bench chaos chaos-production clean venv

# The first interpreter that is new enough; another one by `make PYTHON=/path/to/python`.
PYTHON ?= $(shell for candidate in python3.11 python3 python3.12 python3.13 python3.14; do \
	$$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$candidate && break; done)
VENV   := .venv
RUN    := $(VENV)/bin/python
# What runs the product, and beside it what tests it: the demonstration waits for the first only.
STAMP  := $(VENV)/.up-to-date
TESTED := $(VENV)/.tests-up-to-date
# Processes that share the tests: many of these wait for processes of their own, so that two cores have room for three.
WORKERS ?= 3
ARGS    ?=

venv: $(TESTED)
	@:

$(STAMP): pyproject.toml
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
		echo "No Python 3.11 or newer was found. Install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; fi; \
	if ! "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo "$$python is not Python 3.11 or newer. Name another: make PYTHON=/path/to/python3.11" >&2; exit 1; fi; \
	if ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then \
		echo "$$python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; fi; \
	echo "Setting up $(VENV) with $$("$$python" --version) (a minute or two, once)"; \
	"$$python" -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(TESTED): pyproject.toml $(STAMP)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(STAMP)
	@$(RUN) -m orchestrator.cli.main demo $(ARGS)

# The tests start some hundred processes: bytecode is kept, even where a machine image says that it is not to be, or each
# would compile the whole product again.
test test-long real: export PYTHONDONTWRITEBYTECODE =
test: $(TESTED)
	@$(RUN) -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

test-long: $(TESTED)
	@TEST_IN_FULL=1 $(RUN) -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

test-rabbitmq: $(TESTED)
	@TEST_RABBITMQ=1 $(RUN) -m pytest tests/tasks/test_rabbitmq.py $(ARGS)

real: $(TESTED)
	@TEST_IN_FULL=1 $(RUN) -m pytest -n $(WORKERS) tests/real $(ARGS)

latency: $(TESTED)
	@$(RUN) -m benchmarks.latency $(ARGS)

check: $(TESTED)
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@$(RUN) -m pytest -q tests/test_layers.py tests/test_docs.py tests/test_docs_tables.py

format: $(TESTED)
	@$(RUN) -m ruff check --fix-only --quiet .
	@$(RUN) -m ruff format .

bench: $(TESTED)
	@$(RUN) -m benchmarks.run $(ARGS)

chaos: $(TESTED)
	@$(RUN) -m tests.chaos.rounds $(or $(ARGS),100)

chaos-production: $(TESTED)
	@$(RUN) -m tests.chaos.production $(or $(ARGS),200)

clean:
	@rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
