# Two commands do everything: `make reproduce` and `make test`. Each makes .venv first if it has to.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
# Asked on Linux for a PyTorch without CUDA. For one with CUDA: make setup TORCH_INDEX=
TORCH_INDEX := https://download.pytorch.org/whl/cpu

.PHONY: python setup reproduce test mutations book lab bench tensorflow newest lock clean

setup: .venv/ready

python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11, 5) <= v < (3, 12) else "Python 3.11 (3.11.5 or later) is needed, this is %d.%d.%d. Install it, or name it: make PYTHON=/path/to/python3.11" % v[:3])'

.venv/ready: requirements.lock pyproject.toml | python
	@echo "== Setting up .venv with $(PYTHON) from requirements.lock"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock $$($(BIN)/python tools/cpu_wheels.py "$(TORCH_INDEX)")
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# axe-core, out of the wheel of a Python package: 160 KB and a hash, where Debian's npm is hundreds of packages.
AXE := .venv/axe/axe_playwright_python/axe.min.js
$(AXE): tools/axe.lock .venv/ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
	  --require-hashes --target .venv/axe -r tools/axe.lock && touch $@ \
	  || echo "== Could not fetch axe-core; its test will say that it was skipped"

reproduce: setup
	@echo "== Reproducing the book: every notebook, every claim, then the pages"
	$(BIN)/recsys reproduce

test: setup $(AXE)
	@echo "== Notebooks and claims (a recorded pass of this tree is used instead of running twice)"
	$(BIN)/recsys reproduce --reuse
	@echo "== Tests"
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

mutations: setup
	@echo "== Faults put into a copy of the package, one at a time: each must turn the tests red"
	$(BIN)/python tests/mutations/run.py

book: setup
	$(BIN)/python -m recsys.book.build

lab: setup
	$(BIN)/recsys lab
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/lab

bench: setup
	$(BIN)/python bench/run.py
	$(BIN)/python bench/paddle_steps.py
	$(BIN)/python bench/paddle_pieces.py

tensorflow: setup
	@echo "== The Keras layer on TensorFlow, in an environment of its own (about 2.3 GB)"
	$(BIN)/python bench/tensorflow_attention.py

newest: python
	@echo "== The newest releases in an environment of their own: which claims move"
	$(PYTHON) tools/newest.py "$(TORCH_INDEX)"

lock: python
	@echo "== The same, and their versions become requirements.lock"
	$(PYTHON) tools/newest.py "$(TORCH_INDEX)" --write

clean:
	rm -rf _build .reproduce .venv .newest
