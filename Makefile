# `make run` trains LeNet on real digits, offline; `make test` runs the whole test-suite.
# Both make .venv and install first; once installed, neither needs a network.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -q -c constraints/cpu.txt

.PHONY: run test lint types clean
run: .venv/ready
	$(BIN)/fathom try lenet

test: .venv/ready-dev
	$(BIN)/python -m pytest -n auto --dist loadgroup

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready-dev
	$(BIN)/mypy

.venv/ready: pyproject.toml constraints/cpu.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'error: $(PYTHON): is older than Python 3.11; run make PYTHON=python3.12' >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(PIP) torch==2.13.0
	$(PIP) -e .
	touch $@

.venv/ready-dev: .venv/ready
	$(PIP) -e '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
