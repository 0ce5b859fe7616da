/* SPDX-License-Identifier: ISC */
#include "supervisor/vault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/role.h"

#include "supervisor/guard.h"

#define VAULT_BYTES ((size_t)ROLE_PACKET_MAX) /* what a HELLO can carry, and a little more */

struct vault {
	size_t len;
	char text[];
};

int
vault_open(const char *text, size_t len, struct vault **ret_vault)
{
	struct vault *v;

	if (len > VAULT_BYTES - sizeof(*v))
		return (-EMSGSIZE);
	v = mmap(NULL, VAULT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (v == MAP_FAILED)
		return (-errno);
	/* Neither is worth a refusal: a small RLIMIT_MEMLOCK, or an old kernel. */
	(void)mlock(v, VAULT_BYTES);
	(void)madvise(v, VAULT_BYTES, MADV_DONTDUMP);
	memcpy(v->text, text, len);
	v->len = len;
	*ret_vault = v;
	return (0);
}

void
vault_close(struct vault **vp)
{
	if (*vp == NULL)
		return;
	explicit_bzero(*vp, VAULT_BYTES);
	(void)munmap(*vp, VAULT_BYTES);
	*vp = NULL;
}

const char *
vault_text(const struct vault *v, size_t *ret_len)
{
	*ret_len = v->len;
	return (v->text);
}

int
vault_append(struct vault *v, const char *line)
{
	size_t n = strlen(line);

	if (n + 1 > VAULT_BYTES - sizeof(*v) - v->len)
		return (-ENOSPC);
	memcpy(v->text + v->len, line, n);
	v->text[v->len + n] = '\n';
	v->len += n + 1;
	return (0);
}
