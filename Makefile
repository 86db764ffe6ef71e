# Forwards to the scripts and presets, so that nothing has to be remembered.

.PHONY: all install-deps demo test abuse-server bench bench-memory bench-peers bench-python bench-quality bench-scale \
  bench-server fleets parity parity-folders stress-node trust lint clean

all:
	@scripts/build.sh release

install-deps:
	@scripts/setup.sh
	@scripts/setup_node.sh

demo:
	@scripts/demo.sh

test:
	@scripts/test.sh

# Ten minutes; make test has half of one.
abuse-server: all
	@THIMBLE_ABUSE_SECONDS=600 PYTHONPATH=tests/support THIMBLE_CLI=$(CURDIR)/build/thimble THIMBLE_MAKE_TEST_MODEL=$(CURDIR)/build/make_test_model \
	  PYTHONDONTWRITEBYTECODE=1 python3 tests/server/server_abuse_test.py

bench:
	@bench/run.sh

bench-memory:
	@bench/memory/run.sh

bench-peers:
	@bench/peers/run.sh "$(DATA)" $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(QUICK),--quick) \
	  $(if $(ISA),--isa $(ISA)) $(foreach text,$(ONLY),--only $(text))

bench-python:
	@bench/python/run.sh "$(DATA)" $(if $(TEXTS),--texts $(TEXTS)) $(if $(THREADS),--threads $(THREADS))

bench-quality:
	@bench/quality/run.sh "$(DATA)" $(foreach text,$(ONLY),--only $(text)) $(if $(RETRIEVAL),--retrieval $(RETRIEVAL))

bench-scale:
	@bench/scale/run.sh "$(DATA)" $(OPTIONS)

bench-server:
	@bench/server/run.sh $(if $(SECONDS),--seconds $(SECONDS)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	  $(foreach text,$(ONLY),--only $(text))

parity:
	@tests/parity/run.sh "$(VECTORS)"

parity-folders:
	@tests/folders/run.sh

# Ray, Spark and Dask with workers that are killed.
fleets: all
	@tests/fleets/run.sh build

# Half an hour; make test has one round of it.
stress-node:
	@tests/bundlers/stress.sh $(RUNS)

# Seven hours; make test has minutes of it. PART, MINUTES and others as in the script.
trust:
	@tests/trust/run.sh

lint:
	@scripts/lint.sh

clean:
	rm -rf build build-*
