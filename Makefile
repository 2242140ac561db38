# make demo    judge a recording on this machine (installs only what a device needs)
# make test    all tests            make check   lint, types, import contracts
# make bench   benchmarks           make lock    pin again          make clean

PYTHON ?= python3
DEVICE := .venv
DEV := .venv-dev
PIP := -m pip install --quiet --disable-pip-version-check -c constraints.txt
TF_QUIET := TF_CPP_MIN_LOG_LEVEL=3 TF_ENABLE_ONEDNN_OPTS=0

.PHONY: demo test check bench lock clean

demo: $(DEVICE)/installed
	$(DEVICE)/bin/ecgedge-agent demo

test: $(DEV)/installed
	$(TF_QUIET) $(DEV)/bin/python -m pytest -n 2 --dist loadgroup

check: $(DEV)/installed
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy
	PYTHONPATH=train:convert:device $(DEV)/bin/lint-imports

bench: $(DEV)/installed
	$(DEV)/bin/python -m pytest benchmarks --benchmark-only

lock: $(DEV)/installed
	$(DEV)/bin/python $(PIP) uv
	$(DEV)/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	    --no-emit-index-url --no-header --upgrade --quiet -o constraints.txt

clean:
	rm -rf $(DEVICE) $(DEV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(DEVICE)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEVICE)
	@echo "installing what a device needs into $(DEVICE) ..."
	$(DEVICE)/bin/python $(PIP) -e '.[device]'
	@touch $@

$(DEV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEV)
	@echo "installing the development extras into $(DEV) ..."
	$(DEV)/bin/python $(PIP) -e '.[dev]'
	@touch $@
