# mains: two commands matter, `make demo` and `make test`; each makes what it needs.
PYTHON ?= python3
DEMO ?=
VENV := .venv
BIN := $(VENV)/bin
SCHEMA := $(wildcard src/mains/*/schema.sql src/mains/*/*/schema.sql) src/mains/base/roles.sql
MIGRATIONS := $(wildcard src/mains/migrations/*.sql)
# Left out for the schema files, which build an empty database: rules about live tables, chosen widths, ISO codes as char(2) and char(3).
NOT_FOR_SCHEMA := $(foreach rule,require-concurrent-index-creation adding-foreign-key-constraint constraint-missing-not-valid ban-char-field \
	prefer-bigint-over-int prefer-bigint-over-smallint require-lock-timeout require-statement-timeout,--exclude $(rule))
SQUAWK := $(BIN)/squawk --config .squawk.toml
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --quiet
LOCK := $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.PHONY: help demo test lint types bench docs clean nightly lock

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(BIN)/python:
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mains needs Python 3.11 or newer; say which: make PYTHON=python3.12 …")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing what mains needs (requirements.lock)"
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@echo "compiling the numeric kernels, once"
	@$(BIN)/python -m mains.warming
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "installing the work bench (requirements-dev.lock)"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(VENV)/.installed ## run the demo utility and open it in a browser (SERVE=0: end after the summary; DEMO="--customers 500": its options)
	@$(BIN)/mains demo $(if $(filter 0,$(SERVE)),--no-serve) $(DEMO)

test: $(VENV)/.installed-dev ## run the whole suite
	@$(BIN)/pytest -n 2 --dist loadfile -m "not nightly"

nightly: $(VENV)/.installed-dev ## run the long tests
	@$(BIN)/pytest -n 2 --dist loadfile -m nightly

lint: $(VENV)/.installed-dev ## style, the direction of imports, SQL
	@$(BIN)/ruff check
	@PYTHONPATH=src $(BIN)/lint-imports
	@$(SQUAWK) $(NOT_FOR_SCHEMA) $(SCHEMA)
	@$(if $(MIGRATIONS),$(SQUAWK) $(MIGRATIONS))

types: $(VENV)/.installed-dev ## check the types
	@$(BIN)/basedpyright

bench: $(VENV)/.installed-dev ## measure, and rewrite docs/performance.md
	@$(BIN)/python -m benchmarks

docs: $(VENV)/.installed ## write the reference pages from what runs
	@$(BIN)/python -m mains.docs

lock: $(VENV)/.installed-dev ## renew the locked versions
	@$(LOCK) requirements.in -o requirements.lock
	@$(LOCK) requirements-dev.in -o requirements-dev.lock

clean: ## remove what was made here; databases stay
	@rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
	@find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
