# SPDX-License-Identifier: ISC
#
# Manual pages.  The key lists of s3backer.conf(5) come from common/conf_keys.def, the list of
# s3backer-metrics(7) from common/counters.def and supervisor/metrics.c.
#
#   make man-tables      rewrites them
#   make screens         rewrites man/screens.md, what the programs look like
#   make lint-man        are they up to date, does mandoc like the pages

man_pages := $(wildcard man/*.[1-9])

man-tables:
	$(Q)man/gen-conf-table
	$(Q)man/gen-metrics-table

# The page with what status, top, flush and scrub look like is made by the test that looks at them.
screens: all
	$(Q)S3B_BIN=$(abspath $(BIN)) S3TESTD=$(abspath $(BIN))/s3testd SCREENS=$(CURDIR)/man/screens.md \
		tests/e2e/630-screens.sh

# Cross references between our own pages are not installed here, so only warnings count.
lint-man:
	$(Q)man/gen-conf-table --check
	$(Q)man/gen-metrics-table --check
	$(Q)if command -v mandoc >/dev/null; then mandoc -Tlint -Wwarning $(man_pages); \
		else echo "  (no mandoc: pages not checked)"; fi

.PHONY: man-tables screens lint-man
