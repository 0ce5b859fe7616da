# SPDX-License-Identifier: ISC
#
# Single changes of cache files and of objects (tests/hostile/README.md).
#
#   make check-mutations MUTATIONS=100000 SEED=1	so many of each
#
# make check takes a sample.

MUTATIONS ?= 100000
SEED	?= 1
hostile_tests := $(B)/hostile/cache.t $(B)/hostile/objects.t

$(B)/hostile/cache.t: $(O)/tests/hostile/cache.o $(O)/tests/fuzz/ledger.o $(O)/cachemgr.a $(lib_ipc) $(lib_common)
	@mkdir -p $(@D)
	@echo "  LD      hostile/$(@F)"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(ledger_wrap) -o $@ $^ $(libs_cachemgr) $(libs_common)

$(B)/hostile/objects.t: $(O)/tests/hostile/objects.o $(O)/uploader.a $(lib_ipc) $(lib_common)
	@mkdir -p $(@D)
	@echo "  LD      hostile/$(@F)"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(foreach f,jobs_submit s3_judge s3_finish,-Wl,--wrap=$(f)) -o $@ $^ \
		$(libs_uploader) $(libs_common)

units: $(hostile_tests)

check-mutations: $(hostile_tests)
	$(Q)for t in $(hostile_tests); do $$t -n $(MUTATIONS) -s $(SEED) || exit 1; done

.PHONY: check-mutations
