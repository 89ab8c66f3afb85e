# Everything a person or a machine does with this project. `make help` prints the targets.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin
UV := 0.13.9
# Three test processes for two cores: a third of what tests do is waiting for each other's processes and databases.
TESTERS := $(shell echo $$(( ($$(nproc) * 3 + 1) / 2 )))

.DEFAULT_GOAL := help
.PHONY: help demo test check format lint types imports templates requirements peers bench bench-small bench-pages chaos clean

help: ## Print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# One stamp a set of requirements: nothing is installed twice, and a changed pin is noticed.
$(VENV)/bin/uv:
	@command -v $(PYTHON) >/dev/null || { echo "Spotkeeper needs Python 3.11: $(PYTHON) was not found. Set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Spotkeeper needs Python 3.11; $(PYTHON) is $$($(PYTHON) --version 2>&1)" >&2; exit 1; }
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); $(PYTHON) -m pip --version >/dev/null 2>&1 && \
	  $(PYTHON) -m pip install --quiet --target $(VENV)-bootstrap virtualenv && \
	  PYTHONPATH=$(VENV)-bootstrap $(PYTHON) -m virtualenv --quiet $(VENV) && rm -rf $(VENV)-bootstrap; } || \
	  { echo "Could not create $(VENV): install python3-venv, or pip, and try again" >&2; rm -rf $(VENV) $(VENV)-bootstrap; exit 1; }
	@$(BIN)/python -m pip install --quiet uv==$(UV)

$(VENV)/.demo: requirements/demo.txt | $(VENV)/bin/uv
	@echo "Installing what the demo needs (pinned by hash)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/demo.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt | $(VENV)/bin/uv
	@echo "Installing what development needs (pinned by hash)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/.demo ## Run Spotkeeper on a simulated AWS (DEMO_PORT, DEMO_PASSWORD; FRESH=1 starts over)
	@exec $(BIN)/python -m demo $(if $(FRESH),--fresh)

test: $(VENV)/.dev ## Run the whole test suite (ARGS="-k words" narrows it)
	@$(BIN)/python -m pytest -n $(TESTERS) --dist worksteal $(ARGS)

check: format lint types imports templates test ## Formatting, lint, types, layers, templates, tests: all that CI runs but `bench-small`

format: $(VENV)/.dev ## Fail when the code is not formatted (FIX=1 formats it)
	@$(BIN)/ruff format $(if $(FIX),,--check) .

lint: $(VENV)/.dev ## Lint and look for unsafe code
	@$(BIN)/ruff check $(if $(FIX),--fix) .
	@$(BIN)/bandit --quiet --recursive --severity-level medium app wsgi.py

types: $(VENV)/.dev ## Check the types of app/, strictly
	@$(BIN)/mypy

imports: $(VENV)/.dev ## Check who may know whom
	@$(BIN)/lint-imports

templates: $(VENV)/.dev ## Lint the templates
	@$(BIN)/djlint --lint --quiet app/templates

# They may be missing: what is measured against them is then left out.
$(PEERS)/.done: requirements/peers.txt | $(VENV)/.dev
	@echo "Installing what we are measured against (pinned by hash, in $(PEERS))"
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(PEERS)
	@$(BIN)/uv pip install --quiet --python $(PEERS)/bin/python --require-hashes -r requirements/peers.txt
	@touch $@

peers: $(PEERS)/.done ## Install what `make bench` measures us against, in an environment of their own

bench: $(VENV)/.dev ## Measure discoveries of 10,000 and 50,000 instances against others (ARGS="--help" tells more)
	@$(MAKE) --no-print-directory peers || echo "Going on without Cloud Custodian and awscli" >&2
	@$(BIN)/python -m benchmarks.discovery $(ARGS)

bench-small: $(VENV)/.dev ## The same in half a minute, with room for a noisy machine: what CI runs
	@$(BIN)/python -m benchmarks.discovery --small $(ARGS)

requirements: $(VENV)/.dev ## Pin the dependencies of pyproject.toml anew, with hashes
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra demo --extra dev pyproject.toml -o requirements/dev.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra demo -c requirements/dev.txt pyproject.toml -o requirements/demo.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header -c requirements/dev.txt pyproject.toml -o requirements/production.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group pyproject.toml:peers -o requirements/peers.txt

bench-pages: $(VENV)/.dev ## Measure the pages of a million instances against others (half an hour)
	@$(MAKE) --no-print-directory peers || echo "Going on without Flask-Admin and datasette" >&2
	@$(BIN)/python -m benchmarks.pages $(ARGS)

chaos: $(VENV)/.dev ## Mistreat installations for an hour and compare them with their fleets (ARGS="kills history", CHAOS_N)
	@$(BIN)/python -m tests.chaos $(ARGS)

clean: ## Remove the environments and the demo's data
	rm -rf $(VENV) $(PEERS) instance
