# Every target works on a bare machine with python3 >= 3.11: the first one makes .venv from the hashed lock.
PYTHON ?= python3
BIN := .venv/bin
BENCH := .venv-bench/bin
DOCS := .venv-docs/bin
# Whatever the shell says: tests start our programs a thousand times, which compile their modules at the first.
unexport PYTHONDONTWRITEBYTECODE

COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras \
	--custom-compile-command 'make lock'

.PHONY: demo test dev check docs bench lock clean

demo: .venv/installed
	$(BIN)/soundcharts-pipeline demo

test: .venv/installed
	.ci/system-packages
	$(BIN)/pytest

dev: .venv/installed
	$(BIN)/soundcharts-pipeline dev

check: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/dg check defs

# The pages of docs/ as a site, in site/. A link or an anchor that leads nowhere fails it (with --quiet none would).
docs: .venv-docs/installed
	$(DOCS)/mkdocs build --strict

# By hand, on a machine with nothing else to do: about an hour. benchmarks/README.md has figures to compare with.
bench: .venv-bench/installed
	$(BENCH)/python -m benchmarks.limiter
	$(BENCH)/python -m benchmarks.calls
	$(BENCH)/python -m benchmarks.peers
	$(BENCH)/python -m benchmarks.loading
	$(BENCH)/python -m benchmarks.store
	$(BENCH)/python -m benchmarks.floor
	$(BENCH)/python -m benchmarks.memory
	$(BENCH)/python -m benchmarks.growth
	$(BENCH)/python -m benchmarks.admin
	$(BENCH)/python -m benchmarks.dashboards
	$(BENCH)/python -m benchmarks.exports
	$(BENCH)/python -m benchmarks.analysis
	$(BENCH)/python -m benchmarks.scale
	$(BENCH)/python -m benchmarks.cold
	$(BENCH)/python -m benchmarks.night
	$(BENCH)/python -m benchmarks.hosts

# `python -m venv` and a hashed lock: everything for the pipeline, or that and what the benchmarks compare with.
.venv/installed: requirements.lock pyproject.toml
.venv-bench/installed: requirements-bench.lock pyproject.toml
.venv/installed .venv-bench/installed:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("python3 >= 3.11 is needed; set PYTHON=/path/to/one")'
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The site needs nothing of the pipeline.
.venv-docs/installed: requirements-docs.lock
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Needs uv. The runtime's lock is for images: no tools of developers, but what builds the package. The locks name no
# registry: the machine's own settings say where packages come from.
lock:
	$(COMPILE) --extra dev pyproject.toml --output-file requirements.lock
	echo setuptools | $(COMPILE) --constraint requirements.lock pyproject.toml - --output-file requirements-runtime.lock
	$(COMPILE) --extra dev --extra bench --constraint requirements.lock pyproject.toml --output-file requirements-bench.lock
	printf 'mkdocs>=1.6,<2\nmkdocs-material>=9.7\n' | $(COMPILE) - --output-file requirements-docs.lock

clean:
	rm -rf .venv .venv-bench .venv-docs site build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
