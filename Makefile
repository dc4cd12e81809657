# Everything runs in a virtual environment that this file makes. `make` lists
# the targets.

# The Python to use, for instance PYTHON=python3.11; found if not given.
PYTHON ?=
VENV ?= .venv
# Where `make demo` works. The same folder again is continued.
DEMO_DIR ?= runs/demo
# Most of a test is JAX compiling, on one core: two processes take about half
# the time. A file stays in one process, where what it compiled is cached.
# (Files in the order of collection: tests/conftest.py has the longest first.)
XDIST ?= -n 2 --dist loadfile --no-loadscope-reorder
# More for pytest, for instance PYTEST_ARGS='-k injection'.
PYTEST_ARGS ?=

BIN := $(VENV)/bin
# One stamp for each Python asked for, so that asking for another one is seen.
STAMP := $(VENV)/.setup-$(or $(subst /,_,$(PYTHON)),found)

# Prints the first Python that works. A name on the path may be no more than a
# pyenv shim, so it has to prove that it can make a virtual environment.
CANDIDATES = $(or $(PYTHON),python3.12 python3.11 python3)
FIND_PYTHON = \
  for candidate in $(CANDIDATES); do \
    if "$$candidate" -c 'import ensurepip, sys, venv; \
        sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
        >/dev/null 2>&1; then \
      echo "$$candidate"; exit 0; \
    fi; \
  done; \
  echo 'error: none of these is a Python 3.11 or 3.12 with venv:' \
    '$(CANDIDATES). Install one, or name it: make PYTHON=...' >&2; \
  exit 1
# Prints 311 or 312; the constraints are named so.
PY_TAG = -c 'import sys; print("%d%d" % sys.version_info[:2])'

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-exhaustive test-lowest lint \
  calibrate mutants docs durability constraints clean

help:
	@echo 'make setup        install into $(VENV) what the rest needs'
	@echo 'make demo         diagnose continual Catch; report in $(DEMO_DIR)'
	@echo 'make test         the tests'
	@echo 'make test-fast    all but the slow ones'
	@echo 'make test-exhaustive  further combinations of what make test covers'
	@echo 'make lint         ruff and mypy'
	@echo 'make calibrate    are known cases called right? (an hour)'
	@echo 'make mutants      do the tests notice faults put in on purpose?'
	@echo 'make durability   is anything lost by 50 kills? (half an hour)'
	@echo 'make docs         the site of the documentation, in build/site'
	@echo 'make test-lowest  fast tests with the oldest versions in setup.py'
	@echo 'make constraints  resolve and pin the newest versions in setup.py'
	@echo 'make clean        remove $(VENV) and caches; runs/ stays'
	@echo 'PYTHON=python3.11 chooses the Python (3.11 or 3.12).'

setup: $(STAMP)

# A virtual environment of another Python is replaced; otherwise it is kept and
# only what changed is installed.
$(STAMP): setup.py pyproject.toml $(wildcard constraints/py*.txt)
	@set -e; python="$$($(FIND_PYTHON))"; tag="$$("$$python" $(PY_TAG))"; \
	if [ "$$($(BIN)/python $(PY_TAG) 2>/dev/null)" != "$$tag" ]; then \
	  echo "making $(VENV) with $$python"; \
	  "$$python" -m venv --clear $(VENV); \
	fi; \
	echo 'installing (1.2 GB, some minutes, the first time)'; \
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install -qq \
	  -c constraints/py$$tag.txt -e '.[dev]'
	@touch $@

demo: setup
	@$(BIN)/python -m plasticity_rl.diagnose \
	  --config=configs/continual_catch.py:demo --workdir=$(DEMO_DIR)

test: setup
	@$(BIN)/python -m pytest tests $(XDIST) $(PYTEST_ARGS)

test-fast: setup
	@$(BIN)/python -m pytest tests -m 'not slow' $(XDIST) $(PYTEST_ARGS)

# The combinations that `make test` leaves out.
test-exhaustive: setup
	@$(BIN)/python -m pytest tests -m exhaustive $(XDIST) $(PYTEST_ARGS)

lint: setup
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check .
	@$(BIN)/mypy --no-error-summary

calibrate: setup
	@$(BIN)/python -m benchmarks.calibrate

mutants: setup
	@$(BIN)/python -m tests.mutants.run

durability: setup
	@$(BIN)/python -m benchmarks.durability

docs: setup
	@$(BIN)/python -m docs.stage build/docs
	@$(BIN)/python -m sphinx --fail-on-warning -q build/docs build/site
	@echo 'build/site/index.html'

# In a virtual environment of its own. Python 3.11, as the oldest one.
test-lowest:
	@set -e; python="$$($(FIND_PYTHON))"; \
	"$$python" -m venv --clear build/lowest; \
	build/lowest/bin/python -m pip install -qq \
	  -c constraints/lowest.txt -e '.[dev]'; \
	build/lowest/bin/python -m pytest tests -m 'not slow' $(XDIST) \
	  $(PYTEST_ARGS)
test-lowest: PYTHON := $(or $(PYTHON),python3.11)

# Writes constraints/pyXY.txt for the Python in use.
constraints:
	@set -e; python="$$($(FIND_PYTHON))"; tag="$$("$$python" $(PY_TAG))"; \
	"$$python" -m venv --clear build/constraints; \
	build/constraints/bin/python -m pip install -qq -e '.[dev,all]'; \
	version="$$(build/constraints/bin/python -c \
	  'import sys; print("%d.%d" % sys.version_info[:2])')"; \
	{ echo "# The exact releases that the tests pass with, on Python of"; \
	  echo "# this file's name. Made by:"; \
	  echo "#   make constraints PYTHON=python$$version"; \
	  echo "# which installs .[dev,all] into an empty virtual environment"; \
	  echo "# and writes down what pip chose. Constraints install nothing by"; \
	  echo "# themselves:"; \
	  echo "#   pip install -c constraints/py$$tag.txt -e '.[atari]'"; \
	  build/constraints/bin/python -m pip freeze --all --exclude-editable | \
	    grep -v '^pip=='; \
	} > build/constraints.txt; \
	mv build/constraints.txt constraints/py$$tag.txt; \
	echo "wrote constraints/py$$tag.txt"

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis \
	  .jax_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
