# make run   set up .venv and run the main job on the shipped sample
# make test  install the test packages and run the tests, on up to 8 cores; those whose tools are missing are skipped
# make lint  ruff and mypy
# make bench how soon porter answers; what checks cost; porter beside other ways to do the same, to docs/benchmarks.md; BENCH=--quick
# make fuzz  damaged inputs for every reader, for SECONDS seconds

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# setuptools warns of every editable installation, and pip of what its own configuration lacks; errors are printed.
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt
# One setuptools for all projects, not an environment for each; what is imported is compiled then.
INSTALL := $(PIP) --no-build-isolation --no-compile
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
PROJECTS := pyproject.toml $(addsuffix /pyproject.toml,$(PLUGINS))
OUT ?= porter-out/hrnet
SECONDS ?= 60
# Every process of a recipe, of the suite hundreds, would compile again what it imports.
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: run test fuzz bench lint docs clean

run: .venv/installed
	$(BIN)/porter run hrnet --out $(OUT)

test: .venv/tested
	$(BIN)/python -m pytest -n auto --maxprocesses 8

fuzz: .venv/tested
	$(BIN)/python tests/fuzzing/run.py --seconds $(SECONDS)

bench: .venv/tested
	$(BIN)/python bench/startup.py
	$(BIN)/python bench/checks.py $(filter --quick,$(BENCH))
	$(BIN)/python bench/versus.py $(BENCH)

lint: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy bench core/porter $(wildcard plugins/*/src)

docs: .venv/installed
	$(BIN)/python docs/generate.py

.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(PIP) --upgrade setuptools

.venv/installed: .venv/bin/python constraints.txt $(PROJECTS)
	$(INSTALL) --editable .[fast,torch] $(patsubst %,--editable %,$(PLUGINS))
	touch $@

.venv/tested: .venv/installed
	$(INSTALL) --editable .[fast,torch,test] $(patsubst %,--editable %[test],$(PLUGINS))
	touch $@

clean:
	rm -rf .venv porter-out
