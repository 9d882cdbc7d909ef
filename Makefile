# SPDX-License-Identifier: Apache-2.0
# Each target does its own set-up; the second run starts at once.
#
#   make demo     the whole story on this computer, into demo/
#   make test     all tests; outcomes also go to .results/ for `radiomicnet-md trace check`
#   make check    style, types, walls between rooms, structure of the trace, dependencies
#   make evidence the gate on the latest results of `make test`, and the signed bundle with its public key: .results/evidence.zip
#                 and .pem
#   make determinism   one hash of every stage over threads, layouts, libraries and fresh processes, as in
#                 docs/reference/determinism.md; DETERMINISM_FLAGS=--write also writes that page
#   make quantities    what the numbers are worth: reference objects, repeatability and robustness, as in
#                 docs/reference/quantitation.md, repeatability.md and robustness.md; QUANTITIES_FLAGS=--write also
#                 writes these pages
#   make faults   kills, failing disks, a killed server and jumping clocks at thousands of points of the audit log, as in
#                 docs/reference/audit-evidence.md; FAULTS_FLAGS=--write also writes that page
#   make bench    speed and size, as in docs/reference/benchmarks.md
#   make bench-radiomics   the dense maps beside other programs, as in docs/reference/benchmarks-radiomics.md;
#                 BENCH_FLAGS=--write also writes that page
#   make bench-log-peers   the log beside pymerkle, a chain of hashes and bare rows, as in docs/reference/benchmarks-log.md; some
#                 minutes; BENCH_FLAGS=--write also writes its part of that page
#   make bench-networks    what each network costs, as in docs/reference/benchmarks-networks.md
#   make bench-engine      what exact integers cost, as in docs/reference/benchmarks-engine.md
#   make bench-gpu         what was recorded on a GPU, as in docs/reference/benchmarks-gpu.md
#   make tamper   attacks, honest histories and other verifiers on the audit log, in full, and
#   make fuzz     damaged inputs to its readers, as in docs/reference/audit-evidence.md; TAMPER_FLAGS=--write and
#                 FUZZ_FLAGS=--write also write their parts of that page
#   make dicom-fuzz   changed DICOM files to the reader of images, as in docs/reference/dicom-robustness.md;
#                 DICOM_FUZZ_FLAGS=--write also writes that page
#   make hosts    docs/how-to/scale-out.md followed with two network namespaces as hosts, and the cable between them pulled; as root.
#                 HOSTS_FLAGS=--write also writes the table
#   make kills    what decides a batch on a cluster killed at random moments, as in docs/reference/scale.md; about half an hour;
#                 KILLS_FLAGS=--write also writes that page
#   make mutation guards, metrics, statistics, gates and verifier changed in one place at a time, as in
#                 docs/reference/mutation.md; about an hour; MUTATION_FLAGS="--group metrics --write" runs one group, and
#                 writes its part of that page
#   make mutate-controls   every risk control broken in five ways, as in docs/reference/risk-controls.md; two minutes;
#                 MUTATE_FLAGS=--write also writes that page
#   make judges   LOBSTER, which judges the trace beside ours, so that its tests run; `make test` skips them without
#   make node     the DICOM node killed at 50 random points (in every test run: 6); some minutes
#   make bench-batch       a batch by one process and more, by Dask, and by its length, as in docs/reference/scale.md;
#   make bench-node        what the network costs a node, beside the engine's own batch; and
#   make bench-decoding    what reading costs beside deciding; both as in docs/reference/benchmarks-dicom.md,
#                 BENCH_FLAGS=--write also writes their part of that page
#   make bundle   wheels with their hashes and an installer for a machine without a network, into dist/offline/; docs/how-to/operate.md.
#                 It needs a network itself, and a CPU build of torch: TORCH_FLAGS as below
#   make docs     the generated pages: SOUP.md, docs/regulatory/, docs/reference/cli.md, .results/matrix.html; then docs/ as a
#                 site, into site/
#   make clean    all that the targets above left behind, except the environment
#
# A computer without a GPU saves 2 GB with the CPU build of torch; TORCH_FLAGS goes to pip when torch is installed:
#   make demo TORCH_FLAGS="--index-url ADDRESS-OF-A-CPU-WHEEL-INDEX"

PYTHON ?= python3
VENV ?= .venv
TORCH_FLAGS ?=
TEST_FLAGS ?= -n 2
BENCH_FLAGS ?=
DETERMINISM_FLAGS ?=
QUANTITIES_FLAGS ?=
TAMPER_FLAGS ?=
FUZZ_FLAGS ?=
DICOM_FUZZ_FLAGS ?=
KILLS_FLAGS ?=
HOSTS_FLAGS ?=
FAULTS_FLAGS ?=
MUTATION_FLAGS ?=
MUTATE_FLAGS ?=

# Real data for the demo and for the tests that ask for it; all others run without.
ifneq ($(wildcard ../shared/data),)
export RADIOMICNET_MD_DATA ?= $(abspath ../shared/data)
endif

WHEEL = $(BIN)/python -m pip --disable-pip-version-check wheel --quiet --wheel-dir dist/wheels --constraint requirements/lock-py311.txt
BUNDLED := 'audit[pkcs11,postgresql,store,timestamp]' '.[dicom,pkcs11,postgresql,report,timestamp,validation,web]'

BIN := $(VENV)/bin
STAMP := $(VENV)/.radiomicnet-md
PEERS := $(VENV)/peers
JUDGES := $(VENV)/judges
MKDOCS := $(VENV)/docs
INSTALLED_FROM := requirements/install.sh $(wildcard requirements/lock-*.txt) pyproject.toml audit/pyproject.toml

.PHONY: setup demo test check evidence determinism tamper faults fuzz mutation bench bench-radiomics bench-networks bench-engine
.PHONY: bench-batch bench-log-peers kills hosts mutate-controls quantities bench-gpu dicom-fuzz judges node bench-node bench-decoding
.PHONY: bundle docs clean

setup: $(STAMP)

$(STAMP): $(INSTALLED_FROM)
	@PYTHON="$(PYTHON)" VENV="$(VENV)" TORCH_FLAGS="$(TORCH_FLAGS)" requirements/install.sh
	@touch $@

demo: setup
	@$(BIN)/radiomicnet-md demo --out demo/

test: setup
	@$(BIN)/python -m pytest --trace-results=.results/latest.jsonl --junitxml=.results/latest.xml \
	$(TEST_FLAGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m radiomicnet_md_traceability trace check --structure
	$(BIN)/pip check

# The key is of this checkout alone; who hands a bundle on signs it with a key of their own (docs/how-to/build-the-evidence.md).
evidence: setup
	@[ -f .results/acceptance.jsonl ] || cp validation/recorded/acceptance.jsonl .results/
	@$(BIN)/radiomicnet-md trace check
	@[ -f .results/evidence.phrase ] || \
	(umask 077; $(BIN)/python -c "import secrets; print(secrets.token_hex(16))" > .results/evidence.phrase)
	@$(BIN)/radiomicnet-md evidence build --out .results/evidence.zip --key .results/evidence.key \
	--passphrase-file .results/evidence.phrase
	@$(PYTHON) traceability/radiomicnet_md_traceability/verify.py .results/evidence.zip .results/evidence.pem

determinism: setup
	@$(BIN)/python -m radiomicnet_md_validation.determinism $(DETERMINISM_FLAGS)

quantities: setup
	@$(BIN)/python -m radiomicnet_md_validation.reference_objects $(QUANTITIES_FLAGS)
	@$(BIN)/python -m radiomicnet_md_validation.repeatability $(QUANTITIES_FLAGS)
	@$(BIN)/python -m radiomicnet_md_validation.robustness $(QUANTITIES_FLAGS)

faults: setup
	@$(BIN)/python -m tests.audit.faults $(FAULTS_FLAGS)

bench: setup
	@$(BIN)/python benchmarks/run.py

bench-radiomics: setup $(PEERS)/.complete
	@$(BIN)/python benchmarks/radiomics.py $(BENCH_FLAGS)

bench-log-peers: setup $(PEERS)/.complete
	@$(BIN)/python -P benchmarks/log_peers.py $(BENCH_FLAGS)

bench-networks: setup $(PEERS)/.complete
	@$(BIN)/python -P benchmarks/networks_cost.py $(BENCH_FLAGS)

bench-engine: setup
	@$(BIN)/python -P benchmarks/second_engine.py $(BENCH_FLAGS)

bench-gpu: setup
	@$(BIN)/python -P benchmarks/gpu.py $(BENCH_FLAGS)

bench-node: setup
	@$(BIN)/python -P benchmarks/dicom_node.py $(BENCH_FLAGS)

bench-batch: setup
	@$(BIN)/python -P benchmarks/batch_scale.py $(BENCH_FLAGS)

bench-decoding: setup
	@$(BIN)/python -P benchmarks/dicom_decoding.py $(BENCH_FLAGS)

node: setup
	@RADIOMICNET_MD_KILLS=50 $(BIN)/python -m pytest -q tests/dicomnode/test_listening.py -k killed

tamper: setup
	@$(BIN)/python -m tests.audit.tampering $(TAMPER_FLAGS)

fuzz: setup
	@$(BIN)/python -m tests.audit.fuzz $(FUZZ_FLAGS)

hosts: setup
	@$(BIN)/python -m tests.batching.hosts $(HOSTS_FLAGS)

kills: setup
	@$(BIN)/python -m tests.batching.killing $(KILLS_FLAGS)

dicom-fuzz: setup
	@$(BIN)/python -m tests.io.mutations $(DICOM_FUZZ_FLAGS)

# Beside the environment, not in it: only the peers' own process searches this folder.
$(PEERS)/.complete: requirements/peers.txt | $(STAMP)
	@rm -rf $(PEERS)
	@if $(BIN)/python -m pip --disable-pip-version-check install -qq --no-deps --target $(PEERS) -r $<; then touch $@; \
	else rm -rf $(PEERS); echo "the peers cannot be installed; their columns will say so" >&2; fi

mutation: setup
	@$(BIN)/python -m tests.mutation $(MUTATION_FLAGS)

mutate-controls: setup
	@$(BIN)/python -m radiomicnet_md_traceability trace mutate $(MUTATE_FLAGS)

judges: setup $(JUDGES)/.complete

# Beside the environment, as the peers are.
$(JUDGES)/.complete: requirements/judges.txt | $(STAMP)
	@rm -rf $(JUDGES)
	@$(BIN)/python -m pip --disable-pip-version-check install -qq --no-deps --target $(JUDGES) -r $<
	@touch $@

# torch first and from its own index, as in requirements/install.sh; a local version (+cpu) then goes before the same one elsewhere.
bundle: setup
	@rm -rf dist/wheels dist/offline
	@$(WHEEL) --no-deps $(TORCH_FLAGS) torch==2.13.0
	@PYTHONPATH="$(CURDIR)/requirements/build" $(WHEEL) --find-links dist/wheels --no-build-isolation $(BUNDLED)
	@$(BIN)/python deploy/offline/bundle.py dist/wheels dist/offline

# Beside the environment, as the peers are.
$(MKDOCS)/.complete: requirements/docs.txt | $(STAMP)
	@rm -rf $(MKDOCS)
	@$(BIN)/python -m pip --disable-pip-version-check install -qq --no-deps --target $(MKDOCS) -r $<
	@touch $@

# The theme's notice that it will not be kept beyond May 2027 is answered in docs/adr/0023.
docs: setup $(MKDOCS)/.complete
	@mkdir -p .results
	$(BIN)/python -m radiomicnet_md_traceability docs
	$(BIN)/python -m deploy.site.commands
	$(BIN)/python -m radiomicnet_md_traceability trace matrix --format html --out .results/matrix.html
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=$(MKDOCS) $(BIN)/python -m mkdocs build

clean:
	rm -rf demo .results .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist site
	find . -name __pycache__ -not -path "./$(VENV)/*" -prune -exec rm -rf {} +
