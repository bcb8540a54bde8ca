# make demo: sets everything up and repaints a sample photograph.
# make test: sets everything up and runs every check and test.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check clean

demo: $(VENV)/.installed
	@mkdir -p out
	$(BIN)/impasto stylize examples/photographs/china.jpg examples/styles/flow.jpg \
	  --size 352 --output out/demo.png --overwrite

test: $(VENV)/.installed-dev check
	sh scripts/install_chromium.sh
	@failed=0; \
	$(BIN)/python -m pytest -m 'not alone' -n auto --maxprocesses=8 --dist=worksteal || failed=1; \
	$(BIN)/python -m pytest -m alone || failed=1; \
	exit $$failed

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "impasto needs Python 3.11 or newer: make PYTHON=python3.11 demo" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) out build dist
