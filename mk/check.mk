# SPDX-License-Identifier: ISC
#
# Tests.  prove(1) runs C programs and bash scripts alike, and every target ends with its summary.
#
#   make check           deps, build, everything below in one run
#   make check-unit      no root, no /dev/fuse
#   make check-e2e       needs root and /dev/fuse; a test skips what the machine cannot do
#   make check-inject    the tests that need injection points, with programs that have them
#   make check TESTS="tests/e2e/0*.sh"
#
# With SANITIZE= or INJECT= the same tests run against those programs.  JOBS=N at the same time.

JOBS	?= $(shell nproc)
PROVE	?= prove --exec tests/quiet --failures --timer -j$(JOBS)
e2e	:= $(sort $(wildcard tests/e2e/[0-9]*.sh))
tests_env = S3B_BIN=$(abspath $(BIN)) S3TESTD=$(abspath $(BIN)/s3testd) S3B_VARIANT=$(variant) \
	LSAN_OPTIONS=suppressions=$(abspath tests/lsan.supp):print_suppressions=0
# -j of our own unless the user gave one.
submake = $(MAKE) --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))

units: $(unit_bin)

# The end-to-end tests first: none of them is left over at the end, alone.
check: deps
	+$(Q)$(submake) all units
	$(Q)$(tests_env) $(PROVE) $(if $(TESTS),$(TESTS),$(e2e) $(fs_tests) $(interop) $(unit_bin) $(fuzz_tests) $(hostile_tests) tests/model/run.sh)

check-unit:
	+$(Q)$(submake) all units
	$(Q)$(tests_env) $(PROVE) $(if $(TESTS),$(TESTS),$(unit_bin))

check-e2e:
	+$(Q)$(submake) all
	$(Q)$(tests_env) $(PROVE) $(if $(TESTS),$(TESTS),$(e2e))

# What `make check` skips for want of INJECT=1; in a build directory of its own.
inject_tests = $(shell grep -lE '^[^#]*(NEEDS=.*inject|requires.*inject)' $(e2e))

check-inject:
	+$(Q)$(submake) INJECT=1 check TESTS="$(inject_tests)"

.PHONY: units check check-unit check-e2e check-inject
