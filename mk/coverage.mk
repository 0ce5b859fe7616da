# SPDX-License-Identifier: ISC
#
# make coverage          unit and end-to-end tests of programs that count (GCC, build/coverage), then
#                        lines reached per directory, and lines that none reached (tests/coverage)
# make coverage TESTS="..."   these tests only; counts add up until `make coverage-reset`
#
# A process that is killed has counted for nothing: what only runs in such is shown as not reached.
# Roles may run as nobody, who writes counts too.

coverage:
	+$(Q)$(submake) COVERAGE=1 all units
	$(Q)chmod -R a+rwX build/coverage/obj
	-+$(Q)$(submake) COVERAGE=1 $(if $(TESTS),check-e2e TESTS="$(TESTS)",check-counted)
	$(Q)tests/coverage build/coverage

check-counted:
	$(Q)$(tests_env) $(PROVE) $(e2e) $(unit_bin)

coverage-reset:
	$(Q)find build/coverage -name '*.gcda' -delete 2>/dev/null || true

.PHONY: coverage coverage-reset check-counted
