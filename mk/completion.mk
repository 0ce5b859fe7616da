# SPDX-License-Identifier: ISC
#
# Completion for bash and zsh (etc/completion): texts, with the keys of common/conf_keys.def in them.

BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/vendor-completions
completion_made := $(B)/completion/s3backer.bash $(B)/completion/s3backer.zsh

deps_more += zsh

$(B)/completion/%: etc/completion/%.in common/conf_keys.def
	@mkdir -p $(@D)
	$(Q)keys() { tr '\n' ' ' < common/conf_keys.def | sed 's/CONF_KEY(/\n&/g' | \
		sed -n "/^CONF_KEY([a-z][^,]*, \"/{$$1 s/^[^\"]*\"\([^\"]*\)\".*/\1/p;}" | paste -s -d ' '; }; \
		sed -e "s|@KEYS@|$$(keys '')|; s|@LIVE@|$$(keys '/[ |]LIVE[ ,|]/!d;')|" $< > $@

completion: $(completion_made)
all: completion

.PHONY: completion
