# Everything that is done with this checkout; `make` alone lists it.

# A Python that this project supports; the environment in .venv is made from it.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
UV := .tools/bin/uv
BIN := .venv/bin
# uv trusts a list of its own; a network with a certificate of its own is known to the system's list only.
CERTS := $(if $(wildcard /etc/ssl/certs/ca-certificates.crt),--system-certs)
SYNC := $(UV) sync --quiet --frozen --python $(PYTHON) $(CERTS)

# Stamps: what .venv was last brought in line with. A newer lock makes them old.
FOR_RUNNING := .venv/.for-running
FOR_WORKING := .venv/.for-working

# An index that the machine prefers must not get into the lock.
NO_INDEX = $$(env | sed -n 's/^\(UV_[A-Z_]*INDEX[A-Z_]*\)=.*/-u \1/p') -u UV_FIND_LINKS

.DEFAULT_GOAL := help
.PHONY: help run test soak check fix bench lock coverage
# One recipe line after the other, in one shell that stops at the first failure.
.ONESHELL:
.SHELLFLAGS := -ec

help: ## List what there is to make
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: $(FOR_RUNNING) ## Serve the reference application on port 8000 (PORT, DATABASE_URL, SEED, ENV, ... count)
	@exec $(BIN)/colonnade serve --prepare

test: $(FOR_WORKING) ## Run the whole suite, on every database that can be started here (ARGS="-k name")
	@# Tests start many processes; where byte code may not be written, each of them compiles everything anew.
	exec env PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 2 --dist worksteal $(ARGS)

soak: $(FOR_WORKING) ## Run the long forms of tests/reliability, or a part of them (SOAK=0.01)
	@SOAK=$${SOAK:-1} exec timeout $${SOAK_LIMIT:-12h} $(BIN)/pytest -n 0 -s --timeout=0 tests/reliability $(ARGS)

check: $(FOR_WORKING) ## Lint, formatting, types, layers
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src app
	$(BIN)/lint-imports --no-logo

fix: $(FOR_WORKING) ## Mend what ruff can mend, and format
	@$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

coverage: $(FOR_WORKING) ## Run the suite and print the branches that no test takes
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 2 $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

bench: $(FOR_WORKING) ## Measure Colonnade against its limit and its peers (ARGS="--quick")
	@$(BIN)/python -m benchmarks $(ARGS)

lock: $(UV) ## Lock the dependencies anew, from the public index only
	@env $(NO_INDEX) $(UV) lock --no-config --default-index https://pypi.org/simple --python $(PYTHON) $(CERTS)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Python 3.11 to 3.13 is needed; name one with PYTHON=..."; exit 2; }
	echo "Setting up uv in .tools ..."
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check 'uv>=0.13'
	touch $@

$(FOR_RUNNING): uv.lock | $(UV)
	@echo "Setting up .venv ..."
	$(SYNC) --inexact --no-dev --extra postgresql --extra mysql --extra admin
	touch $@

$(FOR_WORKING): uv.lock | $(UV)
	@echo "Setting up .venv with what tests and checks need ..."
	$(SYNC) --all-groups
	touch $(FOR_RUNNING) $@
