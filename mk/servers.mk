# SPDX-License-Identifier: ISC
#
#   make check-servers               against Ceph RGW, with and without TLS, and OpenStack Swift
#   make check-servers SERVERS=rgw   against one of them
#   make deps-servers                these servers, from Debian; nothing of them is started by that

SERVERS ?= rgw rgw-tls swift
deps_servers := ceph-mon ceph-osd radosgw python3-swift memcached

# The packages would start services of their own.
deps-servers: deps
	$(Q)policy=/usr/sbin/policy-rc.d; made=; \
	[ -e $$policy ] || { printf '#!/bin/sh\nexit 101\n' >$$policy && chmod 755 $$policy && made=1; }; \
	mk/install-missing $(deps_servers); status=$$?; [ -z "$$made" ] || rm -f $$policy; exit $$status

check-servers: deps-servers
	+$(Q)$(submake) all
	$(Q)$(tests_env) tests/servers/run $(SERVERS)

.PHONY: deps-servers check-servers
