# SPDX-License-Identifier: ISC
#
# File systems on the disk, and the same on a plain file (tests/fs/README.md).
#
#   make check-fs        ext4, XFS and btrfs at length; root, /dev/fuse, loop devices
#   make check-fs FS="xfs"      one of them
#   make check-fs SEED=N        other operations
#
# make check has a short sample of the same.

FS	?= ext4 xfs btrfs
fs_tool_src := $(wildcard tests/fs/*.c)
fs_tools := $(patsubst tests/fs/%.c,$(BIN)/%,$(fs_tool_src))

$(fs_tools): $(BIN)/%: $(O)/tests/fs/%.o
	@mkdir -p $(@D)
	@echo "  LD      $(@F)"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

# One of them is several files.
$(BIN)/calls: $(call objs,tests/fs/calls)
	@mkdir -p $(@D)
	@echo "  LD      $(@F)"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

all: $(fs_tools) $(BIN)/calls

fs_tests := $(sort $(wildcard tests/fs/[0-9]*.sh))

# One file system after the other: what takes time is the disk under them all.
check-fs: deps
	+$(Q)$(submake) all
	$(Q)for f in $(FS); do echo "$$f, seed $(SEED)"; \
		$(tests_env) FS_LONG=1 FS=$$f SEED=$(SEED) $(PROVE) $(if $(TESTS),$(TESTS),$(fs_tests)) || exit 1; done

.PHONY: check-fs
