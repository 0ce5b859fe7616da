# SPDX-License-Identifier: ISC
#
# Power cuts and faults of the disk under the cache (tests/crash/README.md).
#
#   make check-crash     CUTS=2000 power cuts, FAULT_CUTS=60 per fault, mutations; root, /dev/fuse
#   make check-crash SEED=N     other seeds; a failure prints the command that repeats it

CUTS	?= 2000
FAULT_CUTS ?= 60
SEED	?= 1
crash_faults := enospc readonly eio-write eio-fsync eio-some eio-once eio-read eio-all

cflags_tests += $(call pcf,fuse3)
forgetfs_src := $(wildcard tests/forgetfs/*.c)
powercut_src := $(wildcard tests/crash/*.c)

$(BIN)/forgetfs: $(forgetfs_src:%.c=$(O)/%.o)
	@mkdir -p $(@D)
	@echo "  LD      $(@F)"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(call pc,fuse3)

$(BIN)/powercut: $(powercut_src:%.c=$(O)/%.o)
	@mkdir -p $(@D)
	@echo "  LD      $(@F)"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

all: $(BIN)/forgetfs $(BIN)/powercut

# The mutations need injection points, so a build of their own.
check-crash: deps
	+$(Q)$(submake) all
	+$(Q)$(submake) INJECT=1 B=$(B)/inject all units
	$(BIN)/powercut -n $(CUTS) -s $(SEED)
	$(Q)for f in $(crash_faults); do echo "$(BIN)/powercut -f $$f"; \
		$(BIN)/powercut -n $(FAULT_CUTS) -s $(SEED) -f $$f || exit 1; done
	$(Q)S3B_BIN=$(abspath $(B)/inject/bin) SEED=$(SEED) tests/crash/mutations

.PHONY: check-crash
