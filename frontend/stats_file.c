/* SPDX-License-Identifier: ISC */
#include "frontend/stats_file.h"

#include <stdatomic.h>
#include <string.h>

#include "ipc/shm.h"
#include "ipc/stats.h"

#include "common/role.h"

#include "frontend/guard.h"
#include "frontend/volume.h"

/* What unlink(2) of the file has subtracted; a new frontend begins without. */
static _Atomic uint64_t reset_at[CTR_COUNT];

void
stats_file_reset(const struct volume *v)
{
	uint64_t now[CTR_COUNT];

	stats_now(v->env->shm, now);
	for (unsigned i = 0; i < CTR_COUNT; i++)
		atomic_store(&reset_at[i], now[i]);
}

char *
stats_file_text(const struct volume *v, size_t *ret_len)
{
	uint64_t zero[CTR_COUNT];

	for (unsigned i = 0; i < CTR_COUNT; i++)
		zero[i] = atomic_load(&reset_at[i]);
	return (stats_text(v->env->shm, zero, ret_len));
}
