/* SPDX-License-Identifier: ISC */
#include "ipc/proc_table.h"

#include <stdio.h>

#include "ipc/shm.h"
#include "ipc/state.h"

const char *
proc_name(uint32_t proc, char *buf, unsigned len)
{
	static const char *const fixed[] = {"s3backerd", "frontend", "cachemgr"};

	if (proc < PROC_UPLOADER0)
		(void)snprintf(buf, len, "%s", fixed[proc]);
	else
		(void)snprintf(buf, len, "uploader.%u", proc - PROC_UPLOADER0);
	return (buf);
}

const char *
disk_state_name(unsigned s)
{
	static const char *const names[] = {
	    "starting", "running", "draining", "drained", "degraded", "fenced", "stopping"};

	return (s < sizeof(names) / sizeof(names[0]) ? names[s] : "?");
}
