# SPDX-License-Identifier: ISC
#
# Hostile input (tests/fuzz/README.md).
#
#   make fuzz FUZZ_SECONDS=600   libFuzzer, clang, ASan and UBSan; each target so long, from its corpus
#   make fuzz FUZZ=journal       one target
#
# make check has the same targets with every input of the corpora and mutations of them, any compiler.

FUZZ_SECONDS ?= 60
fuzz_role_conf := common
fuzz_role_journal := cachemgr
fuzz_role_letter := supervisor
fuzz_role_ring := cachemgr
fuzz_role_cachefile := cachemgr
fuzz_role_answers := frontend
fuzz_role_control := supervisor
fuzz_role_page := ctl
fuzz_names := $(filter-out replay ledger,$(basename $(notdir $(wildcard tests/fuzz/*.c))))
FUZZ	?= $(fuzz_names)
fuzz_tests := $(fuzz_names:%=$(B)/fuzz/%.t)
fuzz_role = $(or $(fuzz_role_$(1)),uploader)

# Those that open cachemgr again and again: tests/fuzz/ledger.h.
ledger_wrap := $(foreach f,malloc calloc realloc reallocarray posix_memalign free pthread_create exit role_fail,-Wl,--wrap=$(f))
fuzz_with_ring := $(O)/tests/fuzz/ledger.o
fuzz_with_cachefile := $(O)/tests/fuzz/ledger.o
fuzz_flags_ring := $(ledger_wrap)
fuzz_flags_control := -Wl,--wrap=phase_stop -Wl,--wrap=phase_restart -Wl,--wrap=notify_keep
fuzz_flags_orders := -Wl,--wrap=jobs_submit -Wl,--wrap=loop_timer_set
fuzz_flags_cachefile := $(ledger_wrap)

define fuzz_rules
fuzz_needs_$(1) := $(O)/tests/fuzz/$(1).o $(fuzz_with_$(1)) $(if $(filter-out common,$(call fuzz_role,$(1))),$(O)/$(call fuzz_role,$(1)).a) \
	$(lib_ipc) $(lib_common)
$(B)/fuzz/$(1).t: $(O)/tests/fuzz/replay.o $$(fuzz_needs_$(1))
	@mkdir -p $$(@D)
	@echo "  LD      $$(@F)"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(fuzz_flags_$(1)) -o $$@ $$^ $(libs_$(call fuzz_role,$(1))) $(libs_common)
$(B)/fuzz/$(1): $$(fuzz_needs_$(1))
	@mkdir -p $$(@D)
	@echo "  LD      $$(@F)"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer $(fuzz_flags_$(1)) -o $$@ $$^ $(libs_$(call fuzz_role,$(1))) $(libs_common)
endef
$(foreach f,$(fuzz_names),$(eval $(call fuzz_rules,$(f))))

units: $(fuzz_tests)

# A build of its own: every object knows where it was, so that libFuzzer sees what an input reaches.
fuzz: deps-lint
	+$(Q)$(submake) B=$(B)/fuzz-build CC=clang SANITIZE=address,undefined OPT="-O1 -g -fsanitize=fuzzer-no-link" fuzz-run

fuzz-run: $(FUZZ:%=$(B)/fuzz/%)
	$(Q)for f in $(FUZZ); do mkdir -p $(B)/found/$$f; echo "  FUZZ    $$f, $(FUZZ_SECONDS) s"; \
		$(B)/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=25 -rss_limit_mb=4096 \
		    -artifact_prefix=$(B)/found/$$f- -print_final_stats=1 $(B)/found/$$f tests/fuzz/corpus/$$f \
		    >$(B)/found/$$f.log 2>&1 || { tail -n 40 $(B)/found/$$f.log >&2; exit 1; }; \
		grep -E 'number_of_executed|new_units|cov: ' $(B)/found/$$f.log | tail -n 3; done

.PHONY: fuzz fuzz-run
