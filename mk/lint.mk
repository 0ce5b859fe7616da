# SPDX-License-Identifier: ISC
#
# make lint: what a reviewer would have to look for otherwise.  Each part can be called alone.
#
#   lint-includes  who may include what (picture below)
#   lint-ldd       which program can reach what: network, keys, /dev/fuse
#   lint-words     debts without an owner
#   lint-length    a file over 500 lines needs its reason in mk/long-files
#   lint-format    clang-format has nothing to say about *.c
#   lint-cppcheck  neither has cppcheck
#   lint-man       key tables up to date, mandoc content (mk/man.mk)
#   lint-shell     bash can read the scripts
#   lint-gcc lint-clang   both compilers, warnings are errors
#
#	supervisor/  ctl/  frontend/  cachemgr/  uploader/	never include each other
#	     \         \       |          /         /
#	      +---------+---- ipc/ ------+---------+		includes common/ only
#	                       |
#	                    common/				includes none of them

c_files = $(shell git ls-files -co --exclude-standard '*.[ch]' 2>/dev/null || find . -name '*.[ch]')
scripts_files = $(filter-out %.md,$(wildcard tests/servers/*)) \
	$(wildcard tests/e2e/*.sh tests/interop/*.sh tests/fs/*.sh supervisor/*.sh) tests/crash/mutations tests/demo/run tests/deb/run tests/deb/inside tests/deb/boot mk/install-missing .ci/run
CLANG_FORMAT ?= clang-format

define newline


endef
spaced = $(subst $(eval ) ,|,$(strip $(1)))
# $(1) may not include what lies in $(2).  Tests of a directory and the server stand outside.
no_include = ! grep -nE '^[[:space:]]*\#[[:space:]]*include[[:space:]]*"($(call spaced,$(2)))/' $(1)/*.[ch]

lint: lint-includes lint-words lint-length lint-format lint-shell lint-man lint-cppcheck \
	lint-gcc lint-clang lint-ldd
	@echo "lint: nothing found"

lint-includes:
	$(foreach r,$(roles),$(Q)$(call no_include,$(r),$(filter-out $(r),$(roles)) tests bench)$(newline)	)
	$(Q)$(call no_include,ipc,$(roles) tests bench)
	$(Q)$(call no_include,common,$(roles) ipc tests bench)
	$(Q)$(call no_include,tests/server,$(roles) ipc common bench)
	$(Q)! grep -nE '^#include "[^/"]+"' $(c_files)

# $(1) program, $(2) libraries that it must not have, $(3) one that it must
only = libs=$$(ldd $(BIN)/$(1)) && ! echo "$$libs" | grep -E 'lib($(call spaced,$(2)))\.so' && \
	echo "$$libs" | grep -qE 'lib$(3)\.so' || { echo "$(1): wrong libraries" >&2; exit 1; }
tls := ssl crypto gnutls nghttp2
lint-ldd: programs
	$(Q)$(call only,s3backer-frontend,curl curl-gnutls gcrypt $(tls),fuse3)
	$(Q)$(call only,s3backer-cachemgr,curl curl-gnutls fuse3 $(tls),gcrypt)
	$(Q)$(call only,s3backer-uploader,fuse3,curl)
	$(Q)$(call only,s3backerd,curl curl-gnutls gcrypt $(tls),bsd)
	$(Q)$(call only,s3backerctl,curl curl-gnutls gcrypt fuse3 $(tls),jansson)

# Written so that it does not find itself.
lint-words:
	$(Q)! git grep -nIwE 'T[O]DO|F[I]XME|X[X]X' -- . ':!LICENSE'

lint-length:
	$(Q)wc -l $(c_files) | awk -v ok=mk/long-files 'BEGIN { while ((getline line < ok) > 0) \
		if (line !~ /^#/) { split(line, f); reason[f[1]] = 1 } } \
		$$2 != "total" && $$1 > 500 && !($$2 in reason) { print $$2 ": " $$1 " lines"; bad = 1 } \
		END { exit bad }'

# Headers are formatted by hand: clang-format cannot keep their columns of names and comments.
lint-format:
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(filter %.c,$(c_files))

format:
	$(Q)$(CLANG_FORMAT) -i $(filter %.c,$(c_files))

lint-shell:
	$(Q)for s in $(wildcard $(scripts_files)); do bash -n $$s || exit; done; \
		for s in $(e2e) $(interop) $(fs_tests); do [ -x $$s ] || { echo "$$s: not executable" >&2; exit 1; }; done

# It has to see the queue macros, does not know __attribute__((cleanup)), and takes a callback's
# argument names for an order.
cppcheck_flags := --quiet --error-exitcode=1 --inline-suppr --std=c11 -j$(JOBS) -I. -D_GNU_SOURCE \
	--include=/usr/include/bsd/sys/queue.h --enable=warning,portability \
	--suppress=missingIncludeSystem --suppress=unknownMacro \
	--suppress=memleak --suppress=resourceLeak --suppress=funcArgOrderDifferent
lint-cppcheck:
	$(Q)if command -v cppcheck >/dev/null; then \
		cppcheck $(cppcheck_flags) common ipc $(roles) tests/server tests/tools tests/fs; \
	else echo "  (no cppcheck)"; fi

lint-gcc:
	+$(Q)$(submake) CC=gcc WERROR=1 B=build/lint-gcc all units
lint-clang:
	+$(Q)$(submake) CC=clang WERROR=1 B=build/lint-clang all units

.PHONY: lint lint-includes lint-ldd lint-words lint-length lint-format lint-shell lint-cppcheck \
	lint-gcc lint-clang format
