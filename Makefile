# Everything that a developer or a build machine runs. `make` alone lists the targets.
# Needs Python 3.11 or newer and make; Node 20 or newer builds the UI; Go builds Temporal where no download is to be had.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:

PYTHON ?= python3
PY := .venv/bin/python
STAMPS := .venv/.stamps
READY := $(STAMPS)/setup
UI := $(if $(wildcard ui/package.json),ui/dist/index.html)

# A variable of the caller's shell must not lead our tools to other packages or another environment.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PGPORT PGHOST

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(READY) ## Make .venv with pinned packages and Berth itself; instant when done

.PHONY: run
run: $(READY) $(UI) temporal ## Run Berth here: embedded PostgreSQL and Temporal, worker, API, UI
	@exec .venv/bin/berth up

.PHONY: ui
ui: ui/dist/index.html ## The interface with hot reload on :5173, in front of a running Berth (BERTH_URL, default :8000)
	cd ui && npm run dev

.PHONY: test
test: $(READY) $(UI) temporal ## Run all tests in lanes beside each other, fast ones first; with ARGS one lane
	$(PY) -m tests.lanes $(ARGS)

.PHONY: crash
crash: $(READY) $(UI) temporal ## The full crash proof: 40 creates under 110 kills, some 15 minutes (ARGS are passed on)
	CRASH_ROUNDS=10 $(PY) -m pytest -s tests/crash/test_kills.py $(ARGS)

.PHONY: check
check: $(READY) ## Lint, format, types, import directions, generated files: exactly what the build machine checks
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy .
	.venv/bin/lint-imports
	$(PY) -m scripts.lifecycle_docs --check
	$(PY) -m scripts.readme_lifecycle --check
	$(PY) -m scripts.cli_docs --check
	$(PY) -m scripts.openapi --check
	$(PY) -m scripts.dashboard --check
	$(PY) -m scripts.monitoring_docs --check
	$(PY) -m scripts.asyncapi --check

.PHONY: fmt
fmt: $(READY) ## Format the code and mend what the linter can mend
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

.PHONY: types
types: $(READY) ## Check types only
	.venv/bin/mypy .

.PHONY: docs
docs: $(READY) ## Write the generated documents again: tables, errors, commands, OpenAPI, AsyncAPI, dashboard
	$(PY) -m scripts.lifecycle_docs
	$(PY) -m scripts.readme_lifecycle
	$(PY) -m scripts.cli_docs
	$(PY) -m scripts.openapi
	$(PY) -m scripts.dashboard
	$(PY) -m scripts.monitoring_docs
	$(PY) -m scripts.asyncapi

.PHONY: bench
bench: $(READY) temporal ## Measure operations against the bare engine (ARGS are passed on)
	$(PY) -m bench.run $(ARGS)

.PHONY: bench-monitor
bench-monitor: $(READY) ## Measure the monitor: 10,000 instances listed, real processes killed; CPU, memory, time to notice (ARGS are passed on)
	$(PY) -m bench.monitor $(ARGS)

.PHONY: bench-feed
bench-feed: $(READY) temporal ## Measure the live feed: commit to client, many sockets, an API process killed (ARGS are passed on)
	$(PY) -m bench.feed $(ARGS)

.PHONY: bench-ui
bench-ui: $(READY) $(UI) temporal ## Measure the web interface in a Chromium: load, click to badge, commit to screen, scrolling
	$(PY) -m bench.ui $(ARGS)

.PHONY: screenshots
screenshots: $(READY) $(UI) temporal ## Take the pictures of docs/pictures again, from a furnished Berth of its own
	$(PY) -m scripts.screenshots $(ARGS)

.PHONY: histories
histories: $(READY) temporal ## Save the workflow histories that the replay tests read again; read the diff
	$(PY) -m scripts.save_histories

.PHONY: temporal
temporal: $(READY) ## Get the Temporal CLI into ~/.cache/berth unless it is there
	@$(PY) -m embedded.temporal_cli >/dev/null

.PHONY: kubernetes
kubernetes: $(READY) ## A Kubernetes control plane for the tests and for trying it: built once, started on free ports
	@exec $(PY) -m scripts.controlplane $(ARGS)

.PHONY: lock
lock: $(READY) ## Choose versions within pyproject.toml's bounds and pin them with their hashes
	.venv/bin/uv pip compile -q --upgrade --generate-hashes --no-header --no-emit-index-url --python-version 3.11 \
		pyproject.toml -o requirements/run.txt
	.venv/bin/uv pip compile -q --upgrade --generate-hashes --no-header --no-emit-index-url --python-version 3.11 \
		--extra dev pyproject.toml -o requirements/dev.txt

.PHONY: clean
clean: ## Remove what make made here; data and ~/.cache/berth stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist ui/dist ui/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv is bootstrapped from its own pin in the lock file, hashes included.
$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: $$($(PYTHON) --version 2>&1 || echo 'no $(PYTHON)'); Berth needs Python 3.11 or newer:" \
			"install it, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "error: Python cannot make environments here; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@test -x .venv/bin/uv || awk '/^uv==/ {on=1} on {print} on && !/\\$$/ {exit}' requirements/dev.txt | \
		$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r /dev/stdin
	.venv/bin/uv pip sync -q --python $(PY) requirements/dev.txt
	.venv/bin/uv pip install -q --python $(PY) --no-deps -e .
	@mkdir -p $(STAMPS) && touch $@

UI_SOURCES := $(if $(wildcard ui/package.json),$(shell find ui -name node_modules -prune -o -name dist -prune -o -type f -print))
ui/dist/index.html: $(UI_SOURCES)
	@command -v npm >/dev/null || { echo "error: no npm here; install Node 20 or newer to build the UI" >&2; exit 1; }
	cd ui && npm ci --no-audit --no-fund --loglevel=error && npm run build
	@touch $@
