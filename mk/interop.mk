# SPDX-License-Identifier: ISC
#
# Disks shared with the old program, Debian's package s3backer (tests/interop/README.md).
#
#   make check-interop   needs root, /dev/fuse, loop devices; part of `make check`
#   make check-interop COMBINATIONS="plain hash"
#
# Without the package, and where it cannot be installed, the tests skip themselves.

deps_interop := s3backer
interop	:= $(sort $(wildcard tests/interop/[0-9]*.sh))

check-interop:
	+$(Q)$(submake) all
	$(Q)$(tests_env) COMBINATIONS="$(COMBINATIONS)" $(PROVE) $(if $(TESTS),$(TESTS),$(interop))

.PHONY: check-interop
