# SPDX-License-Identifier: ISC
#
# Long time and large size (tests/SOAK.md, tests/scale/README.md); root, /dev/fuse.
#
#   make soak HOURS=1 SOAK_SEED=N    two disks under load, faults, deaths; verified after each round
#   make check-scale                 ten million blocks, a million slots; BLOCKS= SLOTS= for others

HOURS	?= 1
SOAK_SEED ?= $(shell date +%s)

soak: deps
	$(Q)mk/install-missing gnuplot-nox || echo "  (no gnuplot: no plot)"
	+$(Q)$(submake) all
	$(Q)mkdir -p $(B)/soak
	$(Q)$(tests_env) tests/soak/soak -o $(B)/soak $(HOURS) $(SOAK_SEED)

check-scale: deps
	+$(Q)$(submake) all
	$(Q)$(tests_env) FIGURES=$(abspath $(B))/scale.md prove --exec tests/quiet --failures --timer -v \
		tests/e2e/800-large.sh tests/scale/blocks.sh tests/scale/slots.sh

.PHONY: soak check-scale
