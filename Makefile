# Everything lives in .venv; each target makes what it needs, and a second run installs nothing.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
NODE_STAMP := web/node_modules/.installed

.PHONY: install lock demo test test-slow torture fuzz lint format types wheel page docs docs-pages docs-pictures clean

install: $(STAMP)

$(STAMP): setup.cfg pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12"; exit 1; }
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --require-hashes --requirement requirements.lock
	$(RUN) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# What an installation takes, exactly: versions and the digests of their files.
lock:
	PYTHON=$(PYTHON) UPGRADE=$(UPGRADE) .ci/lock

demo: $(STAMP)
	$(RUN) cli.py demo

test: $(STAMP)
	$(RUN) -m pytest -n auto -m "not slow"

# Some tests of the page need axe-core, which npm installs; without npm, or without its registry, they are skipped.
test-slow: $(STAMP)
	@! command -v npm >/dev/null || $(MAKE) --no-print-directory $(NODE_STAMP) || echo "npm ci failed: tests that need its packages are skipped"
	$(RUN) -m pytest -n auto -m slow
	CELLFEAT_GPU_TESTS=cpu $(RUN) -m pytest -n auto -m gpu tests/gpu

torture: $(STAMP)
	$(RUN) .ci/torture.py

# On Linux; each reader for SECONDS, and its corpus is kept in .fuzz.
SECONDS ?= 300
fuzz: $(STAMP)
	$(RUN) -m pip install --quiet --require-hashes --requirement .ci/atheris.lock
	$(RUN) .ci/fuzz.py --seconds $(SECONDS)

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

format: $(STAMP)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

types: $(STAMP)
	$(VENV)/bin/mypy

wheel: $(STAMP)
	rm -rf dist
	$(RUN) -m pip wheel --quiet --no-deps --wheel-dir dist .

# The bundle of the page, cellfeat/page/static, from its sources in web/; needs npm.
page: $(NODE_STAMP)
	cd web && npx tsc --noEmit
	cd web && node build.mjs

$(NODE_STAMP): web/package.json web/package-lock.json
	@command -v npm >/dev/null || { echo "npm is needed: install Node.js 20 or newer"; exit 1; }
	cd web && npm ci --no-fund --no-audit --fetch-retries 1
	@touch $@

# The documentation site, build/site; a warning is an error. Links to other projects' sites need CELLFEAT_DOCS_ONLINE=1.
docs: $(STAMP)
	$(RUN) -m pip install --quiet --require-hashes --requirement .ci/docs.lock
	rm -rf build/site docs/site/_generated
	$(RUN) -m sphinx --quiet --fail-on-warning --keep-going -b html -c docs/site . build/site
	@echo "build/site/index.html"

# The pages and pictures that are made from the program itself.
docs-pages: $(STAMP)
	$(RUN) docs/cli_page.py

docs-pictures: $(STAMP)
	$(RUN) cli.py demo
	$(RUN) docs/pictures.py demo
	$(RUN) cli.py audit --features demo/features.h5 --output demo/results/audit
	$(RUN) docs/page_pictures.py demo

clean:
	rm -rf $(VENV) build docs/site/_generated dist *.egg-info .mypy_cache .ruff_cache .pytest_cache demo web/node_modules
