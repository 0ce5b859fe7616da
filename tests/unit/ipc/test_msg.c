/* SPDX-License-Identifier: ISC */
/*
 * test_msg.c -- which messages of a peer hold together.
 */
#include <errno.h>

#include "ipc/msg.h"
#include "tests/unit/tap.h"

static struct shm shm = {.geo = {.nblocks = 1000, .block_size = 65536, .nslots = 50}};

static int
check(uint16_t type, uint64_t block, uint64_t arg, uint32_t slot, uint32_t off, uint32_t len)
{
	struct ipc_msg m = {
	    .type = type, .block = block, .arg = arg, .slot = slot, .off = off, .len = len};

	return (ipc_msg_check(&shm, &m));
}

static void
test_ranges(void)
{
	static const uint16_t in_block[] = {IPC_READ, IPC_WRITE, IPC_GET, IPC_PUT};
	static const uint16_t runs[] = {IPC_TRIM, IPC_DELETE, IPC_LIST, IPC_LISTED};
	static const uint16_t on_slot[] = {IPC_DIRTY, IPC_AHEAD};

	for (unsigned i = 0; i < 4; i++) {
		uint16_t t = in_block[i];
		const char *n = ipc_type_name(t);

		ok(check(t, 999, 0, IPC_NO_SLOT, 0, 65536) == 0, "%s: the whole last block", n);
		ok(check(t, 999, 0, 49, 65535, 1) == 0, "%s: its last byte, the last slot", n);
		ok(check(t, 1000, 0, IPC_NO_SLOT, 0, 1) == -EPROTO, "%s: behind the disk", n);
		ok(check(t, 0, 0, IPC_NO_SLOT, 65535, 2) == -EPROTO, "%s: over the block's end", n);
		ok(check(t, 0, 0, IPC_NO_SLOT, 65537, 0) == -EPROTO, "%s: behind the block", n);
		ok(check(t, 0, 0, IPC_NO_SLOT, 8, UINT32_MAX - 4) == -EPROTO, "%s: overflow", n);
		ok(check(t, 0, 0, 50, 0, 1) == -EPROTO, "%s: no such slot", n);
	}
	for (unsigned i = 0; i < 4; i++) {
		uint16_t t = runs[i];
		const char *n = ipc_type_name(t);

		ok(check(t, 0, 1000, IPC_NO_SLOT, 0, 0) == 0, "%s: the whole disk", n);
		ok(check(t, 1, 1000, IPC_NO_SLOT, 0, 0) == -EPROTO, "%s: over its end", n);
		ok(check(t, 1000, 0, IPC_NO_SLOT, 0, 0) == -EPROTO, "%s: behind it", n);
		ok(check(t, 8, UINT64_MAX - 4, IPC_NO_SLOT, 0, 0) == -EPROTO, "%s: overflow", n);
	}
	for (unsigned i = 0; i < 2; i++) {
		uint16_t t = on_slot[i];
		const char *n = ipc_type_name(t);

		ok(check(t, 5, 0, 3, 0, 0) == 0, "%s: a slot", n);
		ok(check(t, 5, 0, IPC_NO_SLOT, 0, 0) == -EPROTO, "%s: none", n);
		ok(check(t, 1000, 0, 3, 0, 0) == -EPROTO, "%s: a block behind the disk", n);
	}
}

int
main(void)
{
	struct ipc_msg m = {.type = IPC_FLUSH, .slot = IPC_NO_SLOT};

	is_str(ipc_type_name(IPC_READ), "READ", "a type has a name");
	is_str(ipc_type_name(IPC_DONE), "DONE", "the last one, too");
	is_str(ipc_type_name(IPC_NTYPES), "?", "and what is none has not");
	ok(check(IPC_NONE, 0, 0, IPC_NO_SLOT, 0, 0) == -EPROTO, "no type is no message");
	ok(check(IPC_NTYPES, 0, 0, IPC_NO_SLOT, 0, 0) == -EPROTO, "nor is an unknown one");
	is_int(ipc_msg_check(&shm, &m), 0, "a flush");
	m.flags = IPC_F_ALL + 1;
	is_int(ipc_msg_check(&shm, &m), -EPROTO, "an unknown flag");
	test_ranges();
	return (tap_done());
}
