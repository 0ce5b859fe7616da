# SPDX-License-Identifier: ISC
#
# Power cuts and faults of the disk under the cache (tests/crash/README.md).
#
#   make check-crash     CUTS=2000 power cuts, faults of the cache disk, mutations; needs root, /dev/fuse

forgetfs_src := $(wildcard tests/forgetfs/*.c)
cflags_tests += $(call pcf,fuse3)

$(BIN)/forgetfs: $(forgetfs_src:%.c=$(O)/%.o)
	@mkdir -p $(@D)
	@echo "  LD      $(@F)"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(call pc,fuse3)

all: $(BIN)/forgetfs

powercut_src := $(wildcard tests/crash/*.c)
$(BIN)/powercut: $(powercut_src:%.c=$(O)/%.o)
	@mkdir -p $(@D)
	@echo "  LD      $(@F)"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

all: $(BIN)/powercut
