# SPDX-License-Identifier: ISC
#
#   make install [PREFIX=/usr] [DESTDIR=]
#
# mount(8) looks for its helpers in /sbin, whatever PREFIX is.  Names do not collide with those of
# Debian's s3backer package: both can be installed.

MOUNTDIR ?= /sbin
DOCDIR	?= $(PREFIX)/share/doc/s3backerd
INSTALL	?= install
mount_helpers := $(patsubst supervisor/%.sh,%,$(wildcard supervisor/*mount.fuse.s3backerd.sh))

define installed_files
$(SBINDIR)/s3backerd
$(BINDIR)/s3backerctl
$(foreach p,frontend cachemgr uploader,$(LIBEXEC)/s3backer-$(p))
$(foreach h,$(mount_helpers),$(MOUNTDIR)/$(h))
$(foreach p,$(notdir $(man_pages)),$(MANDIR)/man$(lastword $(subst ., ,$(p)))/$(p))
$(foreach h,$(mount_helpers),$(MANDIR)/man8/$(h).8)
$(foreach u,$(notdir $(units_made)),$(UNITDIR)/$(u))
$(CATALOGDIR)/s3backerd.catalog
$(BASHCOMPDIR)/s3backerd
$(BASHCOMPDIR)/s3backerctl
$(ZSHCOMPDIR)/_s3backerd
$(SYSUSERSDIR)/s3backerd.conf
$(DOCDIR)/README.md
$(DOCDIR)/examples/s3backer.conf
$(DOCDIR)/examples/s3backer.rules.yml
$(DOCDIR)/examples/s3backer.json
endef

install: programs scripts systemd-units completion
	$(Q)$(INSTALL) -d $(foreach d,$(sort $(dir $(installed_files))),$(DESTDIR)$(d))
	$(Q)$(INSTALL) -m 755 $(BIN)/s3backerd $(DESTDIR)$(SBINDIR)
	$(Q)$(INSTALL) -m 755 $(BIN)/s3backerctl $(DESTDIR)$(BINDIR)
	$(Q)$(INSTALL) -m 755 $(foreach p,frontend cachemgr uploader,$(BIN)/s3backer-$(p)) \
		$(DESTDIR)$(LIBEXEC)
	$(Q)$(INSTALL) -m 755 $(addprefix $(BIN)/,$(mount_helpers)) $(DESTDIR)$(MOUNTDIR)
	$(Q)for p in $(man_pages); do \
		$(INSTALL) -m 644 $$p $(DESTDIR)$(MANDIR)/man$${p##*.}/ || exit; done
	$(Q)for h in $(mount_helpers); do ln -sf s3backerd.8 $(DESTDIR)$(MANDIR)/man8/$$h.8 || exit; done
	$(Q)$(INSTALL) -m 644 $(units_made) $(DESTDIR)$(UNITDIR)
	$(Q)$(INSTALL) -m 644 etc/systemd/s3backerd.catalog $(DESTDIR)$(CATALOGDIR)
	$(Q)$(INSTALL) -m 644 etc/systemd/s3backerd.sysusers $(DESTDIR)$(SYSUSERSDIR)/s3backerd.conf
	$(Q)$(INSTALL) -m 644 $(B)/completion/s3backer.bash $(DESTDIR)$(BASHCOMPDIR)/s3backerd
	$(Q)ln -sf s3backerd $(DESTDIR)$(BASHCOMPDIR)/s3backerctl
	$(Q)$(INSTALL) -m 644 $(B)/completion/s3backer.zsh $(DESTDIR)$(ZSHCOMPDIR)/_s3backerd
	$(Q)$(INSTALL) -m 644 README.md $(DESTDIR)$(DOCDIR)
	$(Q)$(INSTALL) -m 644 etc/s3backer.conf etc/prometheus/s3backer.rules.yml \
		etc/grafana/s3backer.json $(DESTDIR)$(DOCDIR)/examples

# Your own configuration in /etc and the cache files stay.
uninstall:
	$(Q)rm -f $(foreach f,$(installed_files),$(DESTDIR)$(f))
	$(Q)-rmdir $(DESTDIR)$(LIBEXEC) $(DESTDIR)$(DOCDIR)/examples $(DESTDIR)$(DOCDIR) 2>/dev/null

.PHONY: install uninstall
