# Needs GNU make 3.81 or later (macOS ships 3.81) and Python 3.11 or later; everything else goes into .venv.
# Settings given as `make run KEEP=1` reach the programs as environment variables.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHON_CANDIDATES := $(if $(PYTHON),$(PYTHON),python3.14 python3.13 python3.12 python3.11 python3)
# Many tests wait for processes, deadlines and emulators: one worker more than two cores keeps both busy.
TEST_WORKERS := 3
TESTS :=
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# A local stack is a dozen processes: without caches each of them compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test check generate bench screenshots probe-vertex lock clean
.DEFAULT_GOAL := help

help: ## this list
	@echo 'make ...'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) \
		| awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

run: $(READY) ## the whole system on this machine with real training; KEEP=1 stays up, EMULATORS=google
	@$(BIN)/python -m infra.local.run

test: $(READY) ## all tests that this machine can run, naming the others; TESTS=... for some, EXAMPLES=1000
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist=loadscope --no-loadscope-reorder $(TESTS)

check: $(READY) ## format, lint, types, import arrows, generated files, Terraform's format
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m infra.tools.generate --check
	@if command -v terraform >/dev/null; then echo 'terraform fmt -check'; \
	  for folder in infra examples; do terraform fmt -check -diff -recursive $$folder || exit 1; done; \
	elif [ "$(REQUIRE_ALL)" = 1 ]; then echo 'REQUIRE_ALL=1, and terraform is not installed' >&2; exit 1; \
	else echo 'not checked: the format of infra/*.tf (terraform is not installed)'; fi

generate: $(READY) ## write every generated file: JSON Schemas, field table, state diagram
	@$(BIN)/python -m infra.tools.generate

bench: $(READY) ## speed and cost, as docs/benchmarks.md claims them; QUICK=1, WRITE=1
	@$(BIN)/python -m benchmarks

screenshots: $(READY) ## the docs' pictures, of a busy system on this machine; needs Chromium, takes minutes
	@$(BIN)/python -m infra.tools.screenshots

probe-vertex: ## ask a real project what the documentation leaves open; PROJECT=... RESOURCE=... needed, costs money
	@if [ -z "$(PROJECT)" ]; then \
	  echo 'This runs custom jobs on a persistent resource of yours, and costs money.' >&2; \
	  echo 'Name the project that pays: make probe-vertex PROJECT=my-project RESOURCE=my-resource' >&2; exit 2; fi
	@$(MAKE) --no-print-directory $(READY)
	@$(BIN)/python -m infra.probe_vertex --project '$(PROJECT)' --persistent-resource '$(RESOURCE)' \
	  $(if $(LOCATION),--location '$(LOCATION)') $(PROBE_OPTIONS)

lock: $(READY) ## write requirements*.txt from pyproject.toml, for every platform; UPGRADE=1 for newer versions
	$(LOCK) --extra functions --output-file requirements.txt
	$(LOCK) --all-extras --constraint requirements.txt --output-file requirements-dev.txt

clean: ## remove what make, tests and runs left here
	rm -rf $(VENV) .run build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Candidates are run, not only looked up: a version manager's shim may stand for a version that is not there,
# and Debian's python3 comes without the half of venv that puts pip into it.
define FIND_PYTHON
for candidate in $(PYTHON_CANDIDATES); do \
  "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
  new_enough=$$candidate; \
  "$$candidate" -c 'import venv, ensurepip' >/dev/null 2>&1 && python=$$candidate && break; \
done; \
if [ -z "$$new_enough" ]; then \
  echo 'No Python 3.11 or later here (tried: $(PYTHON_CANDIDATES)).' >&2; \
  echo 'Install one (python.org, apt, brew), or name it: make PYTHON=/path/to/python3.12 ...' >&2; exit 1; \
elif [ -z "$$python" ]; then \
  version=$$("$$new_enough" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
  echo "Python $$version ($$new_enough) is here, but cannot make a virtual environment." >&2; \
  echo "On Debian and Ubuntu: sudo apt install python$$version-venv (or python3-venv)" >&2; exit 1; \
fi
endef

# pip says a line per package and more; a line per ten is enough to see that it lives. Its errors pass.
define SHOW_PROGRESS
awk -v total=$$(grep -c '==' requirements-dev.txt) ' \
  /^(Collecting|Processing) / { if (++n % 10 == 0) { print "  " n " of at most " total " packages"; fflush() } } \
  /^Installing collected / { print "  unpacking, up to a minute"; fflush() } \
  /^pip ended with / { status = $$4 } END { exit status }'
endef

$(READY): requirements-dev.txt
	@if ! $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	  $(FIND_PYTHON); \
	  echo "making $(VENV) with $$("$$python" --version)"; \
	  rm -rf $(VENV); \
	  "$$python" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; \
	fi
	@echo 'installing requirements-dev.txt'
	@{ PYTHONUNBUFFERED=1 $(BIN)/python -m pip install --require-hashes --no-deps -r requirements-dev.txt; \
	  echo "pip ended with $$?"; } | $(SHOW_PROGRESS)
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)
