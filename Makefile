# make demo    judge a recording on this machine (installs only what a device needs)
# make test    all tests            make check   lint, types, import contracts
# make bench   benchmarks           make lock    pin again          make clean
# make programs  what tests start of Debian: mosquitto, Chromium (as root; without them those tests are skipped)

PYTHON ?= python3
DEVICE := .venv
DEV := .venv-dev
OLD := .venv-tflite
PIP := -m pip install --quiet --disable-pip-version-check
PINNED := $(PIP) -c constraints.txt
QUIET := TF_CPP_MIN_LOG_LEVEL=3
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
RESULTS := benchmarks/results

PROGRAMS := mosquitto chromium openssl shellcheck systemd

.PHONY: demo test check bench lock clean programs

demo: $(DEVICE)/installed
	$(DEVICE)/bin/ecgedge-agent demo

test: $(DEV)/installed $(OLD)/installed
	$(QUIET) $(DEV)/bin/python -m pytest -n 2

check: $(DEV)/installed
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy
	PYTHONPATH=train:convert:device $(DEV)/bin/lint-imports

programs:
	@missing=$$(for one in $(PROGRAMS); do dpkg -s $$one >/dev/null 2>&1 || echo $$one; done); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	echo "installing" $$missing "..."; \
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; } \
	    >/dev/null || echo "could not install" $$missing "; tests that need them are skipped"

# Results stay in benchmarks/results, which git ignores; the run before is kept, and both are compared at the end.
bench: $(DEV)/installed $(OLD)/installed
	@mkdir -p $(RESULTS)
	@if [ -f $(RESULTS)/latest.json ]; then mv -f $(RESULTS)/latest.json $(RESULTS)/previous.json; fi
	$(QUIET) $(ONE_THREAD) $(DEV)/bin/python -m pytest benchmarks -o 'pythonpath=. train convert device benchmarks' \
	    --benchmark-only --benchmark-columns=min,median,rounds --benchmark-max-time=0.5 --benchmark-min-time=0.0005 \
	    --benchmark-warmup=on --benchmark-warmup-iterations=2 --benchmark-json=$(RESULTS)/latest.json
	@if [ -f $(RESULTS)/previous.json ]; then \
	    $(DEV)/bin/ecgedge bench compare $(RESULTS)/previous.json $(RESULTS)/latest.json; fi

lock: $(DEV)/installed
	$(DEV)/bin/python $(PIP) uv
	$(DEV)/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	    --no-emit-index-url --no-header --upgrade --quiet -o constraints.txt

clean:
	rm -rf $(DEVICE) $(DEV) $(OLD) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(DEVICE)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEVICE)
	@echo "installing what a device needs into $(DEVICE) ..."
	$(DEVICE)/bin/python $(PINNED) -e '.[device]'
	@touch $@

$(DEV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEV)
	@echo "installing the development extras into $(DEV) (TensorFlow among them, some 600 MB) ..."
	$(DEV)/bin/python $(PINNED) -e '.[dev]'
	@touch $@

# tflite-runtime 2.14, what a 32-bit Pi has: it needs numpy 1 and Python 3.11. Elsewhere its tests say why they skip.
$(OLD)/installed: pyproject.toml
	mkdir -p $(OLD)
	@if $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then \
	    echo "installing tflite-runtime 2.14 into $(OLD) ..."; \
	    $(PYTHON) -m venv $(OLD) && $(OLD)/bin/python $(PIP) tflite-runtime==2.14.0 numpy==1.26.4 scipy==1.17.1 \
	        click==8.5.1 rich==15.0.0 wfdb==4.3.1 edfio==0.4.18; \
	else echo "no tflite-runtime for this Python: its tests are skipped"; fi
	@touch $@
