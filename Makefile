# make demo | test | test-slow | check | fix | bench | install | clean     Needs Python >= 3.11 with venv and pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_ARGS ?=
PEER := .venv-peer
BENCH_ARGS ?=

.PHONY: demo test test-slow check fix bench install clean
.DEFAULT_GOAL := demo

# The environment is made again whenever what it is made from changes.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; say which with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev,geo,remote,gpu,zarr,onnx,openvino,sweep,slurm,interop,labels]"
	@touch $@

install: $(VENV)/.installed

demo: install
	$(BIN)/cloudmask demo --overwrite $(DEMO_ARGS)

# Without those that take long; `make test-slow` runs these, one after the other.
test: install
	$(BIN)/python -m pytest -n auto -m "not slow"

test-slow: install
	$(BIN)/python -m pytest -m slow

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

fix: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The Keras twin's TensorFlow pins older libraries than ours; without it, ours is measured alone.
$(PEER)/.installed: benchmarks/peer.txt
	@{ $(PYTHON) -m venv $(PEER) && \
	  $(PEER)/bin/python -m pip install --quiet --disable-pip-version-check -r $< && touch $@; } || \
	  echo "TensorFlow could not be installed: ours is measured alone."

bench: install $(PEER)/.installed
	$(BIN)/python benchmarks/bench.py $(BENCH_ARGS)

clean:
	rm -rf $(VENV) $(PEER) demo dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
