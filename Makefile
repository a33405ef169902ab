# Everything here sets itself up: `make run` and `make test` work from a fresh clone.

# nginx and mkfs are not on every user's path.
export PATH := $(PATH):/usr/sbin:/sbin

VENV := .venv
STAMP := $(VENV)/.ready
PY := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help venv run test e2e lint bench fuzz clean

help:  ## Show the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 18

$(STAMP): pyproject.toml scripts/setup scripts/fetch_kubectl.py
	scripts/setup $(VENV)
	@touch $@

venv: $(STAMP)  ## Install Debian packages and the virtual environment

run: $(STAMP)  ## Import a disk and compare it with qemu-img (URL=... for your own)
	$(PY) scripts/demo.py $(if $(URL),--url '$(URL)')

test: $(STAMP)  ## Run the tests
	$(PY) -m pytest -n 2 --dist worksteal tests

e2e: $(STAMP)  ## Run the end-to-end tests (KUBECONFIG=... for a cluster of your own)
	$(if $(KUBECONFIG),CDI_TEST_KUBECONFIG='$(abspath $(KUBECONFIG))') \
	  $(PY) -m pytest $(if $(KUBECONFIG),-n 0,-n 2 --dist worksteal) tests/e2e

lint: $(STAMP)  ## Check style, types and layering
	$(VENV)/bin/ruff check src tests bench scripts fuzz
	$(VENV)/bin/ruff format --check src tests bench scripts fuzz
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: $(STAMP)  ## Measure against plain tools and print ratios
	$(PY) -m bench

$(VENV)/.fuzz: $(STAMP)
	$(PY) -m pip install --quiet --disable-pip-version-check --group fuzz
	@touch $@

fuzz: $(VENV)/.fuzz  ## Fuzz what parses bytes of strangers (FUZZ_SECONDS=60, TARGETS=...)
	FUZZ_SECONDS=$(or $(FUZZ_SECONDS),60) $(PY) -m fuzz $(TARGETS)

clean:  ## Remove what the other targets made
	rm -rf $(VENV) run build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
