/* SPDX-License-Identifier: ISC */
#include "ipc/msg.h"

#include <errno.h>

const char *
ipc_type_name(unsigned type)
{
	static const char *const names[] = {
#define X(n) #n,
	    IPC_TYPES(X)
#undef X
	};

	return (type < IPC_NTYPES ? names[type] : "?");
}

int
ipc_msg_check(const struct shm *s, const struct ipc_msg *m)
{
	const struct shm_geometry *g = &s->geo;

	if (m->type == IPC_NONE || m->type >= IPC_NTYPES || (m->flags & ~IPC_F_ALL) != 0)
		return (-EPROTO);
	if (m->slot != IPC_NO_SLOT && m->slot >= g->nslots)
		return (-EPROTO);
	switch (m->type) {
	case IPC_READ:
	case IPC_WRITE:
	case IPC_GET:
	case IPC_PUT:
		if (m->block >= g->nblocks || m->off > g->block_size ||
		    m->len > g->block_size - m->off)
			return (-EPROTO);
		break;
	case IPC_TRIM:
	case IPC_DELETE:
	case IPC_LIST:
	case IPC_LISTED:
	case IPC_CHECK:
		if (m->block >= g->nblocks || m->arg > g->nblocks - m->block)
			return (-EPROTO);
		break;
	case IPC_DIRTY:
	case IPC_AHEAD:
		if (m->slot == IPC_NO_SLOT || m->block >= g->nblocks)
			return (-EPROTO);
		break;
	default:
		break;
	}
	return (0);
}
