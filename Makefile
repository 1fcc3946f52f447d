# Every target sets up what it needs: Python 3.11, pip and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
FUZZ_SECONDS ?= 600
MODEL ?= nano
VIDEOS ?=
STUDIES ?= reducers pairs

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-browser lint types audit check reliability fuzz soak \
  format docs bench gpu-check nano study clean

help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(READY) ## create the virtual environment in .venv

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "CenterCLIP needs Python 3.11 or newer; say make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY) ## index a small library of videos and search it (VIDEOS=/path MODEL=name for your own)
	$(BIN)/centerclip demo --model '$(MODEL)' $(if $(VIDEOS),--videos '$(VIDEOS)')

test: $(READY) ## run all tests
	for parts in tests/unit 'tests/parity tests/property tests/reliability' tests/e2e; do \
	  $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $$parts \
	    || exit; done

test-browser: $(READY) ## test the web page in Chromium; fails if it is missing
	REQUIRE_BROWSER=1 $(BIN)/python -m pytest -m browser

lint: $(READY) ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## check types
	$(BIN)/mypy

check: lint types audit test ## run everything that CI runs

audit: $(READY) ## look for insecure code, and for packages with known vulnerabilities if their database can be reached
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive src
	@found=$$($(BIN)/pip-audit --progress-spinner off --skip-editable --timeout 10) || { echo "$$found"; exit 1; }

reliability: $(READY) ## try everything that can go wrong, and count it (hours): see docs/reliability.md
	THOROUGH=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile tests/reliability tests/unit/index \
	  tests/unit/indexing tests/unit/video tests/e2e/test_training_runs.py tests/e2e/test_index_on_ray.py

fuzz: $(READY) ## give every parser and the API damaged input; what fails is kept in .hypothesis and .fuzzing (hours)
	THOROUGH=1 $(BIN)/python -m pytest -n $(WORKERS) tests/property/test_parsers.py \
	  tests/property/test_condition_properties.py tests/e2e/test_api_fuzzed.py
	$(BIN)/python tests/fuzz.py --seconds $(FUZZ_SECONDS) --jobs $(WORKERS)

soak: $(READY) ## an hour of mixed load on a server whose index grows to 20,000 videos
	$(BIN)/python tests/reliability/soak.py

format: $(READY) ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## generate docs/cli.md and docs/recipes.md
	$(BIN)/python -m centerclip.cli.reference docs/cli.md
	$(BIN)/python -m centerclip.training.reference docs/recipes.md

bench: $(READY) ## run all benchmarks and write bench/ (about 50 minutes on two idle cores)
	$(BIN)/centerclip bench --output bench --readme bench/README.md

gpu-check: $(READY) ## run tests and bench on this machine's GPU and write gpu-check.json (at most 8 minutes; error 3: no GPU)
	$(BIN)/python tests/gpu_check.py --output gpu-check.json

nano: $(READY) ## train the bundled model again, into runs/ (about two hours on two cores)
	$(BIN)/centerclip toy-world runs/toy-world
	$(BIN)/centerclip train --config configs/nano-frames.toml
	$(BIN)/centerclip train --config configs/nano.toml
	$(BIN)/centerclip evaluate --dataset toy-world --videos runs/toy-world --model runs/nano/best \
	  --schedule none --schedule B6-4,49

study: $(READY) ## run the studies STUDIES="reducers pairs directions schedules" (default: the first two) into docs/study.md (hours)
	for plan in $(STUDIES); do \
	  $(BIN)/centerclip study configs/studies/$$plan.toml --jobs $(WORKERS) --document docs/study.md || exit; done

clean: ## remove the virtual environment and generated files
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzzing build dist demo
