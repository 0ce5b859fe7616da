/* SPDX-License-Identifier: ISC */
/*
 * sim_bucket.h -- a bucket that answers in any order, sometimes with an error, and checks that a slot
 * does not change while it is uploaded.  Part of sim.h.
 */
#ifndef S3B_TESTS_SIM_BUCKET_H
#define S3B_TESTS_SIM_BUCKET_H

static void
up_take(void)
{
	struct ipc_msg m;

	while (nheld < HELD && ipc_ring_pop(&up_in, &m) == 0) {
		if (m.type == IPC_PUT)
			(void)!pread(
			    cache_fd, frozen[nheld], BSIZE, (off_t)shm_slot_off(&shm, m.slot));
		held[nheld++] = m;
	}
}

/* What a DONE says about the object: ETag and checksum. */
static void
speak_of(uint64_t block, struct ipc_msg *reply)
{
	uint8_t crc[4];

	gcry_md_hash_buffer(GCRY_MD_CRC32, crc, bucket[block], BSIZE);
	reply->arg =
	    (uint32_t)crc[0] << 24 | (uint32_t)crc[1] << 16 | (uint32_t)crc[2] << 8 | crc[3];
	reply->flags |= IPC_F_HASCRC;
	memcpy(reply->etag, &version[block], sizeof(version[block]));
}

static void
put_object(const struct ipc_msg *m, unsigned i, struct ipc_msg *reply)
{
	static uint8_t now[BSIZE];

	(void)!pread(cache_fd, now, BSIZE, (off_t)shm_slot_off(&shm, m->slot));
	if (memcmp(now, frozen[i], BSIZE) != 0)
		complain("frozen slot changed", (uint32_t)m->block, 0, 0, 0);
	for (uint32_t sub = 0; sub < NSUB; sub++)
		if (!slot_valid_test(&tab, m->slot, sub)) {
			if ((m->flags & IPC_F_ZBASE) == 0)
				complain(
				    "upload of an incomplete block", (uint32_t)m->block, sub, 0, 0);
			memset(now + sub * SUB, 0, SUB);
		}
	memcpy(bucket[m->block], now, BSIZE);
	version[m->block] = ++versions;
	speak_of(m->block, reply);
	exists[m->block] = false;
	for (uint32_t k = 0; k < BSIZE; k++)
		exists[m->block] |= now[k] != 0;
	if (!exists[m->block])
		reply->flags |= IPC_F_ZERO;
}

static void
get_object(const struct ipc_msg *m, struct ipc_msg *reply)
{
	uint32_t off = 0, len = BSIZE;

	if (!exists[m->block]) {
		reply->flags |= IPC_F_ZERO;
		return;
	}
	if ((m->flags & IPC_F_PART) == 0 || rnd(3) == 0) {
		speak_of(m->block, reply);
	} else {
		off = m->off;
		len = m->len;
	}
	(void)!pwrite(
	    cache_fd, bucket[m->block] + off, len, (off_t)(shm_slot_off(&shm, m->slot) + off));
	reply->off = off;
	reply->len = len;
}

/* True: there is more, and one page was asked for. */
static bool
list_objects(const struct ipc_msg *m)
{
	unsigned page = (m->flags & IPC_F_PART) != 0 ? 1 + rnd(4) : BLOCKS, n = 0;

	for (uint32_t b = (uint32_t)m->block; b < BLOCKS; b++) {
		struct ipc_msg l = {.type = IPC_LISTED,
		    .req_id = m->req_id,
		    .block = b,
		    .arg = 1,
		    .slot = IPC_NO_SLOT};

		memcpy(l.etag, &version[b], sizeof(version[b]));
		if (exists[b] && n++ == page)
			return (true);
		if (exists[b])
			(void)ipc_ring_push(&up_out, &l);
	}
	return (false);
}

/* Answer one request, not always the oldest, not always well. */
static void
up_answer(void)
{
	struct ipc_msg reply = {.type = IPC_DONE, .slot = IPC_NO_SLOT};
	unsigned i;

	if (nheld == 0)
		return;
	i = rnd(nheld);
	if (sim_holds_puts && held[i].type == IPC_PUT)
		return;
	if ((held[i].flags & IPC_F_MORE) != 0 && held[i].type == IPC_DELETE) {
		/* A run of a batch: done at once, answered with the last one. */
		for (uint32_t k = 0; k < held[i].arg; k++)
			exists[held[i].block + k] = false;
		goto out;
	}
	reply.req_id = held[i].req_id;
	for (unsigned k = 0; k < nheld; k++)
		if (k != i && held[k].req_id == held[i].req_id)
			return; /* its runs first */
	if (sim_faults && rnd(20) == 0)
		reply.status = -EIO;
	else if (held[i].type == IPC_PUT)
		put_object(&held[i], i, &reply);
	else if (held[i].type == IPC_GET)
		get_object(&held[i], &reply);
	else if (held[i].type == IPC_LIST)
		reply.flags = list_objects(&held[i]) ? IPC_F_MORE : 0;
	else if (held[i].type == IPC_DELETE)
		for (uint32_t k = 0; k < held[i].arg; k++)
			exists[held[i].block + k] = false;
	if (ipc_ring_push(&up_out, &reply) < 0)
		abort();
out:
	held[i] = held[--nheld];
	memcpy(frozen[i], frozen[nheld], BSIZE);
}

#endif
