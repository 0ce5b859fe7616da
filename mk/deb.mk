# SPDX-License-Identifier: ISC
#
# Debian packages (packaging/debian), built from a copy of the tree in build/deb.
#
#   make deb             build/deb/*.deb, then lintian
#   make deb DEB_VERSION=0.1.1~try1      under another version, to try an update
#   make check-deb       in a fresh Debian: install, use, update, remove, purge, boot (tests/deb/README.md)
#
# The unit tests are not run once more.

DEB_VERSION ?= $(VERSION)
DEB	:= $(abspath $(B))/deb
deps_deb := build-essential debhelper dh-apparmor dpkg-dev lintian
deps_check_deb := debootstrap systemd-container

# What git knows; without git, everything but outputs.
tree_files = { git ls-files -co --exclude-standard 2>/dev/null | grep . || \
	find . -type f ! -path './build/*' ! -path './.git/*'; }

deb:
	$(Q)mk/install-missing $(deps_build) $(deps_deb)
	$(Q)rm -rf $(DEB)/tree && mkdir -p $(DEB)/tree
	$(Q)$(tree_files) | tar -c -T - | tar -x -C $(DEB)/tree
	$(Q)cp -R packaging/debian $(DEB)/tree/debian
	$(Q)if [ "$(DEB_VERSION)" != "$(VERSION)" ]; then cd $(DEB)/tree && \
		sed -i 's/^VERSION	:= .*/VERSION	:= $(DEB_VERSION)/' GNUmakefile && \
		{ sed "s/($(VERSION))/($(DEB_VERSION))/; s/^\( --.*>  \).*/\1$$(date -R)/" debian/changelog; \
		echo; cat debian/changelog; } \
		> debian/new && mv debian/new debian/changelog; fi
	$(Q)cd $(DEB)/tree && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL DEB_BUILD_OPTIONS="nocheck parallel=$(JOBS)" \
		dpkg-buildpackage -us -uc -b >$(DEB)/build.log 2>&1 || { tail -n 40 $(DEB)/build.log; exit 1; }
	$(Q)rm -rf $(DEB)/tree
	$(Q)cd $(DEB) && lintian --allow-root --fail-on error,warning s3backerd_$(DEB_VERSION)_*.changes
	$(Q)ls $(DEB)/*_$(DEB_VERSION)_*.deb

check-deb: deb
	$(Q)mk/install-missing $(deps_check_deb)
	+$(Q)$(submake) all
	+$(Q)$(submake) deb DEB_VERSION=$(VERSION)+next1
	$(Q)DEB=$(DEB) S3TESTD=$(abspath $(BIN)/s3testd) $(PROVE) -j1 tests/deb/run tests/deb/boot

.PHONY: deb check-deb
