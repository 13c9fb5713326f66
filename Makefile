# Two commands set everything up on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test soak check bench clean

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo,lock,clouds,notify,report]' --group dev
	touch $(STAMP)

demo: $(STAMP) ## run the main job for real, on a host of our own on this machine
	$(BIN)/provision demo

test: $(STAMP) ## everything, at reduced sizes
	sh .ci/packages
	$(MAKE) check
	$(BIN)/python -m pytest -n 4 --dist worksteal

soak: $(STAMP) ## everything, at full sizes
	sh .ci/packages
	PROVISION_SOAK=1 $(BIN)/python -m pytest -n auto --dist worksteal --timeout 1800

check: $(STAMP) ## linters, types, contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	if command -v shellcheck >/dev/null; then shellcheck -s sh src/provision/remote/scripts/*.sh .ci/packages && shellcheck .ci/run; else echo 'no shellcheck here'; fi

bench: $(STAMP) ## the same work by us and by the peers, in one run
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
