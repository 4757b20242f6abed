# `make submission` and `make test` do all the set-up they need: a .venv with the pinned versions of constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export NO_ALBUMENTATIONS_UPDATE := 1

# of pytest, also under coverage
PYTEST := -n auto --dist loadfile --no-loadscope-reorder --max-worker-restart 0 -m "not slow"

.PHONY: help submission test format lint types pytest chromium coverage slow soak labs-quick audit clean

help:
	@echo "make submission   train all folds of the embedded competition, predict, write and check a submission"
	@echo "make test         ruff, pyright and pytest"
	@echo "make coverage     pytest, and which lines and branches it ran"
	@echo "make slow         the tests that take a minute or more: kills at random moments, lost workers of a cluster, OpenVINO, a packed notebook"
	@echo "make soak         an hour of training, killing, resuming and predicting at random: docs/reliability.md"
	@echo "make labs-quick   the five labs of docs/labs.md with a few steps each, on made pictures: some minutes"
	@echo "make audit        bandit and pip-audit, where they are installed (pip install bandit pip-audit): known faults of the pinned packages"
	@echo "make format | lint | types | pytest | clean"

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	@echo "setting up $(VENV): some minutes and gigabytes, this once"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

submission: $(VENV)/ready
	$(BIN)/python train.py --competition digits --fold all
	$(BIN)/python predict.py --competition digits

test: lint types pytest

format: $(VENV)/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/ready
	$(BIN)/pyright

pytest: $(VENV)/ready chromium
	$(BIN)/python -m pytest $(PYTEST)

coverage: export COVERAGE_FILE := $(CURDIR)/.coverage
coverage: export ROOT := $(CURDIR)
coverage: $(VENV)/ready chromium
	$(BIN)/coverage erase
	-$(BIN)/coverage run -m pytest $(PYTEST)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered

# Pages are tested in Debian's Chromium: installed where root may do so; without it those tests are skipped, and say so.
chromium:
	@command -v chromium >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
	    { timeout 600 apt-get update && DEBIAN_FRONTEND=noninteractive timeout 600 apt-get install -y --no-install-recommends chromium fonts-dejavu-core; } \
	    >/dev/null 2>&1 || true

slow: $(VENV)/ready
	$(BIN)/python -m pytest -m slow

soak: $(VENV)/ready
	$(BIN)/python -m tests.soak

labs-quick: $(VENV)/ready
	$(BIN)/python -m benchmarks.labs

# Of medium severity and above; B704 is the one Markup of reports/style.py, which says its reason.
audit: $(VENV)/ready
	$(BIN)/python -m bandit --quiet --recursive --severity-level medium --skip B704 competition folds models reports submissions train.py predict.py
	$(BIN)/python -m pip_audit --requirement constraints.txt --no-deps --disable-pip

clean:
	rm -rf $(VENV) cache
