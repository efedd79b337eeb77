# Every target works on a bare machine with python3 >= 3.11: the first one makes .venv from the hashed lock.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test dev check bench lock clean

demo: .venv/installed
	$(BIN)/soundcharts-pipeline demo

test: .venv/installed
	$(BIN)/pytest

dev: .venv/installed
	$(BIN)/soundcharts-pipeline dev

check: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/dagster definitions validate

# By hand, on a machine with nothing else to do; benchmarks/README.md has figures to compare with.
bench: .venv/installed
	$(BIN)/python benchmarks/limiter.py --processes 1
	$(BIN)/python benchmarks/limiter.py --processes 4
	$(BIN)/python benchmarks/admin.py

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("python3 >= 3.11 is needed; set PYTHON=/path/to/one")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Needs uv. The lock names no registry: the machine's own settings say where packages come from.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras \
		--extra dev pyproject.toml --output-file requirements.lock

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
