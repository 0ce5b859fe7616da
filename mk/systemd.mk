# SPDX-License-Identifier: ISC
#
# Units from one text, etc/systemd/s3backerd.service.in: for /etc/s3backer.conf, and for each
# /etc/s3backer/NAME.conf.  They name the programs' place, so they belong to one PREFIX.

UNITDIR	?= $(if $(filter /usr,$(PREFIX)),/lib,$(PREFIX)/lib)/systemd/system
CATALOGDIR ?= $(PREFIX)/lib/systemd/catalog
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
unit_text := etc/systemd/s3backerd.service.in
units_made := $(B)/systemd/s3backerd.service $(B)/systemd/s3backerd@.service

deps_more += systemd

$(B)/systemd/s3backerd.service: config := /etc/s3backer.conf
$(B)/systemd/s3backerd.service: example := s3backerd
$(B)/systemd/s3backerd.service: describe := s3backer disk
$(B)/systemd/s3backerd@.service: config := /etc/s3backer/%i.conf
$(B)/systemd/s3backerd@.service: example := s3backerd@NAME
$(B)/systemd/s3backerd@.service: describe := s3backer disk %i

$(units_made): $(unit_text) $(B)/systemd/flags
	$(Q)sed -e 's|@UNIT@|$(@F)|g; s|@CONFIG@|$(config)|g; s|@EXAMPLE@|$(example)|g' \
		-e 's|@DESCRIPTION@|$(describe)|g; s|@SBINDIR@|$(SBINDIR)|g' $< > $@

$(B)/systemd/flags: FORCE
	@mkdir -p $(@D); echo '$(SBINDIR)' | cmp -s - $@ || echo '$(SBINDIR)' > $@

systemd-units: $(units_made)
all: systemd-units

.PHONY: systemd-units
