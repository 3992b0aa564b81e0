# Two commands for a new user: `make up` runs the main job, `make test` checks everything.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null || echo $(VENV)-uv/bin/uv)
ARGS ?=
EFFORT := $(if $(QUICK),quick,$(if $(FULL),full,usual))
# Every child process starts from compiled modules: a start takes 0.7 s instead of 2.5 s.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup up test prove lint bench lock clean

setup: $(VENV)/.ready

# uv comes from its own small environment where the machine has none.
$(VENV)-uv/bin/uv:
	$(PYTHON) -m venv $(VENV)-uv
	$(VENV)-uv/bin/pip install --quiet uv

$(VENV)/.ready: requirements.lock pyproject.toml | $(if $(filter $(VENV)-uv/bin/uv,$(UV)),$(VENV)-uv/bin/uv)
	test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	$(UV) pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements.lock
	$(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	touch $@

up: setup
	$(BIN)/arbsaga up $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The pure parts are covered whole, branches included; everything else over 85 %. Then the quick proof of the promise.
test: lint
	$(BIN)/pytest --numprocesses 2 --cov --cov-report= $(ARGS)
	$(BIN)/coverage report --format=total --fail-under=85
	$(BIN)/coverage report --include='arbsaga/domain/*,arbsaga/saga/*' --fail-under=100 --show-missing --skip-covered
	$(BIN)/python -m proof --effort quick

# QUICK=1: under 5 minutes; FULL=1: overnight; JSON=1: the last line is one object. See docs/reliability.md.
prove: setup
	$(BIN)/python -m proof --effort $(EFFORT) $(if $(JSON),--json) $(ARGS)

bench: setup
	$(BIN)/python -m bench $(ARGS)

lock:
	$(UV) pip compile pyproject.toml --quiet --extra dev --universal --generate-hashes --no-header \
		--python-version 3.11 --output-file requirements.lock

clean:
	rm -rf $(VENV) $(VENV)-uv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
