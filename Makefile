# Each target sets up what it needs in .venv; `make` alone lists them.
# Another Python: make demo PYTHON=python3.12 (after `make clean`, if .venv is there already).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow soak lint mutants figures clean

help:
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile

demo: $(VENV)/core  ## name the plant in a photo
	$(BIN)/plant-classification identify --model starter docs/dahlia.jpg

test: $(VENV)/test  ## run the tests but the slow ones
	$(BIN)/pytest -n 2 --dist loadgroup --max-worker-restart 0 -m "not slow and not soak"

test-slow: $(VENV)/dev  ## run the slow tests
	$(BIN)/pytest -n 2 --dist loadgroup --max-worker-restart 0 -m slow

soak: $(VENV)/dev  ## run the tests that .ci/run has no time for
	$(BIN)/pytest -n 2 --dist loadgroup --max-worker-restart 0 -m soak

lint: $(VENV)/dev  ## check style, types, security and which module imports which
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive plant_classification recipes benchmarks
	$(BIN)/lint-imports

mutants: $(VENV)/dev  ## change the code of trust/ in many ways, and see whether a test fails (a quarter of an hour)
	$(BIN)/pip install --quiet --disable-pip-version-check 'mutmut>=3.8'
	PYTHONPATH=. $(BIN)/mutmut run --max-children 2

figures: $(VENV)/dev  ## measure everything anew, into docs/figures.md (hours; needs ../shared; WORK=folder)
	$(BIN)/python benchmarks/table.py $(if $(WORK),--work $(WORK))

clean:  ## remove the environment and what builds and tools leave
	rm -rf $(VENV) build dist htmlcov bandit flake8.log .coverage* *.egg-info .*_cache .tox mutants

# One file for each kind of installation, older than the files that it was made from when these change.
$(VENV)/core $(VENV)/test $(VENV)/dev: setup.cfg constraints.txt VERSION | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  --editable '.$(if $(filter-out core,$(@F)),[$(@F)])'
	@touch $@

# Debian and Ubuntu leave pip out of new environments where python3-venv is missing.
$(BIN)/pip:
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
	  || { $(PYTHON) -m venv --without-pip $(VENV) \
	       && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; } 2>/dev/null \
	  || { rm -rf $(VENV); \
	       echo "$(PYTHON) cannot make a virtual environment: sudo apt install python3-venv, then again." >&2; \
	       exit 1; }
