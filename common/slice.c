/* SPDX-License-Identifier: ISC */
#include "common/slice.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

void
slice_set(uint32_t us)
{
	struct sched_attr a = {.size = sizeof(a)};

	if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) != 0 || a.sched_policy != SCHED_NORMAL)
		return;
	a.sched_runtime = (uint64_t)us * 1000;
	(void)syscall(SYS_sched_setattr, 0, &a, 0);
}
