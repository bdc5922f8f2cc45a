# make run   set up .venv and run the main job on the shipped sample
# make test  install what the tests need and run them all
# make lint  ruff and mypy
# make bench porter beside other ways to do the same, to docs/benchmarks.md; BENCH=--quick for a short one
# make fuzz  damaged inputs for every reader, for SECONDS seconds

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# setuptools warns of every editable installation
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
PROJECTS := pyproject.toml $(addsuffix /pyproject.toml,$(PLUGINS))
OUT ?= porter-out/hrnet
SECONDS ?= 60

.DELETE_ON_ERROR:
.PHONY: run test fuzz bench lint docs clean

run: .venv/installed
	$(BIN)/porter run hrnet --out $(OUT)

test: .venv/tested
	$(BIN)/python -m pytest

fuzz: .venv/tested
	$(BIN)/python tests/fuzzing/run.py --seconds $(SECONDS)

bench: .venv/tested
	$(BIN)/python bench/versus.py $(BENCH)

lint: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy core/porter $(wildcard plugins/*/src)

docs: .venv/installed
	$(BIN)/python docs/generate.py

.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(PIP) --upgrade pip

.venv/installed: .venv/bin/python constraints.txt $(PROJECTS)
	$(PIP) --editable .[fast,torch] $(patsubst %,--editable %,$(PLUGINS))
	touch $@

.venv/tested: .venv/installed
	$(PIP) --editable .[fast,torch,test] $(patsubst %,--editable %[test],$(PLUGINS))
	touch $@

clean:
	rm -rf .venv porter-out
