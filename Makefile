# The commands that the README names. Everything is installed into .venv; a step is done again only when what it depends
# on has changed.

# A Python of 3.11 or later: the first that fits, or the one that PYTHON names.
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
  $(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))

# Spark needs a Java of 17 or later. Where the machine has none, the one from PyPI comes along.
JAVA := $(if $(JAVA_HOME),$(JAVA_HOME)/bin/java,java)
JAVA_MAJOR := $(or $(shell $(JAVA) -version 2>&1 | sed -n 's/^.* version "\([0-9]*\).*/\1/p'),0)
SPARK := $(shell [ $(JAVA_MAJOR) -ge 17 ] && echo spark || echo spark,jdk)

SECONDS ?= 30
TESTS ?= tests
BIN := .venv/bin
BUILT_FROM := pyproject.toml setup.py src/miner/_native.pyx $(wildcard csrc/*.c csrc/*.h)

.PHONY: help demo test check fuzz exhaustive speed counts wheels pythons compilers counterparts clean

help:
	@echo "make demo          mine the sandbox chain on a Spark cluster on this machine ($(SECONDS) seconds)"
	@echo "make test          lint, types and tests; tests whose counterpart is missing are skipped"
	@echo "make check         lint and types alone"
	@echo "make fuzz          fuzz what reads bytes from the network, and the kernels ($(SECONDS) seconds for each target)"
	@echo "make exhaustive    every kernel against the portable one, long ranges and N up to 2^20, also under sanitizers"
	@echo "make speed         what Python costs beside the C core alone, and what a second thread brings"
	@echo "make counts        instructions a hash of each kernel for aarch64 and x86-64, on emulated CPUs"
	@echo "make wheels        build the Linux wheels into dist/ and try them"
	@echo "make pythons       get more Pythons to try them on: newer, without the GIL, on musl, on aarch64"
	@echo "make compilers     what the wheel hashes beside what pip's build from source does, kernel by kernel"
	@echo "make counterparts  get the counterparts: litecoind (apt), a stratum pool (npm)"
	@echo "make clean         remove .venv and what was built"

demo: .venv/.demo
	$(BIN)/python -m miner spark --sandbox --seconds $(SECONDS)

test: check
	$(BIN)/python -m pytest $(TESTS)

check: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/mypy
	MYPYPATH=src $(BIN)/python -m mypy.stubtest miner._native
	$(BIN)/validate-pyproject pyproject.toml

fuzz: .venv/.fuzz
	cd tests && ../$(BIN)/python -m fuzz --seconds $(SECONDS)

exhaustive: .venv/.test
	MINER_TEST_EXHAUSTIVE=1 $(BIN)/python -m pytest tests/test_csrc.py

speed: .venv/.test
	cd tests && ../$(BIN)/python speed.py

counts: .venv/.test
	cd tests && ../$(BIN)/python counts.py

wheels: .venv/.wheels
	rm -rf dist
	$(BIN)/python wheels/build.py --out dist
	$(BIN)/python wheels/check.py dist

pythons: .venv/.wheels
	$(BIN)/python wheels/pythons.py

compilers: .venv/.wheels
	$(BIN)/python wheels/compare.py

counterparts:
	ci/install-counterparts

clean:
	rm -rf .venv .pythons build dist src/*.egg-info src/miner/_native.c src/miner/_native*.so

$(BIN)/python:
	@[ -n "$(PYTHON)" ] || { echo "no Python 3.11 or later found: install one, or name it with make PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/.demo: $(BIN)/python $(BUILT_FROM)
	$(BIN)/python -m pip install --quiet --editable '.[$(SPARK)]'
	@touch $@

# With the JDK from PyPI whatever Java there is: tests show that Spark starts on either.
.venv/.test: $(BIN)/python $(BUILT_FROM)
	$(BIN)/python -m pip install --quiet --editable '.[dev,spark,jdk]'
	@touch $@ .venv/.demo

.venv/.fuzz: $(BIN)/python $(BUILT_FROM)
	$(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	@touch $@

.venv/.wheels: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[wheels]'
	@touch $@
