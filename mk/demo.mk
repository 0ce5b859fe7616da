# SPDX-License-Identifier: ISC

demo: deps
	+$(Q)$(submake) all
	$(Q)S3B_BIN=$(abspath $(BIN)) tests/demo/run

.PHONY: demo
