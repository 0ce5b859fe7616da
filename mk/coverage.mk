# SPDX-License-Identifier: ISC
#
# make coverage          unit and end-to-end tests of programs that count (GCC, build/coverage), those that
#                        need injection points (build/coverage-inject), then lines reached per
#                        directory, and lines that none reached (tests/coverage)
# make coverage TESTS="..."   these tests only; counts add up until `make coverage-reset`
#
# A process that is killed has counted for nothing: what only runs in such is shown as not reached.

coverage:
	+$(Q)$(submake) COVERAGE=1 all units
	+$(Q)$(submake) COVERAGE=1 INJECT=1 all
	+$(Q)$(submake) coverage-writable
	-+$(Q)$(submake) COVERAGE=1 $(if $(TESTS),check-e2e TESTS="$(TESTS)",check-counted)
	-+$(Q)$(if $(TESTS),:,$(submake) COVERAGE=1 INJECT=1 check-e2e TESTS="$(inject_tests)")
	$(Q)tests/coverage build/coverage build/coverage-inject

check-counted:
	$(Q)$(tests_env) $(PROVE) $(e2e) $(unit_bin) $(fuzz_tests) $(hostile_tests)

# Roles may run as nobody, who writes counts too, and complains where that is not allowed.
coverage-writable:
	$(Q)find build/coverage build/coverage-inject -name '*.gcno' | sed 's/gcno$$/gcda/' | xargs touch
	$(Q)chmod -R a+rwX build/coverage/obj build/coverage-inject/obj

coverage-reset:
	$(Q)find build/coverage build/coverage-inject -name '*.gcda' -delete 2>/dev/null || true

.PHONY: coverage coverage-reset coverage-writable check-counted
