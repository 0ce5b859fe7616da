# SPDX-License-Identifier: ISC
#
# Packages of Debian 12.  Nothing happens when all of them are there, so `check` and `demo` can
# depend on this: no network is touched and no root is needed then.
#
#   make deps            what building, tests and demo need
#   make deps-lint       and what `make lint` needs on top of that

deps_build := gcc libc6-dev make pkg-config libfuse3-dev libcurl4-openssl-dev libgcrypt20-dev \
	libbsd-dev libexpat1-dev libjansson-dev libzstd-dev zlib1g-dev
# The test server, the file systems, the tools that the scripts call.
deps_test := libmicrohttpd-dev libssl-dev fuse3 perl openssl curl jq fio util-linux mount fdisk \
	procps psmisc e2fsprogs xfsprogs btrfs-progs spin
# What is good to have: a test without it skips itself.  Other parts add to it.
deps_more += mandoc rsync python3
deps_lint := clang clang-format cppcheck mandoc

deps:
	$(Q)mk/install-missing $(deps_build) $(deps_test)
	$(Q)mk/install-missing $(deps_more) || echo "  (not all of $(deps_more): some tests are skipped)"
	$(Q)mk/install-missing $(deps_interop) || echo "  (no $(deps_interop): tests/interop is skipped)"

deps-lint: deps
	$(Q)mk/install-missing $(deps_lint)

.PHONY: deps deps-lint
