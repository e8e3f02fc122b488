# For developers; operators use .venv/bin/tds. Every target sets up what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# PostgreSQL's wheel exists for Python 3.10 to 3.13, so of several interpreters the first that fits is taken.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c '$(FITS)' 2>/dev/null && echo $$p && break; done)

# uv does not read pip's configuration: a mirror that is configured for pip is passed on.
ifndef UV_DEFAULT_INDEX
INDEX := $(or $(PIP_INDEX_URL),$(shell python3 -m pip config get global.index-url 2>/dev/null))
ifneq ($(INDEX),)
export UV_DEFAULT_INDEX := $(INDEX)
endif
endif

# uv brings its own certificates; where the system has some, those hold, as for pip.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt),)
export UV_SYSTEM_CERTS ?= 1
endif

VENV := .venv
BIN := $(VENV)/bin
EMULATOR := .venv-emulator
UV_VERSION := 0.13.9
READY := $(VENV)/.ready
EMULATOR_READY := $(EMULATOR)/.ready
export PATH := $(CURDIR)/$(BIN):$(PATH)
export SAM_CLI_TELEMETRY := 0
# The stack's tests stay in one worker, so more workers than two shorten only what runs beside them.
WORKERS ?= 3
SEED ?= 1
MINUTES ?= 3

.PHONY: help setup demo test chaos soak check format lint types layers template bench build validate invoke certificates clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) $(EMULATOR_READY) ## install everything into .venv and .venv-emulator
	@echo "set up: $$(cat $(VENV)/.seconds) s for the tools, $$(cat $(EMULATOR)/.seconds) s for the AWS emulator"

demo: setup ## a company arrives in PostgreSQL through the deployed template, then signed webhooks change it
	@SETUP_SECONDS=$$(( $$(cat $(VENV)/.seconds) + $$(cat $(EMULATOR)/.seconds) )) $(BIN)/python -m cli.demo

test: setup ## unit, contract, integration, browser and stack tests, in WORKERS=3 processes
	$(BIN)/pytest -n $(WORKERS) $(ARGS)

chaos: setup ## a random run of faults that SEED=n repeats; MINUTES=m of storm
	$(BIN)/python -m tests.chaos --seed $(SEED) --minutes $(MINUTES)

soak: setup ## a simulation: seven business days in ten minutes, with faults; what grows, leaks or gets stuck
	$(BIN)/python -m tests.chaos.soak --seed $(SEED)

check: setup format lint types layers template build ## what CI runs besides the tests
	@echo "all checks passed"

format: $(READY)
	$(BIN)/ruff format --check .

lint: $(READY)
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

layers: $(READY)
	$(BIN)/lint-imports

template: $(READY)
	$(BIN)/cfn-lint template.yaml
	$(BIN)/sam validate --lint

validate: template ## lint the template

bench: setup ## the figures: receiver, webhook to row, apply path, simulator, history at the real limits
	$(BIN)/python -m tests.benchmarks

build: $(READY) ## build for AWS: python3.13, arm64
	$(BIN)/sam build

invoke: build ## run a function in a container: FUNCTION=processor EVENT=events/processor/invoices.json
	@.ci/invoke "$(FUNCTION)" "$(EVENT)"

certificates: ## fetch the certificates of Amazon RDS into the layer, once before deploying to it
	mkdir -p layers/tds_core/certificates
	curl --fail --silent --show-error --output layers/tds_core/certificates/database-ca.pem \
	  https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem

clean: ## remove what was built and installed here
	rm -rf $(VENV) $(EMULATOR) .aws-sam .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# $(call environment,folder,uv arguments...)
define environment
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and was not found; name it with PYTHON=" >&2; exit 1; }
	@echo "setting up $(1) with $$($(PYTHON) --version)"
	@started=$$(date +%s) && rm -rf $(1) && \
	{ $(PYTHON) -m venv $(1) || { echo "venv is missing: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }; } && \
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) && \
	$(1)/bin/uv pip install --quiet --python $(1)/bin/python $(2) && \
	echo $$(( $$(date +%s) - started )) > $(1)/.seconds && touch $(1)/.ready
endef

$(READY): requirements-dev.txt layers/tds_core/requirements.txt pyproject.toml
	$(call environment,$(VENV),-r requirements-dev.txt --editable .)

$(EMULATOR_READY): requirements-emulator.txt
	$(call environment,$(EMULATOR),-r requirements-emulator.txt)
